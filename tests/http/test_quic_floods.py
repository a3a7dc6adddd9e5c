"""What a running server makes of clients of QUIC that mean no good: counted, not timed."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from urllib.request import urlopen

import pytest

pytest.importorskip("aioquic")
import pylsqpack

from tests import quic_attacker
from tests.certificates import write
from tests.http3_client import Http3Client
from tests.process.running import GATEWAY, Running, free_port
from tests.quic_attacker import Attacker, initial, long_header, reset, stop, stream

FIELDS = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"/")]
_BLOCK = pylsqpack.Encoder().encode(0, FIELDS)[1]
HEAD = b"\x01" + bytes((len(_BLOCK),)) + _BLOCK
CONTROL, ENCODER = b"\x00\x04\x00", b"\x02"  # with no settings
# 200 connections a worker: an eighth of them may be of clients that are anywhere
MAY = 25


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One worker; HTTP/1 has the same port."""
    folder = tmp_path_factory.mktemp("floods")
    number = free_port()
    chain, key = write(folder, "localhost")
    names = "\n".join(f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"""
        {"user root;" * (os.geteuid() == 0)}
        worker_processes 1; error_log error.log info; pid nginx.pid; daemon off;
        events {{ worker_connections 200; }}
        http {{
            {names} access_log off; client_header_timeout 2s;
            ssl_certificate {chain}; ssl_certificate_key {key};
            server {{ listen 127.0.0.1:{number} quic; location / {{ return 200 answer; }} }}
            server {{ listen 127.0.0.1:{number}; location / {{ stub_status; }} }}
        }}
    """)
    with Running(folder, GATEWAY) as gateway:
        gateway.start()
        yield number
        log = (folder / "error.log").read_text()
    assert not re.search(r"Traceback|internal error|\[alert\]", log), log[-3000:]


@contextlib.contextmanager
def udp(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(30)
        yield client


def active(port: int) -> int:
    """Connections that are counted, without the one that asks; it is answered after what was sent before it."""
    with urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
        found = re.search(rb"Active connections: (\d+)", answer.read())
    assert found is not None
    return int(found[1]) - 1


def still_serves(port: int) -> None:
    client = Http3Client(port, within_s=30)
    assert client.ask("/") == (200, b"answer")
    client.close()
    until(lambda: active(port) == 0)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_noise_begins_nothing(port: int) -> None:
    with udp(port) as client:
        for size in range(1, 1300, 13):
            client.send(os.urandom(size))
        for kind in range(4):
            for _ in range(30):
                client.send(long_header(1, kind))
                client.send(long_header(1, kind, id_size=20))
        for _ in range(50):
            client.send(b"\x40" + os.urandom(1199))
            client.send(b"\x40" + os.getpid().to_bytes(4, "big") + os.urandom(1100))
        assert active(port) == 0
        client.setblocking(False)
        # versions, of what happened to look like another one, and resets of what looks like a lost connection's
        with contextlib.suppress(BlockingIOError):
            while True:
                assert len(client.recv(2000)) <= 60
    still_serves(port)


def test_versions_are_told_in_less_than_was_asked(port: int) -> None:
    with udp(port) as client:
        for _ in range(50):
            client.send(long_header(0x1A2A3A4A))
            assert len(client.recv(2000)) < 100
        client.send(long_header(0))  # which tells of versions itself
        client.send(long_header(0x1A2A3A4A, id_size=20)[:1199])
        client.send(long_header(0x1A2A3A4A))
        client.recv(2000)
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(2000)
    assert active(port) == 0
    still_serves(port)


def test_those_that_may_be_anywhere_take_an_eighth_and_the_others_are_asked_to_prove_it(port: int) -> None:
    begun = retried = 0
    with contextlib.ExitStack() as stack:
        for _ in range(2 * MAY):
            client = stack.enter_context(udp(port))
            client.send(initial())
            answer = client.recv(2000)
            if answer[0] & 0xF0 == 0xF0:
                retried += 1
                assert len(answer) < 200
            else:
                begun += 1
        assert (begun, retried) == (MAY, MAY)
        assert active(port) == MAY
        honest = Http3Client(port, within_s=30)
        assert honest.ask("/") == (200, b"answer")
        assert honest.quic._retry_count == 1
        honest.close()
    until(lambda: active(port) == 0)  # client_header_timeout
    still_serves(port)


def test_streams_that_begin_in_another_order_are_all_answered(port: int) -> None:
    client = Attacker(port)
    streams = [client.open() for _ in range(3)]
    assert streams == [0, 4, 8]
    for at in (8, 0, 4):
        client.frames(stream(at, HEAD, last=True))
    while not {0, 4, 8} <= client.seen:
        client.step()
    client.close()
    still_serves(port)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (stop(3), 0x104),
        (stream(2, CONTROL) + reset(2, 3), 0x104),
        (stream(2, CONTROL, last=True), 0x104),
        (b"".join(stream(2 + 4 * each, b"\x21", last=True) for each in range(3)) + stream(2 + 4 * 3, b"\x21"), 4),
        (stream(0, b"\x0d\x01\x00"), 0x105),
        (stream(2, ENCODER + b"\x3f\xe1\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), 0x201),
        (stream(2, ENCODER + b"\xff" * 40), 0x201),
        (stream(0, b"\x01\x03\x02\x00\x80", last=True), None),  # waits for the table
        (stream(4 * 2000, b"x"), 4),
        (quic_attacker.crypto(b"x", 1 << 20), 0x0D),
        (b"".join(stream(0, b"x", 2 + 2 * each) for each in range(150)), None),
    ],
    ids=lambda value: "",
)
def test_frames_that_no_client_sends(port: int, frames: bytes, code: int | None) -> None:
    client = Attacker(port)
    client.frames(frames)
    if code is not None:
        assert client.until_closed() == code
    client.close()
    still_serves(port)


def test_streams_of_one_direction_without_end(port: int) -> None:
    client = Attacker(port)
    sent = 0
    while client.closed is None:
        # what it opens is closed at once, and makes room for another one
        at = client.open(uni=True)
        if at is not None:
            client.quic.send_stream_data(at, b"\x21", True)
            sent += 1
        client.step()
    assert client.closed.error_code == 0x107 and sent <= 140
    client.close()
    still_serves(port)


@pytest.mark.parametrize("head", [b"", b"\x01", HEAD], ids=["none", "begun", "whole"])
def test_requests_that_are_reset_without_end(port: int, head: bytes) -> None:
    client = Attacker(port)
    count = 0
    while client.closed is None:
        for _ in range(16):
            at = client.open()
            if at is not None:
                client.quic.send_stream_data(at, head)
                client.quic.reset_stream(at, 0x10C)
                count += 1
        client.step()
    assert client.closed.error_code in (0x100, 0x107) and 999 <= count <= 2001
    client.close()
    still_serves(port)


def test_what_is_reset_is_given_up_in_the_table_too(port: int) -> None:
    """QPACK's Stream Cancellation (RFC 9204, 4.4.2): unopened, or in a head; not of one that is whole."""
    client = Attacker(port)
    for begin, last in ((b"", False), (b"\x01", False), (HEAD, True)):
        at = client.open()
        assert at is not None
        if begin:
            client.frames(stream(at, begin, last=last))
        client.frames(reset(at, len(begin)))
    while 8 not in client.ended or len(client.got.get(7, b"")) < 3:
        assert client.closed is None, client.closed
        client.step()
    client.ping()
    assert sorted(client.got[7]) == [3, 0x40, 0x44]  # the kind of the stream, and streams 0 and 4
    client.close()
    still_serves(port)


def test_heads_that_wait_for_the_table_and_are_reset(port: int) -> None:
    client = Attacker(port)
    for _ in range(40):
        at = client.open()
        assert at is not None
        client.frames(stream(at, b"\x01\x03\x02\x00\x80"))
        client.frames(reset(at, 5))
    at = client.open()
    assert at is not None
    client.quic.send_stream_data(at, HEAD, True)
    while at not in client.seen:
        client.step()
    client.close()
    still_serves(port)
