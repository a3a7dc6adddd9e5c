"""HTTP/0.9 over QUIC, towards aioquic's connection."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import ClassVar

import pytest

pytest.importorskip("aioquic")

from tests.certificates import write
from tests.process.running import GATEWAY, Running, free_port
from tests.quic_attacker import Attacker


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("hq")
    number = free_port()
    chain, key = write(folder, "localhost")
    (folder / "big").write_bytes(bytes(300_000))
    names = "\n".join(f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"""
        {"user root;" * (os.geteuid() == 0)}
        error_log error.log info; pid nginx.pid; daemon off;
        events {{ }}
        http {{
            {names} log_format a "$http3 $server_protocol $request $status $bytes_sent $body_bytes_sent";
            ssl_certificate {chain}; ssl_certificate_key {key};
            server {{
                listen 127.0.0.1:{number} quic; server_name localhost; root {folder}; http3_hq on;
                access_log access.log a; keepalive_requests 50;
                location = / {{ return 200 "$http3 $server_protocol $request_method $args"; }}
                location = /slow {{ limit_rate 400k; alias {folder}/big; }}
                location = /proxied {{ proxy_pass http://127.0.0.1:{number}/answer; }}
            }}
            server {{ listen 127.0.0.1:{number}; location / {{ return 200 answer; }} }}
        }}
    """)
    with Running(folder, GATEWAY) as gateway:
        gateway.start()
        yield number
        log = (folder / "access.log").read_text().splitlines()
        assert "hq - GET /?a=1 200 11 11" in log
    text = (folder / "error.log").read_text()
    assert "Traceback" not in text and "[alert]" not in text


class Hq(Attacker):
    """A client that speaks it, or says so."""

    alpn: ClassVar = ["hq-interop"]

    def ask(self, data: bytes, *parts: bytes, end: bool = True) -> bytes:  # type: ignore[override]
        at = self.open()
        assert at is not None
        self.quic.send_stream_data(at, data, end and not parts)
        for number, part in enumerate(parts, 1):
            self.step()
            self.quic.send_stream_data(at, part, end and number == len(parts))
        while at not in self.ended:
            assert self.closed is None, self.closed
            self.step()
        return bytes(self.got.pop(at, b""))


@pytest.fixture
def client(port: int) -> Iterator[Hq]:
    made = Hq(port)
    yield made
    made.close()


def test_a_line_and_a_body(client: Hq) -> None:
    assert client.ask(b"GET /?a=1\r\n") == b"hq  GET a=1"
    assert client.ask(b"GET /?b", b"=2", b"\r", b"\nand what is of no interest") == b"hq  GET b=2"
    assert client.ask(b"GET /big\r\n") == bytes(300_000)
    assert client.ask(b"GET /slow\r\n") == bytes(300_000)
    assert client.ask(b"GET /proxied\r\n") == b"answer"
    assert b"404 Not Found" in client.ask(b"GET /none\r\n")
    assert client.ask(b"GET /\r\n", end=False) == b"hq  GET "


def test_what_is_no_request(client: Hq) -> None:
    assert b"400 Bad Request" in client.ask(b"POST /\r\n")
    assert b"400 Bad Request" in client.ask(b"\x00\x01\r\n")
    assert b"414 Request-URI Too Large" in client.ask(b"GET /" + b"x" * 40_000 + b"\r\n")
    assert client.ask(b"GET /\r\n") == b"hq  GET "


def test_a_later_version_is_answered_with_its_head(client: Hq) -> None:
    answer = client.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and b"\r\nConnection: close\r\n" in answer
    assert b"chunked" not in client.ask(b"GET /proxied HTTP/1.1\r\nHost: localhost\r\n\r\n")


def test_there_are_no_streams_of_one_direction(client: Hq) -> None:
    at = client.open(uni=True)
    assert at is not None
    client.quic.send_stream_data(at, b"\x00")
    assert client.until_closed() == 0x103
