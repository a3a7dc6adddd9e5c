"""Words for what handlers of the phases do: limits, access, files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.dev.diagnosis.path_walk import READ, Missing, denied
from gateway.dev.explain.findings import Findings, show
from gateway.dev.explain.script import sub
from gateway.http.module import OK, RESTART, Result
from gateway.http.paths import NoPath
from gateway.modules.http.try_files import place

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.http.request import Request


def _nothing(request: Request, settings: Any, findings: Findings) -> Any:
    return None


def _silent(request: Request, settings: Any, before: Any, result: Result, findings: Findings) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Tell:
    """What is noted before a handler runs, and what is told when it has."""

    after: Callable[[Request, Any, Any, Result, Findings], None] = _silent
    before: Callable[[Request, Any, Findings], Any] = _nothing


def _where(request: Request, *names: str) -> Where | None:
    statement = request.location.scope.set_by(*names)
    return statement.where if statement is not None else None


def _verdict(result: Result) -> str:
    if result is None:
        return "no objection"
    if result == OK:
        return "allowed"
    return f"answered with {result}" if result > 0 else "the request goes on elsewhere"


# -- who may ------------------------------------------------------------------------------------------------------


def _tell_access(request: Request, settings: Any, before: Any, result: Result, findings: Findings) -> None:
    address = show(request.connection.remote()[0])
    verdict = "allowed" if result == OK else "no rule holds" if result is None else "denied"
    findings.tell(
        "access", f"client {address}: {verdict}", _where(request, "allow", "deny"), subrequest=sub(request),
        allowed=result in (None, OK),
    )  # fmt: skip


def _tell_password(request: Request, settings: Any, before: Any, result: Result, findings: Findings) -> None:
    where = _where(request, "auth_basic")
    if result == 401:
        text = "no user and password in the request, or wrong ones: 401"
    else:
        text = f"user and password: {_verdict(result)}"
    findings.tell("auth", text, where, subrequest=sub(request))


def _tell_python(request: Request, settings: Any, before: Any, result: Result, findings: Findings) -> None:
    name = settings.access.name
    if result is None or isinstance(result, int):  # what it waits for is not told
        findings.tell(
            "access", f"py_access {name}: {_verdict(result)}", _where(request, "py_access"), subrequest=sub(request)
        )


def _tell_auth_request(request: Request, settings: Any, before: Any, result: Result, findings: Findings) -> None:
    text = f"auth_request {settings.uri}: {_verdict(result)}, if it is answered as here"
    findings.tell("auth", text, _where(request, "auth_request"), subrequest=sub(request))


def _tell_realip(request: Request, settings: Any, before: Any, result: Result, findings: Findings) -> None:
    now = show(request.connection.remote()[0])
    if now != before:
        findings.tell("client", f"{before} is trusted: the client is {now}", _where(request, "set_real_ip_from"))


def _client(request: Request, settings: Any, findings: Findings) -> str:
    return show(request.connection.remote()[0])


# -- limits -------------------------------------------------------------------------------------------------------


def _tell_limit_req(request: Request, settings: Any, before: Any, result: Result, findings: Findings) -> None:
    for limit in settings.limits:
        bucket = limit.zone.data
        key = bucket.key(request)
        rate = bucket.rate
        per = f"{rate // 1000}r/s" if rate >= 1000 else f"{rate * 60 // 1000}r/m"
        exact = ", exact" if limit.exact else ""
        text = f'zone {bucket.name}, {per}, burst {limit.burst // 1000}{exact}, key {bucket.key.text} = "{show(key)}"'
        text += "; how full it is now is not known here" if key else "; an empty key is not limited"
        findings.tell("limit", text, _where(request, "limit_req"), subrequest=sub(request))


def _tell_limit_conn(request: Request, settings: Any, before: Any, result: Result, findings: Findings) -> None:
    statement = request.location.scope.set_by("limit_conn")
    if statement is not None:
        text = f"limit_conn {' '.join(statement.args)}; how many there are now is not known here"
        findings.tell("limit", text, statement.where, subrequest=sub(request))


# -- files --------------------------------------------------------------------------------------------------------


def what_is(path: bytes) -> str:
    """What a path names on this disk."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return "does not exist" if error.errno in (2, 20) else os.strerror(error.errno or 0).lower()
    return "is a directory" if stat.S_ISDIR(mode) else "is a file" if stat.S_ISREG(mode) else "is no regular file"


def _tell_candidates(request: Request, settings: Any, findings: Findings) -> Any:
    """try_files: each name, and what is there; they are the handler's own, up to the first that it takes."""
    tries = settings.tries
    lines = []
    for file, directory in tries.files:
        path, _ = place(request, file(request), file.constant is None)
        found = what_is(path)
        lines.append(f"{show(path)}{'/' if directory else ''} {found}")
        if found == ("is a directory" if directory else "is a file"):
            break
    last = f"={tries.status}" if tries.fallback is None else show(tries.fallback(request))
    return lines, last


def _tell_tried(request: Request, settings: Any, before: Any, result: Result, findings: Findings) -> None:
    lines, last = before
    where = _where(request, "try_files")
    text = f"none of them: {last}" if result is not None else f"found: {lines[-1].rpartition(' is ')[0]}"
    findings.tell("try_files", text, where, lines, sub(request))


def _tell_index(request: Request, settings: Any, before: Any, result: Result, findings: Findings) -> None:
    if result == RESTART:
        findings.tell("index", f"the directory's index: {show(request.uri)}", _where(request, "index"))
    elif result is not None and result >= 300:
        findings.tell("index", f"the directory cannot be used: {result}", _where(request, "index"))
    elif before:
        findings.tell("index", "no index file in this directory", _where(request, "index"), before, sub(request))


def _index_names(request: Request, settings: Any, findings: Findings) -> list[str]:
    if not request.uri.endswith(b"/") or request.method not in (b"GET", b"HEAD", b"POST"):
        return []
    try:
        folder = request.map_uri_to_path(request.uri)
    except NoPath:
        return []
    return [f"{show(folder + file(request))} {what_is(folder + file(request))}" for file in settings.files]


def _tell_file(request: Request, settings: Any, before: Any, result: Result, findings: Findings) -> None:
    if before is None or result is None:
        return
    path = before
    where = _where(request, "alias") or _where(request, "root")
    if result == 405:
        # POST is refused only when the file has been opened; any other method before anybody looks for one
        opened: dict[str, Any] = {"path": show(path)} if request.method == b"POST" else {}
        text = f"{show(request.method)} is not for files: 405"
        if opened:
            text += f" ({show(path)} {what_is(path)})"
        findings.tell("file", text, where, subrequest=sub(request), **opened)
        return
    text = f"the file {show(path)} {what_is(path)}"
    details = []
    if isinstance(result, int) and result >= 400:
        text += f": {result}"
    details += who_may_read(path, request)
    findings.tell("file", text, where, details, sub(request), path=show(path))


def who_may_read(path: bytes, request: Request) -> list[str]:
    """Which component of the path stops the workers' user, if one does."""
    uid, gids = request.cycle.user or (os.geteuid(), {os.getegid(), *os.getgroups()})
    try:
        denial = denied(os.fsdecode(path), READ, uid, gids)
    except (Missing, OSError):
        return []
    if denial is None:
        return []
    need = "be read by" if denial.wanted == READ else "be passed by"
    return [f"{denial.component} cannot {need} the workers (uid {uid}): 403 when they serve it"]


def _path(request: Request, settings: Any, findings: Findings) -> bytes | None:
    if request.uri.endswith(b"/"):
        return None
    try:
        return request.map_uri_to_path(request.uri)
    except NoPath:
        return None


def _tell_mirror(request: Request, settings: Any, before: Any, result: Result, findings: Findings) -> None:
    where = _where(request, "mirror")
    if where is not None and request.parent is None:
        findings.tell("mirror", "a copy of the request is made", where)


TELLERS: Final[dict[str, Tell]] = {
    "access": Tell(_tell_access),
    "auth_basic": Tell(_tell_password),
    "auth_request": Tell(_tell_auth_request),
    "py": Tell(_tell_python),
    "realip": Tell(_tell_realip, _client),
    "limit_req": Tell(_tell_limit_req),
    "limit_conn": Tell(_tell_limit_conn),
    "try_files": Tell(_tell_tried, _tell_candidates),
    "index": Tell(_tell_index, _index_names),
    "static": Tell(_tell_file, _path),
    "mirror": Tell(_tell_mirror),
}
