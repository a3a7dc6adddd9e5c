"""A TLS ClientHello (RFC 8446, 4.1.2) that is looked at and passed on: `ssl_preread` of the stream block.

parse() gets all that has come: None while the hello is not whole, else a ClientHello. Errors: ValueError for what is no
ClientHello. Nothing is put together before the last of its records is here, so bytes that come one by one cost little.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
# A record holds 2**14 bytes, and OpenSSL takes a ClientHello of 131,396; nobody sends such.
MOST: Final = 65536

_SERVER_NAME: Final = 0
_ALPN: Final = 16
_SUPPORTED_VERSIONS: Final = 43
_TLS13: Final = 0x0304


@dataclass(slots=True)
class ClientHello:
    version: int = 0  # as on the wire: 0x0303 for TLS 1.2
    server_name: bytes | None = None
    alpn: list[bytes] = field(default_factory=list)


class _Reader:
    """Vectors of TLS's presentation language."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise ValueError("a field is longer than what it stands in")
        part = self.data[self.at : end]
        self.at = end
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """What stands behind a length of `size` bytes."""
        return self.take(self.number(size))

    @property
    def more(self) -> bool:
        return self.at < len(self.data)


def parse(data: bytes) -> ClientHello | None:
    if len(data) >= 5 and data[0] & 0x80 and data[2] == _CLIENT_HELLO and data[3] in (0, 3):
        return ClientHello(version=data[3] << 8 | data[4])  # of SSL 2.0, which says no more
    message = _message(data)
    return None if message is None else _hello(_Reader(message))


def _message(data: bytes) -> bytes | None:
    """The hello's body, put together from its records; None while more is to come."""
    parts: list[bytes] = []
    at, length, wanted = 0, 0, 4
    while len(data) >= at + 5:
        if data[at] != _HANDSHAKE or data[at + 1] != 3:
            raise ValueError("no TLS handshake record")
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        # as in nginx no length is refused here: a record that is too long is waited for, until the buffer is full
        if len(data) < at + 5 + size:
            return None
        part = data[at + 5 : at + 5 + size]
        if part:
            if not parts and part[0] != _CLIENT_HELLO:
                raise ValueError("no ClientHello")
            parts.append(part)
        length += size
        at += 5 + size
        if wanted == 4 and length >= 4:
            wanted += int.from_bytes(b"".join(parts)[1:4], "big")
            if wanted > MOST:
                raise ValueError("too long ClientHello")
        if length >= wanted > 4:
            return b"".join(parts)[4:wanted]
    return None


def _hello(reader: _Reader) -> ClientHello:
    hello = ClientHello(version=reader.number(2))
    reader.take(32)  # random
    reader.vector(1)  # legacy_session_id
    reader.vector(2)  # ciphers
    reader.vector(1)  # legacy_compression_methods
    if not reader.more:
        return hello
    extensions = _Reader(reader.vector(2))
    while extensions.more:
        kind = extensions.number(2)
        if kind == _SUPPORTED_VERSIONS:
            hello.version = _TLS13
        try:
            body = _Reader(extensions.vector(2))
        except ValueError:
            break  # what was understood counts: the hello is passed on as it is
        if kind == _SERVER_NAME and body.more:
            names = _Reader(body.vector(2))
            while names.more:
                name_type = names.number(1)
                name = names.vector(2)
                if name_type == 0 and hello.server_name is None:
                    hello.server_name = name
        elif kind == _ALPN:
            protocols = _Reader(body.vector(2))
            while protocols.more:
                hello.alpn.append(protocols.vector(1))
    return hello
