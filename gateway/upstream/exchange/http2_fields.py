"""The block of fields of a request to an upstream that speaks HTTP/2; _fast/http2_answer reads those of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import HeadError
from gateway._fast.http2_writer import FieldWriter
from gateway.http.module import Count

if TYPE_CHECKING:
    from gateway._fast.request_head import RequestHead

Fields = list[tuple[bytes, bytes]]

# Where the name stands in HPACK's static table.
_CONTENT_LENGTH: Final = 28

_OUT: Final = FieldWriter()


def request_block(
    method: bytes,
    secure: bool,
    target: bytes,
    authority: bytes,
    fields: list[Any],  # (name, value) of each
    head: RequestHead | None = None,
    hidden: frozenset[Any] = frozenset(),
    length: Count = -1,
    trailers: bool = False,
) -> bytes:
    """The fields of a request: `fields`, then those of the client's `head` but for the `hidden` ones.

    `length`: of the body, -1 for none. `trailers`: they are wanted.
    """
    out = _OUT
    out.begin()
    if method == b"GET":
        out.indexed(2)
    elif method == b"POST":
        out.indexed(3)
    else:
        out.known(2, method)
    out.indexed(7 if secure else 6)
    if target == b"/":
        out.indexed(4)
    else:
        out.known(4, target)
    out.known(1, authority)
    for name, value in fields:
        out.field(name, value)
    if length >= 0:
        out.known_number(_CONTENT_LENGTH, length)
    if trailers:
        out.field(b"te", b"trailers")
    if head is not None:
        out.fields_of(head, hidden)
    return out.end()


def refused(message: str) -> HeadError:
    return HeadError(502, message, level="error")
