"""The PROXY protocol, versions 1 and 2: who the client of a load balancer in front of us really is."""

from __future__ import annotations

import functools
import ipaddress
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
V1_MAX: Final = 107  # the longest line of version 1
V2_MAX: Final = 4096  # nginx's NGX_PROXY_PROTOCOL_MAX_HEADER
_ADDRESS: Final = frozenset(b"0123456789abcdefABCDEF:.")


@dataclass(slots=True)
class ProxyHeader:
    """What a header told; empty addresses for UNKNOWN and LOCAL."""

    source: bytes = b""
    source_port: int = 0
    destination: bytes = b""
    destination_port: int = 0
    tlvs: dict[int, bytes] = field(default_factory=dict)


def parse(data: bytes) -> tuple[ProxyHeader, int] | None:
    """(header, bytes used); None if more bytes are needed. Errors: ValueError with nginx's words."""
    if data[: len(SIGNATURE)] == SIGNATURE[: len(data)] and data[:1] == b"\r":
        return _parse_v2(data)
    return _parse_v1(data)


def _broken(data: bytes) -> ValueError:
    shown = data[:V1_MAX].replace(b"\r", b"\n").partition(b"\n")[0]
    return ValueError(f'broken header: "{shown.decode("latin-1")}"')


def _parse_v1(data: bytes) -> tuple[ProxyHeader, int] | None:
    if not data.startswith(b"PROXY "[: len(data)]):
        raise _broken(data)
    family = data[6:]
    if family and not any(word.startswith(family[: len(word)]) for word in (b"UNKNOWN", b"TCP4 ", b"TCP6 ")):
        raise _broken(data)
    end = data.find(b"\r\n", 0, V1_MAX)
    if end < 0:
        if len(data) >= V1_MAX:
            raise _broken(data)
        return None
    words = data[:end].split(b" ")
    if words[1].startswith(b"UNKNOWN"):
        return ProxyHeader(), end + 2
    if words[1] not in (b"TCP4", b"TCP6") or len(words) != 6:
        raise _broken(data)
    source, destination, *ports = words[2:]
    # As nginx: an address is kept as it was written, and need be none; who wants a number of it, reads it.
    if not _ADDRESS.issuperset(source + destination) or not all(map(bytes.isdigit, ports)):
        raise _broken(data)
    source_port, destination_port = map(int, ports)
    if max(source_port, destination_port) > 65535:
        raise _broken(data)
    return ProxyHeader(source, source_port, destination, destination_port), end + 2


def _parse_v2(data: bytes) -> tuple[ProxyHeader, int] | None:
    if len(data) < 16:
        return None
    version, family = data[12] >> 4, data[13]
    command = data[12] & 15
    if version != 2:
        raise ValueError(f"unknown PROXY protocol version: {version}")
    (length,) = struct.unpack("!H", data[14:16])
    end = 16 + length
    if end > V2_MAX:
        raise ValueError("header is too large")
    if len(data) < end:
        return None
    header = ProxyHeader()
    if command != 1:  # LOCAL: the balancer itself, a health check; others nobody has defined
        return header, end
    transport = family & 15
    if transport != 1:
        return header, end
    if family >> 4 == 1:
        size, kind = 12, socket.AF_INET
    elif family >> 4 == 2:
        size, kind = 36, socket.AF_INET6
    else:
        return header, end
    if length < size:
        raise ValueError("truncated PROXY protocol header")
    each = (size - 4) // 2
    header.source = socket.inet_ntop(kind, data[16 : 16 + each]).encode()
    header.destination = socket.inet_ntop(kind, data[16 + each : 16 + 2 * each]).encode()
    header.source_port, header.destination_port = struct.unpack("!HH", data[16 + 2 * each : 16 + size])
    header.tlvs = parse_tlvs(data[16 + size : end])
    return header, end


def parse_tlvs(data: bytes) -> dict[int, bytes]:
    """Type-length-value triples; the first of a type counts. A truncated one ends the list."""
    tlvs: dict[int, bytes] = {}
    at = 0
    while at + 3 <= len(data):
        kind, length = struct.unpack("!BH", data[at : at + 3])
        at += 3
        if at + length > len(data):
            break
        tlvs.setdefault(kind, data[at : at + length])
        at += length
    return tlvs


def write(source: bytes, source_port: int, destination: bytes, destination_port: int) -> bytes:
    """A header of version 1; what does not come over IP is UNKNOWN."""
    if source.startswith(b"unix:"):
        return b"PROXY UNKNOWN\r\n"
    family = b"TCP6" if b":" in source else b"TCP4"
    return b"PROXY %b %b %b %d %d\r\n" % (family, source, destination, source_port, destination_port)


# Types of TLVs, and those inside of the one about TLS.
ALPN, AUTHORITY, CRC32C, SSL = 0x01, 0x02, 0x03, 0x20
SSL_VERSION, SSL_CN, SSL_CIPHER = 0x21, 0x22, 0x23


def write_v2(
    source: bytes,
    source_port: int,
    destination: bytes,
    destination_port: int,
    *,
    datagram: bool = False,
    tlvs: Iterable[tuple[int, bytes]] = (),
) -> bytes:
    """A header of version 2, with its checksum; what does not come over IP is LOCAL."""
    packed = [_packed(text) for text in (source, destination)]
    if not all(packed):
        command, family, addresses = 0x20, 0, b""
    else:
        if {len(each) for each in packed} != {4}:
            packed = [each if len(each) == 16 else _MAPPED + each for each in packed]
        if all(each.startswith(_MAPPED) and len(each) == 16 for each in packed):
            packed = [each[12:] for each in packed]
        command = 0x21
        family = (0x10 if len(packed[0]) == 4 else 0x20) | (2 if datagram else 1)
        addresses = b"".join(packed) + struct.pack("!HH", source_port, destination_port)
    body = addresses + b"".join(tlv(kind, value) for kind, value in tlvs)
    head = SIGNATURE + struct.pack("!BBH", command, family, len(body) + 7) + body + struct.pack("!BH", CRC32C, 4)
    return head + struct.pack("!I", crc32c(head + bytes(4)))


def tlv(kind: int, value: bytes) -> bytes:
    """One value with its type and length."""
    return struct.pack("!BH", kind, len(value)) + value


_MAPPED: Final = bytes(10) + b"\xff\xff"


def _packed(text: bytes) -> bytes:
    """Of an address of IP; empty for what is none."""
    try:
        return ipaddress.ip_address(text.decode("ascii")).packed
    except ValueError:
        return b""


@functools.cache
def _table() -> tuple[int, ...]:
    made = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        made.append(value)
    return tuple(made)


def crc32c(data: bytes) -> int:
    """Castagnoli's checksum (RFC 3720, B.4)."""
    table = _table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
