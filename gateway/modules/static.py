"""static: files below `root` or `alias`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway._fast import uri as uri_grammar
from gateway.core.files import FileError
from gateway.core.pieces import FileSlice
from gateway.http.module import OK, Contribution, HttpModule, Phase, Result
from gateway.http.response import http_date
from gateway.modules import file_access, types

if TYPE_CHECKING:
    from gateway._fast.files import OpenedFile
    from gateway.http.locations import Location
    from gateway.http.request import Request


# Up to this size a read and one write with the head cost less than sendfile, whose set-up alone is some microseconds.
SMALL: Final = 16384


class Validators(NamedTuple):
    """What a file's size and time become in a response, once for each opened file."""

    etag: bytes
    last_modified: bytes


def validators(file: OpenedFile) -> Validators:
    """nginx's ETag, "mtime-size" in hexadecimal, and Last-Modified."""
    found: Validators | None = file.prepared
    if found is None:
        found = file.prepared = Validators(b'"%x-%x"' % (file.mtime, file.size), http_date(file.mtime))
    return found


def serve(request: Request) -> Result:
    """nginx's ngx_http_static_handler: for GET, HEAD and POST (405) of a URI without trailing slash."""
    if request.method not in (b"GET", b"HEAD", b"POST"):
        return 405
    uri = request.uri
    if uri.endswith(b"/"):
        return None
    path = request.map_uri_to_path(uri)
    try:
        file = file_access.open_file(request, path)
    except FileError as error:
        return refuse(request, error)
    if file.is_dir:
        location = uri_grammar.escape(uri, "uri") + b"/"
        request.response.location = location + b"?" + request.args if request.args else location
        return 301
    if not file.is_file:
        request.log("crit", b'"%s" is not a regular file' % path)
        return 404
    if request.method == b"POST":
        return 405
    return request.discard_body() or send_file(request, file)


def send_file(request: Request, file: OpenedFile) -> Result:
    """Answer 200 with this file, its type by the URI's extension."""
    response = request.response
    response.status = 200
    size = response.content_length = file.size
    etag, last_modified = validators(file)
    response.last_modified = file.mtime
    response.last_modified_text = last_modified
    if request.location.core.etag:
        response.etag = etag
    if response.content_type is None:  # else it is that of an X-Accel-Redirect
        response.content_type = types.content_type_of(request)
    response.accept_ranges = True
    if not request.send_head():
        if size > SMALL:
            request.send([FileSlice(file.fd, 0, size, file)], last=True)
            return OK
        data = os.pread(file.fd, size, 0) if size else b""
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
