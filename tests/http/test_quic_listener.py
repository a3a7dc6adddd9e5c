"""QUIC towards aioquic's own client: what a server on a socket does."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aioquic")

from tests.certificates import write
from tests.http3_client import Http3Client
from tests.process.running import GATEWAY, Running, free_port


@pytest.fixture
def port(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """A server on this port."""
    number = free_port()
    chain, key = write(tmp_path, "localhost")
    (tmp_path / "big").write_bytes(bytes(300_000))
    names = "\n".join(f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    more = getattr(request, "param", "")
    (tmp_path / "nginx.conf").write_text(f"""
        {"user root;" * (os.geteuid() == 0)}
        worker_processes 2; error_log error.log info; pid nginx.pid; daemon off;
        events {{ }}
        http {{
            {names} access_log off; {more}
            ssl_certificate {chain}; ssl_certificate_key {key};
            server {{
                listen 127.0.0.1:{number} quic; server_name localhost; root {tmp_path};
                location = / {{ return 200 "$http3 $server_protocol $ssl_server_name $ssl_protocol"; }}
                location = /body {{ proxy_pass http://127.0.0.1:{number}; proxy_set_header X-Length $content_length; }}
            }}
            server {{
                listen 127.0.0.1:{number}; location / {{ return 200 "got $http_x_length"; }}
            }}
        }}
    """)
    with Running(tmp_path, GATEWAY) as gateway:
        gateway.start()
        yield number


def test_a_request_over_quic(port: int) -> None:
    client = Http3Client(port)
    try:
        assert client.ask("/") == (200, b"h3 HTTP/3.0 localhost TLSv1.3")
        assert client.ask("/none")[0] == 404
        assert client.ask("/big") == (200, bytes(300_000))
    finally:
        client.close()


def test_a_body_larger_than_the_window(port: int) -> None:
    client = Http3Client(port)
    try:
        assert client.ask("/body", "POST", bytes(500_000)) == (200, b"got 500000")
        assert client.ask("/body", "POST", bytes(2_000_000))[0] == 413
        assert client.ask("/")[0] == 200
    finally:
        client.close()


@pytest.mark.parametrize("port", ["quic_retry on;"], indirect=True)
def test_retry(port: int) -> None:
    client = Http3Client(port)
    try:
        assert client.ask("/")[0] == 200
        assert client.quic._retry_count == 1
    finally:
        client.close()


@pytest.mark.parametrize("port", ["keepalive_requests 2;"], indirect=True)
def test_no_more_than_keepalive_requests(port: int) -> None:
    client = Http3Client(port)
    try:
        assert client.ask("/")[0] == 200
        assert client.ask("/")[0] == 200
        while client.closed is None:
            client.step()
        assert client.closed.error_code == 0x100
    finally:
        client.close()


@pytest.mark.parametrize("port", ["quic_gso on;"], indirect=True)
def test_datagrams_that_the_kernel_cuts(port: int) -> None:
    client = Http3Client(port)
    try:
        for _ in range(3):
            assert client.ask("/big") == (200, bytes(300_000))
        assert client.ask("/") == (200, b"h3 HTTP/3.0 localhost TLSv1.3")
    finally:
        client.close()


def test_garbage_gets_nothing_and_an_unknown_version_gets_those_we_know(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(0.3)
        for junk in (b"", b"x", os.urandom(1200)[:-1], b"\x40" + os.urandom(1199)):
            client.send(junk)
        hello = b"\xc0\x1a\x2a\x3a\x4a\x08" + b"d" * 8 + b"\x08" + b"s" * 8
        client.send(hello)  # too short to be answered
        with pytest.raises(TimeoutError):
            client.recv(2000)
        client.settimeout(5)
        client.send(hello + bytes(1200))
        answer = client.recv(2000)
        assert answer[0] & 0x80 and answer[1:5] == bytes(4)
        assert b"\x00\x00\x00\x01" in answer[5:] and len(answer) < 1200
    after = Http3Client(port)
    assert after.ask("/")[0] == 200
    after.close()
