"""uwsgi: the packet that asks an application server, from params and header fields to bytes.

A packet is modifier1, the size in two bytes (little endian), modifier2, then pairs of strings, each with its length in
two bytes before it. The request's body follows the packet as it is. The answer is that of a CGI program, see cgi.py.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway import PURE
from gateway.protocol.params import Field, Param, Params

if TYPE_CHECKING:
    from gateway._fast.request_head import RequestHead

MAX_SIZE: Final = 0xFFFF  # the size has 16 bits
# A packet with modifier1 100 and nothing in it; uWSGI answers with one, and in it the warning that an application set.
PING: Final = b"\x64\0\0\0"


class BadPacket(ValueError):
    """Bytes that are no uwsgi packet."""


def _pair(name: bytes, value: bytes) -> bytes:
    # A length over 16 bits is cut here; the whole packet is then refused for its size.
    return struct.pack("<H", len(name) & MAX_SIZE) + name + struct.pack("<H", len(value) & MAX_SIZE) + value


class PlainEncoder:
    """Makes the packets of one location; `encode` is one pass over its params and a request's fields."""

    def __init__(
        self,
        params: Sequence[Param],
        *,
        modifier1: int = 0,
        modifier2: int = 0,
        pass_headers: bool = True,
        tail: bytes = b"",
    ) -> None:
        """`tail` is uwsgi_string: bytes put behind the pairs and counted in the size."""
        self.params = Params(params, pass_headers=pass_headers)
        self.modifier1 = modifier1
        self.modifier2 = modifier2
        self.tail = tail

    def encode(self, request: Any, head: RequestHead | list[Field]) -> bytes:
        """The packet of a request; `head` is a RequestHead, or a list of (name, value).

        Errors: OverflowError(size), and what evaluating a param raises.
        """
        parts = [_pair(name, value) for name, value in self.params.pairs(request, head)]
        parts.append(self.tail)
        packet = b"".join(parts)
        if len(packet) > MAX_SIZE:
            raise OverflowError(len(packet))
        return struct.pack("<BHB", self.modifier1, len(packet), self.modifier2) + packet


def decode(data: bytes) -> tuple[int, int, list[Field], bytes]:
    """(modifier1, modifier2, pairs, what follows) of a packet. Errors: BadPacket, also when it is not whole."""
    if len(data) < 4:
        raise BadPacket("no whole packet header")
    modifier1, size, modifier2 = struct.unpack_from("<BHB", data)
    end = 4 + size
    if len(data) < end:
        raise BadPacket(f"packet of {size} bytes ends after {len(data) - 4}")
    texts: list[bytes] = []
    at = 4
    while at < end:
        if at + 2 > end:
            raise BadPacket("a length is cut short")
        (length,) = struct.unpack_from("<H", data, at)
        at += 2
        if at + length > end:
            raise BadPacket("a string runs over the packet's end")
        texts.append(data[at : at + length])
        at += length
    if len(texts) % 2:
        raise BadPacket("a name without a value")
    return modifier1, modifier2, list(zip(texts[::2], texts[1::2], strict=True)), data[end:]


if TYPE_CHECKING or PURE:
    PacketEncoder = PlainEncoder
else:
    from gateway._fast.uwsgi import PacketEncoder

__all__ = [
    "MAX_SIZE",
    "BadPacket",
    "PacketEncoder",
    "PlainEncoder",
    "decode",
]
