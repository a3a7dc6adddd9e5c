"""The PROXY protocol, versions 1 and 2: who the client of a load balancer in front of us really is."""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass, field
from typing import Final

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
V1_MAX: Final = 107  # the longest line of version 1
V2_MAX: Final = 4096  # nginx's NGX_PROXY_PROTOCOL_MAX_HEADER


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
    if words[1] == b"UNKNOWN":
        return ProxyHeader(), end + 2
    if words[1] not in (b"TCP4", b"TCP6") or len(words) != 6:
        raise _broken(data)
    try:
        source = ipaddress.ip_address(words[2].decode("ascii"))
        destination = ipaddress.ip_address(words[3].decode("ascii"))
        ports = [int(word) for word in words[4:]]
    except ValueError:
        raise _broken(data) from None
    if not all(word.isdigit() and 0 <= int(word) < 65536 for word in words[4:]):
        raise _broken(data)
    header = ProxyHeader(str(source).encode(), ports[0], str(destination).encode(), ports[1])
    return header, end + 2


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
