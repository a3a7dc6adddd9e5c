"""What flv and mp4 have in common: a file whose beginning a client asks to be left out, with `?start=`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.files import FileError
from gateway.http.module import OK, Result
from gateway.modules.http.file_access import open_file
from gateway.modules.http.static import refuse, validators
from gateway.modules.http.types import content_type_of

if TYPE_CHECKING:
    from gateway._fast.files import OpenedFile
    from gateway.core.pieces import Piece
    from gateway.http.request import Request


def find(request: Request) -> OpenedFile | Result:
    """The file that the URI names; else a status, or None where it is no file's."""
    if request.method not in (b"GET", b"HEAD"):
        return 405
    if request.uri.endswith(b"/"):
        return None
    wrong = request.discard_body()
    if wrong:
        return wrong
    try:
        file = open_file(request, request.map_uri_to_path(request.uri))
    except FileError as error:
        return refuse(request, error)
    return file if file.is_file else None


def answer(request: Request, file: OpenedFile, pieces: list[Piece], size: int) -> Result:
    """Answer 200 with these parts of the file."""
    response = request.response
    response.status = 200
    response.content_length = size
    made = validators(file)
    response.last_modified = made.mtime
    response.last_modified_text = made.last_modified
    if request.location.core.etag:
        # of the length that is sent, as nginx has it: parts of one file must not be taken for each other
        response.etag = b'"%x-%x"' % (made.mtime, size)
        if response.fields:
            response.place(b"ETag", b"etag")
    if response.content_type is None:
        response.content_type = content_type_of(request)
    response.accept_ranges = True
    if not request.send_head():
        request.send(pieces, last=True)
    return OK
