"""QUIC towards aioquic's own client: what a server on a socket does."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@pytest.mark.parametrize("port", ["keepalive_timeout 0;"], indirect=True)
def test_no_connection_is_kept(port: int) -> None:
    client = Http3Client(port, within_s=30)
    try:
        while not client.quic._handshake_confirmed:
            client.step()
        assert client.ask("/")[0] == 200
        while client.closed is None:
            client.step()
        assert client.closed.error_code == 0x100
    finally:
        client.close()


def test_the_name_that_a_client_asks_for(port: int) -> None:
    """$ssl_server_name is what it said, whether or not there is such a server."""
    client = Http3Client(port, name="Nobody.example")
    try:
        assert client.ask("/")[1] == b"h3 HTTP/3.0 Nobody.example TLSv1.3"
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


def test_a_connection_that_nobody_knows_is_told_so(port: int) -> None:
    """As after a worker's end: with the token that the client has had for this id (RFC 9000, 10.3)."""
    client = Http3Client(port)
    try:
        assert client.ask("/")[0] == 200
        known = client.quic._peer_cid
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.connect(("127.0.0.1", port))
            other.settimeout(30)
            for size in (43, 1200):
                packet = b"\x40" + bytes(4) + known.cid[4:] + os.urandom(size - 21)
                other.send(packet)
                answer = other.recv(2000)
                assert answer[0] & 0xC0 == 0x40 and len(answer) < len(packet)
        assert known.stateless_reset_token is not None or known.sequence_number == 0
        assert client.ask("/")[0] == 200
    finally:
        client.close()


SESSION = """ssl_early_data on; add_header X-Session "$ssl_session_reused/$ssl_early_data" always;
    add_header X-Worker $pid always;"""


def session_of(port: int, ticket: Any = None, *, early: bool = False) -> tuple[bytes, Http3Client, int]:
    """What is said of the session, over a connection with this ticket; `early`: asked before the handshake."""
    client = Http3Client(port, ticket=ticket, within_s=30)
    while not early and not client.quic._handshake_confirmed:
        client.step()
    number = client.begin("/")
    while number not in client.whole or not client.tickets:
        assert client.closed is None, client.closed
        client.step()
    head = client.answers[number][0]
    client.close()
    return head.get(b"x-session", b""), client, int(head.get(b"x-worker", b"0"))


@pytest.mark.parametrize("port", [SESSION], indirect=True)
def test_sessions_and_early_data(port: int) -> None:
    said, first, _ = session_of(port)
    assert (said, first.tickets[0].max_early_data_size) == (b"./", 0xFFFFFFFF)
    _, other, _ = session_of(port)
    assert session_of(port, other.tickets[0])[0] == b"r/", "after the handshake"
    workers: dict[int, bytes] = {}
    for _ in range(40):
        said, again, worker = session_of(port, first.tickets[0], early=True)
        workers[worker] = workers.get(worker, b"") + said[2:] + b" "
        assert said[:1] == b"r", "each worker knows the key"
        assert again.quic.tls.early_data_accepted == (said == b"r/1")
    # the same ticket once more is a handshake, and nothing early: one worker does not know what the other one took
    assert all(text.count(b"1") == 1 and text.startswith(b"1 ") for text in workers.values()), workers
    said, _, _ = session_of(port, again.tickets[0], early=True)
    assert said == b"r/1", "a new ticket"


@pytest.mark.parametrize("port", ["add_header X-Session $ssl_session_reused/$ssl_early_data;"], indirect=True)
def test_early_data_is_off(port: int) -> None:
    said, first, _ = session_of(port)
    assert first.tickets[0].max_early_data_size is None
    first.tickets[0].max_early_data_size = 0xFFFFFFFF  # a client that tries all the same
    said, again, _ = session_of(port, first.tickets[0], early=True)
    assert said == b"r/" and not again.quic.tls.early_data_accepted


@pytest.mark.parametrize("port", [SESSION + "ssl_session_tickets off; ssl_session_cache shared:S:1m;"], indirect=True)
def test_early_data_of_sessions_in_a_zone(port: int) -> None:
    _, first, _ = session_of(port)
    assert len(first.tickets[0].ticket) == 32
    assert session_of(port, first.tickets[0], early=True)[0] == b"r/1"
    assert session_of(port, first.tickets[0], early=True)[0] == b"./", "used"


@pytest.mark.parametrize("port", ["ssl_session_tickets off;"], indirect=True)
def test_no_sessions(port: int) -> None:
    client = Http3Client(port)
    assert client.ask("/")[0] == 200
    assert client.ask("/")[0] == 200
    assert not client.tickets
    client.close()


@pytest.mark.parametrize("port", ["quic_retry on;"], indirect=True)
def test_a_token_for_the_next_time(port: int) -> None:
    first = Http3Client(port)
    while not first.tokens:
        first.step()
    again = Http3Client(port, token=first.tokens[0])
    assert again.ask("/")[0] == 200 and again.quic._retry_count == 0
    wrong = Http3Client(port, token=b"x" * 60)
    while wrong.closed is None:
        wrong.step()
    assert (wrong.closed.error_code, wrong.closed.reason_phrase) == (0x0B, "cannot decrypt token")
    for client in (first, again, wrong):
        client.close()


def test_garbage_gets_nothing_and_an_unknown_version_gets_those_we_know(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(0.3)
        for junk in (b"", b"x", b"\xc0" + os.urandom(1198), b"\x40" + os.urandom(30)):
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


def test_a_handshake_when_the_worker_ends(port: int, tmp_path: Path) -> None:
    """It is told by QUIC's own close, as nginx does: there is no HTTP/3 in it whose error it could be."""
    client = Http3Client(port)
    try:
        for data, _ in client.quic.datagrams_to_send(time.monotonic()):
            client.socket.send(data)
        client.socket.settimeout(10)
        client.socket.recv(65536, socket.MSG_PEEK)
        os.kill(int((tmp_path / "nginx.pid").read_text()), signal.SIGQUIT)
        while (closed := client.quic._close_event) is None:
            client.quic.receive_datagram(client.socket.recv(65536), ("127.0.0.1", port), time.monotonic())
        assert (closed.error_code, closed.frame_type, closed.reason_phrase) == (0, 0, "graceful shutdown")
    finally:
        client.close()
