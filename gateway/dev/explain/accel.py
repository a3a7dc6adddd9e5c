"""Words for what X-Accel-* fields of an application do (`--answer` gives it some), and where a redirect may lead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.dev.explain.findings import Findings, show
from gateway.dev.explain.places import name_of
from gateway.upstream.exchange.response import Ignore

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.http.locations import Location
    from gateway.http.request import Request

Fields = tuple[tuple[str, str], ...]

_IGNORED: Final = {
    "x-accel-redirect": Ignore.X_ACCEL_REDIRECT,
    "x-accel-expires": Ignore.X_ACCEL_EXPIRES,
    "x-accel-limit-rate": Ignore.X_ACCEL_LIMIT_RATE,
    "x-accel-buffering": Ignore.X_ACCEL_BUFFERING,
    "x-accel-charset": Ignore.X_ACCEL_CHARSET,
}
_KEPT: Final = ("content-type", "set-cookie", "content-disposition", "cache-control", "expires", "accept-ranges")
_SHOWN: Final = 10
_ANSWERS: Final = (
    "alias", "root", "proxy_pass", "uwsgi_pass", "fastcgi_pass", "scgi_pass", "grpc_pass", "memcached_pass", "return",
)  # fmt: skip


def tell_where_to(request: Request, findings: Findings) -> None:
    """The internal locations of this server that an application might name; error pages are exact ones."""
    found = [
        f"{name_of(location)}{_place(location.scope.where())}: {_what_answers(location)}"
        for location in _all_below(request.server.root)
        if location.internal and not (location.exact or location.named or location.nameless)
    ]
    if found:
        text = "an X-Accel-Redirect of the application may lead where no client gets; try one with --answer"
        findings.tell("x-accel", text, None, found[:_SHOWN])


def _all_below(location: Location) -> Iterator[Location]:
    for inner in location.children:
        yield inner
        yield from _all_below(inner)


def _place(where: Where | None) -> str:
    return f" ({where})" if where is not None else ""


def _what_answers(location: Location) -> str:
    for name in _ANSWERS:
        statement = location.scope.set_by(name)
        if statement is not None:
            return " ".join([name, *statement.args])
    return "files"


@dataclass(frozen=True, slots=True)
class Given:
    """The upstream of a location was given these fields to answer with."""

    location: Location
    name: str  # the module's
    settings: Any
    answer: Fields


def tell_answer(request: Request, given: Given, findings: Findings) -> None:
    """The request is in another location, or it ends."""
    name, before, answer = given.name, given.location, given.answer
    ignored: int = getattr(given.settings, "ignore_headers", 0)
    for field, value in answer:
        kind = field.lower()
        if kind not in _IGNORED:
            continue
        if ignored & _IGNORED[kind]:
            statement = before.scope.set_by(f"{name}_ignore_headers")
            where = statement.where if statement is not None else None
            findings.tell("x-accel", f"{field}: {value} is ignored", where, field=field, acts=False)
            continue
        if kind == "x-accel-redirect":
            _tell_redirect(request, before, value, answer, findings)
            continue
        words, acts = _words(kind, value, request, given)
        findings.tell("x-accel", f"{field}: {value}: {words}", field=field, acts=acts)


def _tell_redirect(request: Request, before: Location, value: str, answer: Fields, findings: Findings) -> None:
    if request.location is before or request.err_status:
        status = request.err_status or request.response.status
        findings.tell(
            "x-accel", f"X-Accel-Redirect: {value} leads nowhere: {status}", field="X-Accel-Redirect", acts=False
        )
        return
    said = {name.lower(): name for name, _ in answer if not name.lower().startswith("x-accel-")}
    details = []
    kept = [said[name] for name in said if name in _KEPT]
    lost = [said[name] for name in said if name not in _KEPT]
    if kept:
        details.append(f"of the application's answer go on: {', '.join(kept)}")
    if lost:
        details.append(f"of it do not: its status, its body, {', '.join(lost)}")
    if "content-type" not in said:
        details.append(
            "its Content-Type goes on, here text/html as made up; an application that sends none leaves it to the file"
        )
    location = request.location
    if not location.internal and not location.named:
        details.append(f"{name_of(location)} is not internal: a client may ask for it itself")
    method = show(request.method)
    text = f"X-Accel-Redirect: {value}: another location answers, to {method}"
    findings.tell("x-accel", text, None, details, field="X-Accel-Redirect", acts=True, to=show(request.uri))


def _words(kind: str, value: str, request: Request, given: Given) -> tuple[str, bool]:
    name, before = given.name, given.location
    if kind == "x-accel-limit-rate":
        rate = request.limit_rate
        if value == "off" or rate == 0:
            return "the client gets it as fast as it takes it", True
        return (f"the client gets {rate} bytes a second", True) if rate is not None else ("no number, no effect", False)
    if kind == "x-accel-charset":
        if before.scope.set_by("charset") is None:
            return "no effect without charset in this location", False
        return "the charset of the answer, in place of the one that is configured", True
    if kind == "x-accel-expires":
        cache = before.scope.set_by(f"{name}_cache")
        if cache is None or cache.args == ["off"]:
            return f"no effect without {name}_cache in this location", False
        if value == "0":
            return "the answer is not kept in the cache", True
        until = "until that time" if value.startswith("@") else "for so many seconds"
        return f"the answer is kept in the cache {until}, whatever Cache-Control says", True
    wanted = {"no": False, "yes": True}.get(value.lower())
    if wanted is None:
        return "neither yes nor no, no effect", False
    if bool(getattr(given.settings, "buffering", wanted)) == wanted:
        return "as it is configured", False
    return ("it is buffered" if wanted else "what comes goes to the client at once"), True
