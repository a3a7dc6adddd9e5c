from __future__ import annotations

import socket
import struct

import pytest

from gateway.protocol.proxy_protocol import SIGNATURE
from tests.engine import read_reply, serving


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


SSL = bytes([1]) + (258).to_bytes(4, "big") + tlv(0x21, b"TLSv1.3") + tlv(0x22, b"cn") + tlv(0xAB, b"own")
ALL = tlv(1, b"h2") + tlv(0x20, SSL) + tlv(0xEA, b"vpce") + tlv(0x30, b"")


@pytest.mark.parametrize(
    ("name", "tlvs", "value", "complaint"),
    [
        ("alpn", ALL, b"h2", ""),
        ("0x01", ALL, b"h2", ""),
        ("0x0000ea", ALL, b"vpce", ""),
        ("0xEA", ALL, b"vpce", ""),
        ("netns", ALL, b"", ""),
        ("authority", ALL, b"", ""),
        ("ssl", ALL, SSL.replace(b"\0", b"."), ""),
        ("ssl_verify", ALL, b"258", ""),
        ("ssl_version", ALL, b"TLSv1.3", ""),
        ("ssl_0x21", ALL, b"TLSv1.3", ""),
        ("ssl_0xab", ALL, b"own", ""),
        ("ssl_cipher", ALL, b"", ""),
        ("ssl_verify", tlv(1, b"x"), b"", ""),
        ("ssl_cn", tlv(0x20, b"abcd"), b"", ""),
        ("ssl_alpn", ALL, b"", 'unknown PROXY protocol TLV "ssl_alpn"'),
        ("version", ALL, b"", 'unknown PROXY protocol TLV "version"'),
        ("0x", ALL, b"", 'invalid PROXY protocol TLV "0x"'),
        ("0x1_1", ALL, b"", 'invalid PROXY protocol TLV "0x1_1"'),
        ("ssl_0xg", ALL, b"", 'invalid PROXY protocol TLV "ssl_0xg"'),
    ],
)
async def test_values(name: str, tlvs: bytes, value: bytes, complaint: str) -> None:
    addresses = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2") + struct.pack("!HH", 1, 2)
    head = SIGNATURE + b"\x21\x11" + struct.pack("!H", len(addresses) + len(tlvs)) + addresses + tlvs
    text = f"""map $proxy_protocol_tlv_{name} $readable {{ default $proxy_protocol_tlv_{name}; }}
        server {{ listen 127.0.0.1:80 proxy_protocol; return 200 "$readable"; }}"""
    async with serving(text) as engine:
        data = await engine.raw(head + b"GET / HTTP/1.0\r\n\r\n")
        assert read_reply(data).body.replace(b"\0", b".") == value
        told = [line for line in engine.log.lines if "PROXY protocol TLV" in line]
        assert bool(told) is bool(complaint) and all(complaint in line for line in told)
