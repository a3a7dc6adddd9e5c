"""Blocks of fields towards an upstream that speaks HTTP/2: a request's is written, an answer's checked and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import HeadError
from gateway._fast.http2_writer import FieldWriter

if TYPE_CHECKING:
    from gateway._fast.hpack import Decoder
    from gateway._fast.request_head import RequestHead

Fields = list[tuple[bytes, bytes]]

_EARLY_HINTS: Final = 103

_OUT: Final = FieldWriter()


def request_block(
    method: bytes,
    secure: bool,
    target: bytes,
    authority: bytes,
    fields: list[Any],  # (name, value) of each
    head: RequestHead | None = None,
    hidden: frozenset[Any] = frozenset(),
) -> bytes:
    """The fields of a request: `fields`, then those of the client's `head` but for the `hidden` ones."""
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
    if head is not None:
        out.fields_of(head, hidden)
    return out.end()


def head_text(decoder: Decoder, over: bool) -> bytes:
    """The head of the fields that were read, as HTTP/1 has it; `over`: no body follows. Errors: HeadError."""
    parts: list[bytes] = []
    status = 0
    sized = False
    for name, value in decoder.fields():
        if name[:1] == b":":
            if name != b":status":
                raise refused(f'upstream sent invalid header "{_text(name)}: {_text(value)}"')
            if status:
                raise refused("upstream sent duplicate :status header")
            if len(value) != 3 or not value.isdigit():
                raise refused(f'upstream sent invalid :status "{_text(value)}"')
            status = int(value)
            if status < 200 and status != _EARLY_HINTS:
                raise refused(f'upstream sent unexpected :status "{_text(value)}"')
            parts += (b"HTTP/1.1 ", value, b"\r\n")
            continue
        if not status:
            break
        check_field(name, value)
        if name == b"content-length":
            sized = True
        parts += (name, b": ", value, b"\r\n")
    if not status:
        raise refused("upstream sent no :status header")
    if over:
        if status == _EARLY_HINTS:
            raise refused("upstream prematurely closed stream")
        if not sized:
            parts.append(b"content-length: 0\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)


def trailers_of(decoder: Decoder) -> Fields:
    """Errors: HeadError."""
    fields: Fields = decoder.fields()
    for name, value in fields:
        if name[:1] == b":":
            raise refused(f'upstream sent invalid trailer "{_text(name)}: {_text(value)}"')
        check_field(name, value)
    return fields


def check_field(name: bytes, value: bytes) -> None:
    """What nginx calls an invalid header. Errors: HeadError."""
    good = len(name) > 0
    for byte in name:
        if byte <= 0x20 or byte == 0x7F or byte == 0x3A or 0x41 <= byte <= 0x5A:
            good = False
    for byte in value:
        if byte == 0 or byte == 0x0A or byte == 0x0D:
            good = False
    if not good:
        raise refused(f'upstream sent invalid header: "{_text(name)}: {_text(value)}"')


def refused(message: str) -> HeadError:
    return HeadError(502, message, level="error")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
