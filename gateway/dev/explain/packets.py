"""What an upstream would see: requests of the protocols that upstreams speak, taken apart for showing.

HTTP/1 (RFC 9112), uwsgi (uwsgi-docs, Protocol), FastCGI 1.0, SCGI and memcached's text protocol. Each reader answers
None while the request is not whole, else what was asked and what a peer would answer to it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

_BODY: Final = b"<!doctype html><title>explained</title>" + b" " * 1024
_FIELDS: Final = b"Content-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(_BODY)


@dataclass(slots=True)
class Packet:
    """A request as it arrived: its line or parameters in their order, and its size in bytes."""

    protocol: str
    size: int
    line: str = ""
    pairs: list[tuple[str, str]] = field(default_factory=list)
    answer: bytes = b""
    note: str = ""


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def read_http(data: bytes) -> Packet | None:
    head, end, _ = data.partition(b"\r\n\r\n")
    if not end:
        return None
    line, *fields = head.split(b"\r\n")
    pairs = []
    for text in fields:
        name, _, value = text.partition(b":")
        pairs.append((_text(name), _text(value.strip())))
    return Packet("http", len(head) + 4, _text(line), pairs, b"HTTP/1.1 200 OK\r\n" + _FIELDS + _BODY)


def _uwsgi_pairs(data: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(data):
        words = []
        for _ in range(2):
            (size,) = struct.unpack_from("<H", data, at)
            words.append(_text(data[at + 2 : at + 2 + size]))
            at += 2 + size
        yield words[0], words[1]


def read_uwsgi(data: bytes) -> Packet | None:
    if len(data) < 4:
        return None
    modifier1, size, modifier2 = struct.unpack_from("<BHB", data)
    if len(data) < 4 + size:
        return None
    pairs = list(_uwsgi_pairs(data[4 : 4 + size]))
    line = f"modifier1 {modifier1}, modifier2 {modifier2}, {size} bytes of parameters"
    return Packet("uwsgi", 4 + size, line, pairs, b"HTTP/1.1 200 OK\r\n" + _FIELDS + _BODY)


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


def read_fastcgi(data: bytes) -> Packet | None:
    params = b""
    at = 0
    ended = False
    while at + 8 <= len(data) and not ended:
        _, kind, _, size, padding = struct.unpack_from(">BBHHB", data, at)
        if at + 8 + size + padding > len(data):
            return None
        if kind == _PARAMS:
            params += data[at + 8 : at + 8 + size]
        ended = kind == _STDIN and size == 0
        at += 8 + size + padding
    if not ended:
        return None
    body = b"Status: 200 OK\r\n" + _FIELDS + _BODY
    answer = struct.pack(">BBHHBB", 1, 6, 1, len(body), 0, 0) + body
    answer += struct.pack(">BBHHBB", 1, 6, 1, 0, 0, 0) + struct.pack(">BBHHBB8x", 1, 3, 1, 8, 0, 0)
    return Packet("fastcgi", at, f"{len(params)} bytes of parameters", list(_fastcgi_pairs(params)), answer)


def read_scgi(data: bytes) -> Packet | None:
    length, colon, rest = data.partition(b":")
    if not colon or not length.isdigit() or len(rest) <= int(length):
        return None
    words = rest[: int(length)].split(b"\0")[:-1]
    pairs = [(_text(name), _text(value)) for name, value in zip(words[::2], words[1::2], strict=False)]
    size = len(length) + 2 + int(length)
    return Packet(
        "scgi", size, f"{length.decode()} bytes of parameters", pairs, b"Status: 200 OK\r\n" + _FIELDS + _BODY
    )


def read_memcached(data: bytes) -> Packet | None:
    line, end, _ = data.partition(b"\r\n")
    if not end:
        return None
    key = line.removeprefix(b"get ")
    answer = b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, len(_BODY), _BODY)
    return Packet("memcached", len(line) + 2, _text(line), [], answer)


READERS: Final[dict[str, Callable[[bytes], Packet | None]]] = {
    "proxy": read_http,
    "uwsgi": read_uwsgi,
    "fastcgi": read_fastcgi,
    "scgi": read_scgi,
    "memcached": read_memcached,
}
