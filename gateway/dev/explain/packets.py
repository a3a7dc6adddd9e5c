"""What an upstream would see: requests of the protocols that upstreams speak, taken apart for showing.

HTTP/1 (RFC 9112), uwsgi (uwsgi-docs, Protocol), FastCGI 1.0, SCGI and memcached's text protocol. Each reader answers
None while the request is not whole, else what was asked and what a peer would answer to it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

_BODY: Final = b"<!doctype html><title>explained</title>" + b" " * 1024
# Of a body that only its end tells the end of, so much is waited for; what comes then is not looked at.
_MOST_BODY: Final = 1 << 20
ALL: Final = -1  # the rest of the connection

Fields = Sequence[tuple[str, str]]  # of an answer, besides those that it has anyway


@dataclass(slots=True)
class Packet:
    """A request as it arrived: its line or parameters in their order, and its size in bytes."""

    protocol: str
    size: int
    line: str = ""
    pairs: list[tuple[str, str]] = field(default_factory=list)
    answer: bytes = b""
    note: str = ""
    body: int = 0  # bytes behind it that belong to it, or ALL


def _answer(line: bytes, fields: Fields) -> bytes:
    """What a peer says, with these fields instead of a type of its own."""
    given = [(name, value) for name, value in fields if name.lower() != "content-length"]
    if not any(name.lower() == "content-type" for name, _ in given):
        given.append(("Content-Type", "text/html"))
    text = "".join(f"{name}: {value}\r\n" for name, value in given)
    return line + text.encode("utf-8", "surrogateescape") + b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _declared(pairs: list[tuple[str, str]]) -> int:
    """The length of the body, by the field or the parameter that tells it."""
    for name, value in pairs:
        if name.lower() in ("content-length", "content_length") and value.isascii() and value.isdigit():
            return int(value)
    return 0


def _chunked(rest: bytes) -> int | None:
    """The length of a chunked body with its last chunk, None as long as that has not come."""
    end = 0 if rest.startswith(b"0\r\n\r\n") else rest.find(b"\r\n0\r\n\r\n") + 2
    if end == 1:
        return ALL if len(rest) > _MOST_BODY else None
    return end + 5


def read_http(data: bytes, fields: Fields = ()) -> Packet | None:
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    line, *lines = head.split(b"\r\n")
    pairs = []
    for text in lines:
        name, _, value = text.partition(b":")
        pairs.append((_text(name), _text(value.strip())))
    chunked = any(name.lower() == "transfer-encoding" for name, _ in pairs)
    body = _chunked(rest) if chunked else _declared(pairs)
    if body is None:
        return None
    return Packet("http", len(head) + 4, _text(line), pairs, _answer(b"HTTP/1.1 200 OK\r\n", fields), body=body)


def _uwsgi_pairs(data: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(data):
        words = []
        for _ in range(2):
            (size,) = struct.unpack_from("<H", data, at)
            words.append(_text(data[at + 2 : at + 2 + size]))
            at += 2 + size
        yield words[0], words[1]


def read_uwsgi(data: bytes, fields: Fields = ()) -> Packet | None:
    if len(data) < 4:
        return None
    modifier1, size, modifier2 = struct.unpack_from("<BHB", data)
    if len(data) < 4 + size:
        return None
    pairs = list(_uwsgi_pairs(data[4 : 4 + size]))
    line = f"modifier1 {modifier1}, modifier2 {modifier2}, {size} bytes of parameters"
    answer = _answer(b"HTTP/1.1 200 OK\r\n", fields)
    return Packet("uwsgi", 4 + size, line, pairs, answer, body=_declared(pairs))


_STDIN: Final = 5
_PARAMS: Final = 4


def _fastcgi_pairs(data: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(data):
        sizes = []
        for _ in range(2):
            size = data[at]
            if size & 0x80:
                size = struct.unpack_from(">I", data, at)[0] & 0x7FFFFFFF
                at += 3
            at += 1
            sizes.append(size)
        name, value = data[at : at + sizes[0]], data[at + sizes[0] : at + sum(sizes)]
        at += sum(sizes)
        yield _text(name), _text(value)


def read_fastcgi(data: bytes, fields: Fields = ()) -> Packet | None:
    params = b""
    at = 0
    ended = False
    while at + 8 <= len(data) and not ended:
        _, kind, _, size, padding = struct.unpack_from(">BBHHB", data, at)
        if at + 8 + size + padding > len(data):
            break
        if kind == _PARAMS:
            params += data[at + 8 : at + 8 + size]
        ended = kind == _STDIN and size == 0
        at += 8 + size + padding
    if not ended and len(data) - len(params) < _MOST_BODY:
        return None
    body = _answer(b"Status: 200 OK\r\n", fields)
    answer = struct.pack(">BBHHBB", 1, 6, 1, len(body), 0, 0) + body
    answer += struct.pack(">BBHHBB", 1, 6, 1, 0, 0, 0) + struct.pack(">BBHHBB8x", 1, 3, 1, 8, 0, 0)
    pairs = list(_fastcgi_pairs(params))
    return Packet("fastcgi", at, f"{len(params)} bytes of parameters", pairs, answer, body=0 if ended else ALL)


def read_scgi(data: bytes, fields: Fields = ()) -> Packet | None:
    length, colon, rest = data.partition(b":")
    if not colon or not length.isdigit() or len(rest) <= int(length):
        return None
    words = rest[: int(length)].split(b"\0")[:-1]
    pairs = [(_text(name), _text(value)) for name, value in zip(words[::2], words[1::2], strict=False)]
    size = len(length) + 2 + int(length)
    answer = _answer(b"Status: 200 OK\r\n", fields)
    line = f"{length.decode()} bytes of parameters"
    return Packet("scgi", size, line, pairs, answer, body=_declared(pairs))


def read_memcached(data: bytes, fields: Fields = ()) -> Packet | None:
    line, end, _ = data.partition(b"\r\n")
    if not end:
        return None
    key = line.removeprefix(b"get ")
    answer = b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, len(_BODY), _BODY)
    return Packet("memcached", len(line) + 2, _text(line), [], answer)


class Reader(Protocol):
    def __call__(self, data: bytes, fields: Fields = ...) -> Packet | None: ...


READERS: Final[dict[str, Reader]] = {
    "proxy": read_http,
    "uwsgi": read_uwsgi,
    "fastcgi": read_fastcgi,
    "scgi": read_scgi,
    "memcached": read_memcached,
}
