"""What arrives at an upstream: nothing leaves, nothing is kept."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

from gateway.dev.explain.witness import Incoming
from tests.dev.explain.told import one, texts, told


@pytest.mark.parametrize(
    ("directive", "line"),
    [
        ("proxy_pass http://192.0.2.1:8000/base/;", "GET /base/x?y=1 HTTP/1.1"),
        ("proxy_pass https://192.0.2.1/;", "GET /x?y=1 HTTP/1.1"),
        ("uwsgi_pass 192.0.2.1:3031; uwsgi_param A b;", "modifier1 0, modifier2 0"),
        ("fastcgi_pass 192.0.2.1:9000; fastcgi_param A b;", "bytes of parameters"),
        ("scgi_pass 192.0.2.1:9000; scgi_param A b;", "bytes of parameters"),
        ("set $memcached_key k$uri; memcached_pass 192.0.2.1:11211;", "get k/a/x"),
    ],
)
def test_each_protocol(tmp_path: Path, directive: str, line: str) -> None:
    found = told(tmp_path, f"server {{ listen 8080; location /a/ {{ {directive} }} }}", "/a/x?y=1")
    arrived = one(found, "upstream")
    assert line in arrived.data["line"]
    assert one(found, "answer").data["status"] == 200
    if "param" in directive:
        assert ("A", "b") in arrived.data["parameters"]


def test_nothing_is_sent(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        found = told(tmp_path, f"server {{ listen 8080; location / {{ proxy_pass http://127.0.0.1:{port}; }} }}", "/")
        assert one(found, "peers").data["peers"] == [f"127.0.0.1:{port}"]
        with pytest.raises(TimeoutError):
            server.accept()


def test_nothing_is_kept(tmp_path: Path) -> None:
    http = f"""
    proxy_cache_path {tmp_path}/cache keys_zone=c:1m;
    access_log {tmp_path}/access.log;
    server {{
        listen 8080;
        location /cached {{ proxy_cache c; proxy_cache_valid any 1h; proxy_pass http://192.0.2.1; }}
        location /stored {{ proxy_store {tmp_path}/store; proxy_pass http://192.0.2.1; }}
    }}
    """
    assert texts(told(tmp_path, http, "/cached"), "cache") == [
        "zone c: what it holds is not looked at here, it is taken for empty"
    ]
    told(tmp_path, http, "/stored")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nginx.conf"]


def test_a_subrequest_is_told_as_one(tmp_path: Path) -> None:
    http = """
    server {
        listen 8080;
        location / { auth_request /auth; proxy_pass http://192.0.2.1:1; }
        location = /auth { proxy_pass http://192.0.2.1:2/check; }
    }
    """
    found = told(tmp_path, http, "/x")
    assert [finding.data["line"] for finding in found.of("upstream")] == ["GET /check HTTP/1.1", "GET /x HTTP/1.1"]
    assert [finding.subrequest for finding in found.of("content")] == ["/auth", ""]


_BODY = b"GET /none HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("declared", [b"Content-Length: %d" % len(_BODY), b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_body_is_no_request(declared: bytes, size: int) -> None:
    body = _BODY if declared.startswith(b"Content") else b"%x\r\n%b\r\n0\r\n\r\n" % (len(_BODY), _BODY)
    first = b"POST /a HTTP/1.1\r\n" + declared + b"\r\n\r\n" + body
    incoming = Incoming({"proxy"})
    lines = []
    for data in (first, b"GET /b HTTP/1.1\r\n\r\n"):
        for at in range(0, len(data), size):
            packet = incoming.feed(data[at : at + size])
            if packet is not None:
                lines.append(packet.line)
    assert lines == ["POST /a HTTP/1.1", "GET /b HTTP/1.1"]


def test_what_is_no_head() -> None:
    incoming = Incoming({"proxy"})
    assert incoming.feed(bytes(3 << 20)) is None
    assert not incoming.too_much
    assert incoming.feed(bytes(3 << 20)) is None
    assert incoming.too_much


def _of(protocol: str) -> bytes:
    words = b"CONTENT_LENGTH\0000\0SCGI\0001\0"
    return {
        "proxy": b"GET /a HTTP/1.1\r\n\r\n",
        "memcached": b"get k\r\n",
        "scgi": b"%d:%b," % (len(words), words),
        "uwsgi": struct.pack("<BHB", 5, 40, 0) + _pair(b"A", b"v" * 35),
        "fastcgi": struct.pack(">BBHHBB8x", 1, 1, 1, 8, 0, 0)
        + struct.pack(">BBHHBB", 1, 4, 1, 0, 0, 0)
        + struct.pack(">BBHHBB", 1, 5, 1, 0, 0, 0),
    }[protocol]


def _pair(name: bytes, value: bytes) -> bytes:
    return struct.pack("<H", len(name)) + name + struct.pack("<H", len(value)) + value


@pytest.mark.parametrize("protocol", ["proxy", "memcached", "scgi", "uwsgi", "fastcgi"])
@pytest.mark.parametrize("size", [1, 1000])
def test_which_of_several_protocols_it_is(protocol: str, size: int) -> None:
    incoming = Incoming({"proxy", "memcached", "scgi", "uwsgi", "fastcgi", "grpc"})
    data = _of(protocol)
    packets = [incoming.feed(data[at : at + size]) for at in range(0, len(data), size)]
    assert incoming.protocol == protocol
    assert [packet is not None for packet in packets] == [False] * (len(packets) - 1) + [True]


def test_copies_by_other_protocols(tmp_path: Path) -> None:
    http = """
    server {
        listen 8080;
        location / { mirror /one; mirror /two; mirror /three; proxy_pass http://192.0.2.1; }
        location /one { internal; uwsgi_param A b; uwsgi_pass 192.0.2.1:1; }
        location /two { internal; fastcgi_param C d; fastcgi_pass 192.0.2.1:2; }
        location /three { internal; scgi_param E f; scgi_pass 192.0.2.1:3; }
    }
    """
    found = told(tmp_path, http, "/x")
    seen = {each.data["protocol"]: each.data["parameters"] for each in found.of("upstream")}
    assert sorted(seen) == ["fastcgi", "http", "scgi", "uwsgi"]
    assert ("A", "b") in seen["uwsgi"]
    assert ("C", "d") in seen["fastcgi"]
    assert ("E", "f") in seen["scgi"]


@pytest.mark.parametrize("protocol", ["uwsgi", "scgi"])
def test_a_body_whose_length_no_parameter_tells(protocol: str) -> None:
    """It is no other request."""
    incoming = Incoming({protocol})
    head = b"\0\x06\0\0\x01\0A\x01\0b" if protocol == "uwsgi" else b"4:A\0b\0,"
    assert incoming.feed(head) is not None
    for _ in range(3):
        assert incoming.feed(b"0" * 20_000) is None
