"""A TLS ClientHello (RFC 8446, 4.1.2), read before the handshake begins: what chooses the server and its certificate.

parse() gets all that has come: None while the hello is not whole, else a ClientHello. Errors: ValueError for what is no
ClientHello; whoever does the handshake will find that too, and say it in its own words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
# A record holds 2**14 bytes, and OpenSSL takes a ClientHello of 131,396; nobody sends such.
MOST: Final = 65536

_SERVER_NAME: Final = 0
_GROUPS: Final = 10
_ALPN: Final = 16


@dataclass(slots=True)
class ClientHello:
    server_name: bytes | None = None
    alpn: list[bytes] = field(default_factory=list)
    ciphers: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)


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
    message = _message(data)
    return None if message is None else _hello(_Reader(message))


def _message(data: bytes) -> bytes | None:
    """The hello's body, put together from its records; None while more is to come."""
    message = b""
    at = 0
    while len(data) >= at + 5:
        if data[at] != _HANDSHAKE or data[at + 1] != 3:
            raise ValueError("no TLS handshake record")
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        if not 0 < size <= 16384:
            raise ValueError("no such record length")
        message += data[at + 5 : at + 5 + size]
        at += 5 + size
        if message and message[0] != _CLIENT_HELLO:
            raise ValueError("no ClientHello")
        if len(message) >= 4:
            length = int.from_bytes(message[1:4], "big")
            if length > MOST:
                raise ValueError("too long ClientHello")
            if len(message) >= 4 + length:
                return message[4 : 4 + length]
    return None


def _hello(reader: _Reader) -> ClientHello:
    hello = ClientHello()
    reader.take(2 + 32)  # legacy_version, random
    reader.vector(1)  # legacy_session_id
    hello.ciphers = _numbers(reader.vector(2))
    reader.vector(1)  # legacy_compression_methods
    if not reader.more:
        return hello
    extensions = _Reader(reader.vector(2))
    while extensions.more:
        kind = extensions.number(2)
        body = _Reader(extensions.vector(2))
        if kind == _SERVER_NAME and body.more:
            names = _Reader(body.vector(2))
            while names.more:
                name_type = names.number(1)
                name = names.vector(2)
                if name_type == 0 and hello.server_name is None:
                    hello.server_name = name
        elif kind == _GROUPS:
            hello.groups = _numbers(body.vector(2))
        elif kind == _ALPN:
            protocols = _Reader(body.vector(2))
            while protocols.more:
                hello.alpn.append(protocols.vector(1))
    return hello


def _numbers(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2)]
