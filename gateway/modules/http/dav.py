"""dav: PUT, DELETE, MKCOL, COPY and MOVE of files below `root` (RFC 4918); `dav_methods` and its directives.

What is inside of folders goes by a thread, since it may be much; nginx holds its worker up. Links inside of a folder
are not followed (`core/file_tree.py`).
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway._fast import uri as uri_grammar
from gateway.config.conf import Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, Directive, at_least, bitmask, flag, number, take
from gateway.core import file_tree
from gateway.core.files import FileError
from gateway.core.lane import in_trio
from gateway.http.body import read_body
from gateway.http.module import NOTHING, OK, Contribution, HttpModule, Phase, Result
from gateway.http.response import parse_http_date
from gateway.http.setters import access_setting

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

_METHODS: Final = {"off": 0, "put": 1, "delete": 2, "mkcol": 4, "copy": 8, "move": 16}
_INFINITY: Final = -1
_INVALID: Final = -2
_DEPTHS: Final = {b"0": 0, b"1": 1, b"infinity": _INFINITY}
_SLASHES: Final = re.compile(rb"//+")
_GONE: Final = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG))


@dataclass(slots=True)
class LocationConf(Conf):
    methods: int = setting(0)
    create_full_put_path: bool = setting(False)
    min_delete_depth: int = setting(0)
    access: int = setting(0o600)


class Refused(Exception):
    """The status that the request ends with."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def folder_mode(access: int) -> int:
    """Of a folder: who may read or write in it may enter it, too."""
    return access | (access & 0o444) >> 2


def plan(settings: LocationConf, location: Location) -> Contribution:
    if not settings.methods:
        return NOTHING
    wanted = {name.upper().encode() for name, bit in _METHODS.items() if settings.methods & bit}

    def handle(request: Request) -> Result | Awaitable[Result]:
        method = request.method
        if method not in wanted:
            return None
        try:
            if method == b"PUT":
                return _put(request, settings)
            if request.head.content_length > 0 or request.head.chunked:
                return _unsupported(request, method)
            if method == b"DELETE":
                return _delete(request, settings)
            if method == b"MKCOL":
                return _make_collection(request, settings)
            return _copy_or_move(request, settings)
        except Refused as refused:
            return refused.status

    return Contribution(handlers={Phase.CONTENT: handle})


def _refuse(request: Request, status: int, message: bytes, code: int = 0) -> Refused:
    request.log("error", message, OSError(code, "") if code else None)
    return Refused(status)


def _failed(request: Request, error: FileError, not_found: int) -> int:
    """nginx's line in the log and status for a call that failed."""
    code = error.errno
    level, status = "crit", 500
    if code in _GONE:
        level, status = "error", not_found
    elif code in (errno.EACCES, errno.EPERM):
        level, status = "error", 403
    elif code == errno.EEXIST:
        level, status = "error", 405
    elif code == errno.ENOSPC:
        status = 507
    request.log(level, error.message, OSError(code, ""))
    return status


def _unsupported(request: Request, method: bytes) -> int:
    what = b"COPY and MOVE with body are" if method in (b"COPY", b"MOVE") else method + b" with body is"
    request.log("error", what + b" unsupported")
    return 415


def _depth(request: Request, default: int) -> int:
    field = request.field(b"depth")
    if field is None:
        return default
    depth = _DEPTHS.get(field, _INVALID)
    if depth == _INVALID:
        request.log("error", b'client sent invalid "Depth" header: "%b"' % field)
    return depth


def _look(request: Request, path: bytes, not_found: int = 404) -> os.stat_result:
    """What is at this path, a link as such. Errors: Refused."""
    try:
        return os.lstat(path)
    except OSError as error:
        failure = FileError(error.errno or errno.EIO, "lstat()", path)
        raise Refused(_failed(request, failure, not_found)) from None


def _path(request: Request, uri: bytes) -> bytes:
    path = request.map_uri_to_path(uri)
    if b"\0" in path:
        raise Refused(404)
    return path


def _location(request: Request) -> None:
    request.response.location = uri_grammar.escape(request.uri, "uri")


async def _in_thread(request: Request, work: Callable[[file_tree.Report], None], status: int) -> Result:
    """The status when it is done; what fails inside of a tree is told in the log."""
    import trio

    problems: list[FileError] = []
    await in_trio()
    try:
        await trio.to_thread.run_sync(work, problems.append)
    except FileError as error:
        return _failed(request, error, 404)
    finally:
        for problem in problems:
            _failed(request, problem, 0)
    return status


# -- PUT ---------------------------------------------------------------------------------------------------------


def _put(request: Request, settings: LocationConf) -> Awaitable[Result]:
    if request.uri.endswith(b"/"):
        raise _refuse(request, 409, b"cannot PUT to a collection")
    if request.field(b"content-range") is not None:
        raise _refuse(request, 501, b"PUT with range is unsupported")
    request.request_body_in_file_only = True
    return _store(request, settings)


async def _store(request: Request, settings: LocationConf) -> Result:
    status = await read_body(request)
    if status is not None:
        return status
    body = request.body
    if body is None or body.file is None:
        request.log("error", b"PUT request body must be in a file")
        return 500
    try:
        path = _path(request, request.uri)
    except Refused as refused:
        return refused.status
    try:
        is_dir = stat.S_ISDIR(os.stat(path).st_mode)
        status = 204
    except OSError:
        is_dir, status = False, 201
    if is_dir:
        request.log("error", b'"%b" could not be created' % path, OSError(errno.EISDIR, ""))
        return 409
    field = request.field(b"date")
    date = parse_http_date(field) if field is not None else None
    access: int = settings.access
    try:
        folders = folder_mode(access) if settings.create_full_put_path else 0
        body.file.move(path, access=access, modified=date, folders=folders)
    except FileError as error:
        request.log("crit", error.message, OSError(error.errno, ""))
        return 500
    response = request.response
    response.status = status
    if status == 201:
        _location(request)
        response.content_length = 0
    request.header_only = True
    request.send_head()
    return OK


# -- DELETE, MKCOL -----------------------------------------------------------------------------------------------


def _delete(request: Request, settings: LocationConf) -> Result | Awaitable[Result]:
    uri = request.uri
    least: int = settings.min_delete_depth
    if least:
        # so many slashes, and something behind the last of them
        parts = uri.split(b"/", least)
        if len(parts) <= least or not parts[-1]:
            raise _refuse(request, 409, b"insufficient URI depth:%d to DELETE" % uri.count(b"/"))
    path = _path(request, uri)
    try:
        info = os.lstat(path)
    except OSError as error:
        failure = FileError(error.errno or errno.EIO, "lstat()", path)
        return _failed(request, failure, 409 if error.errno == errno.ENOTDIR else 404)
    if stat.S_ISDIR(info.st_mode):
        if not uri.endswith(b"/"):
            raise _refuse(request, 409, b'DELETE "%b" failed' % path, errno.EISDIR)
        if _depth(request, _INFINITY) != _INFINITY:
            raise _refuse(request, 400, b'"Depth" header must be infinity')
        folder = path[:-1]
        return _in_thread(request, lambda report: file_tree.delete(folder, True, report), 204)
    if _depth(request, 0) not in (0, _INFINITY):
        raise _refuse(request, 400, b'"Depth" header must be 0 or infinity')
    try:
        file_tree.delete(path, False, lambda error: None)
    except FileError as error:
        return _failed(request, error, 404)
    return 204


def _make_collection(request: Request, settings: LocationConf) -> Result:
    if not request.uri.endswith(b"/"):
        raise _refuse(request, 409, b"MKCOL can create a collection only")
    path = _path(request, request.uri)[:-1]
    try:
        os.mkdir(path, folder_mode(settings.access))
    except OSError as error:
        return _failed(request, FileError(error.errno or errno.EIO, "mkdir()", path), 409)
    _location(request)
    return 201


# -- COPY, MOVE --------------------------------------------------------------------------------------------------


def _destination(request: Request) -> tuple[bytes, bytes]:
    """The URI that the Destination field names, and the field. Errors: Refused."""
    field = request.field(b"destination")
    if field is None:
        raise _refuse(request, 400, b'client sent no "Destination" header')
    invalid = b'client sent invalid "Destination" header: "%b"' % field
    text = field
    if not text.startswith(b"/"):
        host = request.host
        if not host:
            raise _refuse(request, 400, b'client sent no "Host" header')
        scheme = request.scheme + b"://"
        if not text.startswith(scheme):
            raise _refuse(request, 400, invalid)
        text = text[len(scheme) :]
        if not text.startswith(host):
            words = b'"Destination" URI "%b" is handled by different repository than the source URI' % field
            raise _refuse(request, 400, words)
        slash = text.find(b"/", len(host))
        if slash < 0:
            raise _refuse(request, 400, invalid)
        text = text[slash:]
    found = uri_grammar.safe_uri(text)
    if found is None:
        request.log("error", b'unsafe URI "%b" was detected' % text)
        raise _refuse(request, 400, invalid)
    if request.uri.endswith(b"/") is not field.endswith(b"/"):
        words = b'both URI "%b" and "Destination" URI "%b" should be either collections or non-collections'
        raise _refuse(request, 409, words % (request.uri, field))
    core = request.location.core
    if core.alias is not None and len(found[0]) < core.alias_length:
        raise _refuse(request, 400, invalid)
    return found[0], field


def _overwrite(request: Request) -> bool:
    field = request.field(b"overwrite")
    if field is None or field in (b"T", b"t"):
        return True
    if field in (b"F", b"f"):
        return False
    raise _refuse(request, 400, b'client sent invalid "Overwrite" header: "%b"' % field)


def _check_depth(request: Request) -> None:
    depth = _depth(request, _INFINITY)
    if depth == _INFINITY:
        return
    if request.method != b"COPY":
        raise _refuse(request, 400, b'"Depth" header must be infinity')
    if depth != 0:
        raise _refuse(request, 400, b'"Depth" header must be 0 or infinity')


def _check_paths(request: Request, source: bytes, target: bytes, field: bytes) -> None:
    """Neither onto itself, nor a folder into itself or over what it lies in. Errors: Refused."""
    one, other = source.removesuffix(b"/"), target.removesuffix(b"/")
    if one == other:
        words = b'both URI "%b" and "Destination" URI "%b" point to the same location' % (request.uri, field)
        raise _refuse(request, 403, words)
    if target.endswith(b"/") and ((other + b"/").startswith(one + b"/") or (one + b"/").startswith(other + b"/")):
        raise _refuse(request, 403, _not_into(request, field))


def _not_into(request: Request, field: bytes) -> bytes:
    return b'"%b" could not be %bed to collection "%b"' % (request.uri, request.method, field)


def _copy_or_move(request: Request, settings: LocationConf) -> Result | Awaitable[Result]:
    uri, field = _destination(request)
    _check_depth(request)
    overwrite = _overwrite(request)
    source = _SLASHES.sub(b"/", _path(request, request.uri))
    target = _SLASHES.sub(b"/", _path(request, uri))
    _check_paths(request, source, target, field)
    into = target.removesuffix(b"/")
    try:
        there = os.lstat(into)
    except OSError as error:
        if error.errno != errno.ENOENT:
            return _failed(request, FileError(error.errno or errno.EIO, "lstat()", into), 404)
        replaced: bool | None = None
    else:
        replaced = stat.S_ISDIR(there.st_mode)
        if replaced and not target.endswith(b"/"):
            raise _refuse(request, 409, _not_into(request, field))
        if not overwrite:
            raise _refuse(request, 412, b'"%b" could not be created' % into, errno.EEXIST)
    info = _look(request, source)
    moving = request.method == b"MOVE"
    if not stat.S_ISDIR(info.st_mode):
        folders = folder_mode(settings.access)

        def file(report: file_tree.Report) -> None:
            if moving:
                file_tree.move_file(source, into, folders)
            else:
                file_tree.copy_file(source, into)

        return _in_thread(request, file, 204)
    if not request.uri.endswith(b"/"):
        raise _refuse(request, 400, b'"%b" is collection' % request.uri)
    origin = source.removesuffix(b"/")

    def folder(report: file_tree.Report) -> None:
        if replaced is not None:
            file_tree.delete(into, replaced, report)
        if moving:
            try:
                os.rename(origin, into)
                return
            except OSError:
                pass  # onto another file system: copied, then deleted
        file_tree.copy_tree(origin, into, report)
        if moving:
            file_tree.delete(origin, True, report)

    return _in_thread(request, folder, 201)


module = HttpModule(
    name="dav",
    location=LocationConf,
    directives=(
        Directive("dav_methods", EVERYWHERE, at_least(1), bitmask("methods", _METHODS)),
        Directive("create_full_put_path", EVERYWHERE, FLAG, flag("create_full_put_path")),
        Directive("min_delete_depth", EVERYWHERE, take(1), number("min_delete_depth")),
        Directive("dav_access", EVERYWHERE, take(1, 2, 3), access_setting("access")),
    ),
    plan=plan,
)
