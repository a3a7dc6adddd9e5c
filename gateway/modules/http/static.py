"""static: files below `root` or `alias`."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

from gateway._fast import uri as uri_grammar
from gateway._fast.files import READ, open_path
from gateway.core.files import FileError
from gateway.core.pieces import FileSlice
from gateway.http.module import OK, Contribution, HttpModule, Phase, Result
from gateway.http.paths import map_uri_to_path
from gateway.http.response import http_date
from gateway.modules.http.file_access import open_file
from gateway.modules.http.types import content_type_of

if TYPE_CHECKING:
    from gateway._fast.files import OpenedFile
    from gateway.http.locations import Location
    from gateway.http.request import Request


# Up to this size a read and one write with the head cost less than sendfile, whose set-up alone is some microseconds.
SMALL: Final = 16384
# Files whose validators are kept, each in the slot of its inode: the same ones are asked for again and again.
_SLOTS: Final = 1024


class Validators:
    """nginx's ETag and Last-Modified of a file. Compiled with the types of static.pxd."""

    def __init__(self, file: OpenedFile) -> None:
        self.uniq = file.uniq
        self.mtime = file.mtime
        self.size = file.size
        self.etag = file.make_etag()
        self.last_modified = http_date(file.mtime)


_known: Final[list[Validators | None]] = [None] * _SLOTS


def validators(file: OpenedFile) -> Validators:
    """A file's, made when it is first asked for, and after each change."""
    slot = file.uniq & _SLOTS - 1
    found = _known[slot]
    if found is None or found.mtime != file.mtime or found.size != file.size or found.uniq != file.uniq:
        found = _known[slot] = Validators(file)
    return found


def serve(request: Request) -> Result:
    """nginx's ngx_http_static_handler: for GET, HEAD and POST (405) of a URI without trailing slash."""
    method = request.method
    if method != b"GET" and method != b"HEAD" and method != b"POST":
        return 405
    uri = request.uri
    if uri.endswith(b"/"):
        return None
    path = map_uri_to_path(request, uri)
    core = request.location.core
    if core.plain_files:
        opened = open_path(path, READ)
        if type(opened) is int:
            if opened == errno.ENOENT and not core.log_not_found:
                return 404  # an exception would cost as much as the page
            return refuse(request, FileError(opened, "open()", path))
        file: OpenedFile = opened  # type: ignore[assignment]
    else:
        try:
            file = open_file(request, path)
        except FileError as error:
            return refuse(request, error)
    if file.is_dir:
        location = uri_grammar.escape(uri, "uri") + b"/"
        request.response.location = location + b"?" + request.args if request.args else location
        return 301
    if not file.is_file:
        request.log("crit", b'"%s" is not a regular file' % path)
        return 404
    if method == b"POST":
        return 405
    return request.discard_body() or send_file(request, file)


def send_file(request: Request, file: OpenedFile) -> Result:
    """Answer 200 with this file, its type by the URI's extension."""
    response = request.response
    request.action = b" while sending response to client"
    response.status = 200
    size = response.content_length = file.size
    made = validators(file)
    response.last_modified = made.mtime
    response.last_modified_text = made.last_modified
    if request.location.core.etag:
        response.etag = made.etag
        if response.fields:  # of an X-Accel-Redirect: they came first
            response.place(b"ETag", b"etag")
    if response.content_type is None:  # else it is that of an X-Accel-Redirect
        response.content_type = content_type_of(request)
    response.accept_ranges = True
    if not request.send_head():
        if size > SMALL:
            request.send([FileSlice(file.fd, 0, size, file)], last=True)
            return OK
        data = file.content() if size else b""
        if len(data) != size:
            request.log("crit", b"the file became shorter while it was read: %d of %d bytes" % (len(data), size))
            return request.abort()
        request.send([data] if size else [], last=True)
    return OK


def refuse(request: Request, error: FileError) -> int:
    """The status for a file that cannot be had, and nginx's line in the error log."""
    status = error.status
    if status != 404 or request.location.core.log_not_found:
        request.log(error.level, error.message, OSError(error.errno, ""))
    return status


def plan(settings: Any, location: Location) -> Contribution:
    return Contribution(handlers={Phase.CONTENT: serve})


module = HttpModule(name="static", plan=plan)
