"""What an upstream of HTTP/2 would see."""

from __future__ import annotations

from pathlib import Path

import hpack
import pytest

from gateway.dev.explain.packets_h2 import is_http2, read_http2
from gateway.protocol import http2_frames as wire
from tests.dev.explain.told import one, told


def _frame(kind: int, flags: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + (1).to_bytes(4, "big") + payload


def _request(flags: int, before: bytes = b"", after: bytes = b"") -> bytes:
    block = hpack.Encoder().encode([(":method", "GET"), (":path", "/x"), ("te", "trailers")])
    half = len(block) // 2
    head = before + block[:half] + after
    return wire.PREFACE + _frame(1, flags, head) + _frame(9, 4, block[half:])


@pytest.mark.parametrize(
    ("flags", "before", "after"),
    [(0, b"", b""), (8, b"\2", b"\0\0"), (32, bytes(5), b""), (40, b"\1" + bytes(5), b"\0")],
)
def test_a_head_in_two_frames(flags: int, before: bytes, after: bytes) -> None:
    data = _request(flags, before, after)
    packet = read_http2(data)
    assert packet is not None
    assert packet.line == "GET /x HTTP/2"
    assert packet.pairs == [(":method", "GET"), (":path", "/x"), ("te", "trailers")]
    assert packet.size == len(data) - len(wire.PREFACE)
    assert all(read_http2(data[:length]) is None for length in range(len(data)))


def test_what_is_http2() -> None:
    assert is_http2(wire.PREFACE[:5]) and is_http2(wire.PREFACE + b"x")
    assert not is_http2(b"") and not is_http2(b"GET / HTTP/1.1")


def test_grpc_pass(tmp_path: Path) -> None:
    """What arrives has its pseudo-fields, te, and what grpc_set_header adds; the answer is one of gRPC."""
    conf = "server { listen 8080; http2 on; location / { grpc_pass grpc://127.0.0.1:9; grpc_set_header X-A $uri; } }"
    fields = ("Content-Type: application/grpc", "Content-Length: 0")
    findings = told(tmp_path, conf, "http://a.example:8080/pkg.Service/Call", *fields, method="POST")
    packet = one(findings, "upstream")
    shown = dict(packet.data["parameters"])
    assert (packet.data["protocol"], packet.data["line"]) == ("grpc", "POST /pkg.Service/Call HTTP/2")
    assert (shown[":scheme"], shown[":authority"], shown["x-a"]) == ("http", "127.0.0.1:9", "/pkg.Service/Call")
    assert shown["content-type"] == "application/grpc"
    assert one(findings, "answer").data["status"] == 200


def test_proxy_http_version_2(tmp_path: Path) -> None:
    conf = "server { listen 8080; location / { proxy_http_version 2; proxy_pass http://127.0.0.1:9; } }"
    findings = told(tmp_path, conf, "http://a.example:8080/x?y=1", "Cookie: a=b")
    packet = one(findings, "upstream")
    assert (packet.data["protocol"], packet.data["line"]) == ("http2", "GET /x?y=1 HTTP/2")
    assert ("cookie", "a=b") in packet.data["parameters"]
    assert one(findings, "answer").data["status"] == 200
