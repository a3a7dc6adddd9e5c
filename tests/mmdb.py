"""Databases of MaxMind's format, as small as a test needs them."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Mapping
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"


class _Short(int):
    """Of 16 bits, as the reader wants some."""


class _Long(int):
    """Of 64 bits."""


def _encode(value: Any) -> bytes:
    if isinstance(value, str):
        data = value.encode()
        return _control(2, len(data)) + data
    if isinstance(value, float):
        return _control(3, 8) + struct.pack(">d", value)
    if isinstance(value, _Short):
        return _control(5, 2) + struct.pack(">H", value)
    if isinstance(value, _Long):
        return bytes([8, 9 - 7]) + struct.pack(">Q", value)
    if isinstance(value, int):
        return _control(6, 4) + struct.pack(">I", value)
    if isinstance(value, dict):
        return _control(7, len(value)) + b"".join(_encode(key) + _encode(item) for key, item in value.items())
    return bytes([len(value), 11 - 7]) + b"".join(map(_encode, value))


def _control(kind: int, size: int) -> bytes:
    return bytes([kind << 5 | size]) if size < 29 else bytes([kind << 5 | 29, size - 29])


def database(networks: Mapping[str, Any]) -> bytes:
    """A database of IPv4 networks and their records."""
    nodes: list[list[int | None]] = [[None, None]]
    data = b""
    for text, record in networks.items():
        network = ipaddress.IPv4Network(text)
        bits = f"{int(network.network_address):032b}"[: network.prefixlen]
        node = 0
        for bit in map(int, bits[:-1]):
            found = nodes[node][bit]
            if found is None:
                nodes.append([None, None])
                found = nodes[node][bit] = len(nodes) - 1
            node = found
        nodes[node][int(bits[-1])] = -1 - len(data)  # until it is known how many nodes there are
        data += _encode(record)
    count = len(nodes)
    tree = b"".join(_record(side, count) for node in nodes for side in node)
    metadata = {
        "node_count": count,
        "record_size": _Short(24),
        "ip_version": _Short(4),
        "database_type": "test",
        "languages": ["en"],
        "binary_format_major_version": _Short(2),
        "binary_format_minor_version": _Short(0),
        "build_epoch": _Long(1),
        "description": {"en": "test"},
    }
    return tree + bytes(16) + data + _MARKER + _encode(metadata)


def _record(side: int | None, count: int) -> bytes:
    value = count if side is None else side if side >= 0 else count + 16 - (side + 1)
    return value.to_bytes(3, "big")
