"""What an upstream of HTTP/2 would see (grpc_pass, proxy_http_version 2): the fields of its one stream (RFC 9113)."""

from __future__ import annotations

from typing import Final

from gateway._fast.hpack import Decoder
from gateway.dev.explain.packets import Fields, Packet
from gateway.protocol import http2_frames as wire

_HEAD: Final = 9
_DATA, _HEADERS, _CONTINUATION = 0, 1, 9
_END_STREAM, _END_HEADERS, _PADDED, _PRIORITY = 1, 4, 8, 32
_MOST: Final = 1 << 20
# :status 200 from the static table, then a literal field whose name is number 31 of it, content-type.
_OK: Final = b"\x88"
_TYPE: Final = b"\x0f\x10"
_GRPC_STATUS: Final = b"\x00\x0bgrpc-status\x010"


def is_http2(data: bytes) -> bool:
    """Whether a connection begins as one of HTTP/2, as far as it has come."""
    return bool(data) and (data.startswith(wire.PREFACE) or wire.PREFACE.startswith(data))


def read_http2(data: bytes, extra: Fields = ()) -> Packet | None:
    """The request, once its head is whole; None before. `size` is what its head takes on the wire."""
    at = len(wire.PREFACE)
    block = b""
    stream = size = 0
    ended = False
    while at + _HEAD <= len(data):
        length = int.from_bytes(data[at : at + 3], "big")
        kind, flags = data[at + 3], data[at + 4]
        number = int.from_bytes(data[at + 5 : at + 9], "big") & 0x7FFFFFFF
        payload = data[at + _HEAD : at + _HEAD + length]
        if len(payload) < length:
            break
        at += _HEAD + length
        if kind in (_HEADERS, _CONTINUATION):
            stream, size = number, size + _HEAD + length
            block += fragment(kind, flags, payload)
            ended = bool(flags & _END_HEADERS)
    if not ended:
        return None
    fields = [(_text(name), _text(value)) for name, value in Decoder(_MOST, _MOST, 4096).decode(block)]
    shown = dict(fields)
    line = f"{shown.get(':method', '')} {shown.get(':path', '')} HTTP/2"
    grpc = shown.get("content-type", "").startswith("application/grpc")
    return Packet("grpc" if grpc else "http2", size, line, fields, _answer(stream, extra, grpc=grpc))


def fragment(kind: int, flags: int, payload: bytes) -> bytes:
    """What a frame has of a block of fields."""
    if kind == _CONTINUATION:
        return payload
    if flags & _PADDED:
        payload = payload[1 : len(payload) - payload[0]]
    return payload[5:] if flags & _PRIORITY else payload


def _answer(stream: int, extra: Fields, *, grpc: bool) -> bytes:
    """200 with an empty body; of gRPC with the status that says that all is well."""
    kind = b"application/grpc" if grpc else b"text/html"
    own = [(name.lower(), value) for name, value in extra if name.lower() != "content-length"]
    head = _OK + b"".join(b"\0" + _string(name) + _string(value) for name, value in own)
    if all(name != "content-type" for name, _ in own):
        head += _TYPE + bytes((len(kind),)) + kind
    frames = _frame(4, 0, 0, b"") + _frame(4, 1, 0, b"")  # our SETTINGS, and that theirs were seen
    if not grpc:
        return frames + _frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, head)
    return (
        frames
        + _frame(_HEADERS, _END_HEADERS, stream, head)
        + _frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, _GRPC_STATUS)
    )


def _string(text: str) -> bytes:
    """A string as it stands, behind its length (RFC 7541, 5.1)."""
    data = text.encode("utf-8", "surrogateescape")
    left = len(data)
    if left < 127:
        return bytes((left,)) + data
    length = b"\x7f"
    left -= 127
    while left > 127:
        length += bytes((left & 127 | 128,))
        left >>= 7
    return length + bytes((left,)) + data


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
