"""What a client of QUIC, or somebody who only sends packets, can take from a server and from the others it serves."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

import pylsqpack

from tests import quic_attacker as quic
from tests.certificates import write
from tests.http3_client import Http3Client
from tests.quic_attacker import Attacker
from tests.reliability.clients import Probe, beside
from tests.reliability.figures import Cases, Figure, between
from tests.reliability.server import Server, serving

cases = Cases("QUIC")

_MIB = 1 << 20
FIELDS = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"/small")]
_BLOCK = pylsqpack.Encoder().encode(0, FIELDS)[1]
HEAD = b"\x01" + bytes((len(_BLOCK),)) + _BLOCK
CONF = """
    client_header_timeout 1s; ssl_certificate @HOME@/tls/chain.pem; ssl_certificate_key @HOME@/tls/key.pem; @MORE@
    server {
        listen 127.0.0.1:@0@; listen 127.0.0.1:@0@ quic; root @HOME@;
        location = /small { return 200 small; }
        location = /status { stub_status; }
        location = /early { access_log @HOME@/early.log; return 200 early; }
    }
"""


def site(name: str, folder: Path, more: str = "") -> AbstractContextManager[Server]:
    tls = folder / name / "tls"
    tls.mkdir(parents=True, exist_ok=True)
    chain, key = write(tls, "localhost")
    text = CONF.replace("@HOME@/tls/chain.pem", str(chain)).replace("@HOME@/tls/key.pem", str(key))
    return serving(name, folder, text.replace("@MORE@", more))


def udp(port: int) -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    return client


def drops(port: int) -> int:
    """Datagrams that found no room in the server's sockets."""
    found = 0
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].partition(":")[2], 16) == port and words[2] == "00000000:0000":
            found += int(words[12])
    return found


class Beside:
    """What an attack costs: CPU for each, memory, and what others feel."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.memory = server.memory()
        self.cpu = server.cpu_s()
        self.began = time.monotonic()

    def figures(self, probe: Probe, what: str, count: float, most_us: float, most_mib: float = 32) -> Iterator[Figure]:
        cpu_us = (self.server.cpu_s() - self.cpu) / max(count, 1) * 1e6
        took = time.monotonic() - self.began
        yield Figure(what, count / took, "/s", least=20)
        yield Figure(f"CPU for each of the {what}, others' included", cpu_us, "µs", most=most_us)
        yield Figure("growth", max(0, self.server.memory() - self.memory) / _MIB, "MiB", most=most_mib)
        yield Figure("others' p99", probe.p99_ms, "ms", most=500)
        yield Figure("others' answers", len(probe.waits) / took, "/s", least=5)
        yield Figure("others' failures", sum(probe.failed.values()), most=0)


def _flood(packets: Callable[[], list[bytes]], most_us: float, more: str = "", most_ratio: float = 1) -> object:
    """Packets of a sender who is nobody; what comes back is counted."""

    def run(name: str, folder: Path, much: float) -> Iterator[Figure]:
        ready = packets()
        with site(name, folder, more) as server, contextlib.closing(udp(server.port)) as client:
            lost = drops(server.port)
            sent = out = back = 0
            with beside(server.port) as probe:
                costs = Beside(server)
                end = time.monotonic() + between(much, 1, 5)
                while time.monotonic() < end:
                    for packet in random.sample(ready, min(32, len(ready))):
                        with contextlib.suppress(OSError):
                            out += client.send(packet)
                            sent += 1
                    with contextlib.suppress(OSError):
                        while True:
                            back += len(client.recv(2048))
                yield from costs.figures(probe, "packets", sent - (drops(server.port) - lost), most_us)
            yield Figure("bytes sent back for each byte", back / out, most=most_ratio)
            yield Figure("connections left", server.active() - 1, most=0)

    return run


def _noise() -> list[bytes]:
    sizes = random.Random(1)
    return [os.urandom(sizes.choice((20, 60, 300, 1200, 1400))) for _ in range(2000)]


def _spoofed(name: bytes = b"") -> list[bytes]:
    """Of connections of processes that there may be: this one's, its neighbours'."""
    near = range(max(os.getpid() - 20, 1), os.getpid() + 60)
    return [b"\x40" + process.to_bytes(4, "big") + os.urandom(1100) for process in near for _ in range(20)]


for _title, _packets, _most_us, _ratio in (
    ("noise", _noise, 300, 0.2),
    ("packets that would begin a connection if they were no noise", lambda: _many(quic.long_header, 1), 1000, 0.2),
    ("versions that there are not", lambda: _many(quic.long_header, 0x1A2A3A4A), 300, 0.2),
    ("packets of other connections", _spoofed, 300, 0.2),
):
    _run = _flood(_packets, _most_us, most_ratio=_ratio)
    _run.__name__ = _title  # type: ignore[attr-defined]
    cases(_run)  # type: ignore[arg-type]


def _many(make: Callable[[int], bytes], version: int) -> list[bytes]:
    return [make(version) for _ in range(2000)]


@cache
def _initials(count: int) -> list[bytes]:
    return [quic.initial() for _ in range(count)]


def _handshakes(more: str, most_us: float, most_ratio: float, most_mib: float) -> object:
    def run(name: str, folder: Path, much: float) -> Iterator[Figure]:
        packets = _initials(int(between(much, 300, 1500)))
        with site(name, folder, more) as server, contextlib.closing(udp(server.port)) as client:
            out = back = 0
            with beside(server.port) as probe:
                costs = Beside(server)
                for number, packet in enumerate(packets):
                    out += client.send(packet)
                    if number % 8 == 7:
                        time.sleep(0.004)
                    with contextlib.suppress(BlockingIOError):
                        while True:
                            back += len(client.recv(2048))
                yield from costs.figures(probe, "handshakes", len(packets), most_us, most_mib)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                while True:
                    back += len(client.recv(2048))
            yield Figure("bytes sent back for each byte", back / out, most=most_ratio)
            server.settle(60)
            yield Figure("open after client_header_timeout", server.active() - 1, most=0)

    return run


for _title, _more, _most_us, _ratio, _most_mib in (
    ("handshakes that are not gone on with", "", 8000, 3, 96),
    ("handshakes that have to prove their address", "quic_retry on;", 2000, 0.5, 16),
):
    _run = _handshakes(_more, _most_us, _ratio, _most_mib)
    _run.__name__ = _title  # type: ignore[attr-defined]
    cases(_run)  # type: ignore[arg-type]


def _open(
    what: str, most_us: float, attack: Callable[[Attacker, float], int], more: str = "", most_mib: float = 32
) -> Callable[[str, Path, float], Iterator[Figure]]:
    """What clients do on connections of their own, one after the other; attack() says how often."""

    def run(name: str, folder: Path, much: float) -> Iterator[Figure]:
        with site(name, folder, more) as server, beside(server.port) as probe:
            costs = Beside(server)
            count = 0
            end = time.monotonic() + between(much, 1, 5)
            while time.monotonic() < end:
                client = Attacker(server.port)
                count += attack(client, end)
                client.close()
            yield from costs.figures(probe, what, count, most_us, most_mib)
            yield Figure("an answer beside", server.get("/small")[0], least=200, most=200)

    return run


def _resets(client: Attacker, end: float) -> int:
    count = 0
    while client.closed is None and time.monotonic() < end:
        for _ in range(32):
            at = client.open()
            if at is not None:
                client.quic.send_stream_data(at, HEAD)
                client.quic.reset_stream(at, 0x10C)
                count += 1
        client.step()
    return count


def _one_way(client: Attacker, end: float) -> int:
    count = 0
    while client.closed is None and time.monotonic() < end:
        at = client.open(uni=True)
        if at is not None:
            client.quic.send_stream_data(at, b"\x21", True)
            count += 1
        client.step()
    return count


def _paced(client: Attacker, frames: Callable[[int], bytes], end: float, most: int = 1 << 30) -> int:
    """Packets with these frames, with looks at what comes back."""
    count = 0
    while client.closed is None and time.monotonic() < end and count < most:
        client.frames(frames(count))
        count += 1
        if count % 8 == 0:
            client.ping()
    return count


def _challenges(client: Attacker, end: float) -> int:
    return _paced(client, lambda count: (b"\x1a" + os.urandom(8)) * 120, end)


def _moving(client: Attacker, end: float) -> int:
    """Each packet from another port."""
    count = 0
    sockets = [udp(client.socket.getpeername()[1]) for _ in range(64)]
    while client.closed is None and time.monotonic() < end:
        packet = quic.packet(client.quic, (b"\x1a" + os.urandom(8)) * 100 + b"\x01")
        with contextlib.suppress(OSError):
            sockets[count % len(sockets)].send(packet)
        count += 1
        if count % 8 == 0:
            client.ping()
    for each in sockets:
        each.close()
    return count


def _small_pieces(client: Attacker, end: float) -> int:
    """One byte of a stream, and never the one before it."""
    return _paced(client, lambda count: b"".join(quic.stream(0, b"x", 2 + 2 * each) for each in range(100)), end, 50)


def _far_ahead(client: Attacker, end: float) -> int:
    return _paced(client, lambda count: b"".join(quic.stream(4 * each, b"x", 65535) for each in range(100)), end, 1)


def _table(client: Attacker, end: float) -> int:
    """Entries into QPACK's table, each of which drives the others out."""
    at = client.open(uni=True)
    assert at is not None
    insert = b"\x43abc\x7f\x81\x1e" + bytes(4000)
    client.quic.send_stream_data(at, b"\x02\x3f\xe1\x1f" + insert)
    sent = 1
    sender = client.quic._streams[at].sender
    while client.closed is None and time.monotonic() < end and not sender.reset_pending:
        if sender.buffer_is_empty and sender._reset_error_code is None:
            client.quic.send_stream_data(at, insert * 8)
            sent += 8
        client.step()
    return sent


def _references(client: Attacker, end: float) -> int:
    """Requests each of which refers 250 times to an entry of 3.5 KiB."""
    at = client.open(uni=True)
    assert at is not None
    value = bytes(3500)
    client.quic.send_stream_data(at, b"\x02\x3f\xe1\x1f" + b"\x43abc" + b"\x7f" + _seven(len(value) - 127) + value)
    block = b"\x02\x00" + b"\x80" * 250
    count = 0
    while client.closed is None and time.monotonic() < end:
        number = client.open()
        if number is not None:
            client.quic.send_stream_data(number, b"\x01" + quic.number(len(block)) + block, True)
            count += 1
        client.step()
    return count


def _seven(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def _waiting_heads(client: Attacker, end: float) -> int:
    """Heads that refer to what never comes, until there are too many of them."""
    count = 0
    while client.closed is None and time.monotonic() < end:
        at = client.open()
        if at is not None:
            client.quic.send_stream_data(at, b"\x01\x03\x02\x00\x80")
            count += 1
        client.step()
    return count


for _title, _what, _most_us, _attack in (
    ("requests that are reset", "requests", 5000, _resets),
    ("streams of one direction", "streams", 8000, _one_way),
    ("challenges of a path", "packets", 5000, _challenges),
    ("a client that moves with each packet", "packets", 8000, _moving),
    ("a stream in small pieces", "packets", 20_000, _small_pieces),
    ("streams of which only the end comes", "packets", 30_000, _far_ahead),
    ("entries of QPACK without end", "entries", 8000, _table),
    ("references to a large entry of QPACK", "requests", 30_000, _references),
    ("heads that wait for QPACK", "requests", 8000, _waiting_heads),
):
    _run = _open(_what, _most_us, _attack)
    _run.__name__ = _title
    cases(_run)


@cases
def a_ClientHello_that_never_ends(name: str, folder: Path, much: float) -> Iterator[Figure]:
    """Of many clients, a byte at a time."""
    count = int(between(much, 30, 60))
    with site(name, folder) as server, contextlib.ExitStack() as stack:
        began = [quic.SlowHello() for _ in range(count)]
        sockets = [stack.enter_context(contextlib.closing(udp(server.port))) for _ in began]
        sent = 0
        with beside(server.port) as probe:
            costs = Beside(server)
            for _ in range(40):
                for client, each in zip(began, sockets, strict=True):
                    with contextlib.suppress(OSError):
                        each.send(client.next())
                        sent += 1
                time.sleep(0.02)
            yield from costs.figures(probe, "packets", sent, 5000)
        server.settle(60)
        yield Figure("open after client_header_timeout", server.active() - 1, most=0)


@cases
def early_data_that_is_sent_again(name: str, folder: Path, much: float) -> Iterator[Figure]:
    """The first datagrams of a client that comes back, recorded, once each connection that they begin is over."""
    with site(name, folder, "ssl_early_data on;") as server:
        first = Http3Client(server.port, within_s=60)
        while not first.tickets:
            first.step()
        first.close()
        again = Http3Client(server.port, within_s=60, ticket=first.tickets[0])
        again.begin("/early")
        flight = [data for data, _ in again.quic.datagrams_to_send(time.monotonic())]
        count = int(between(much, 3, 5))
        for _ in range(count):
            with contextlib.closing(udp(server.port)) as client:
                for data in flight:
                    client.send(data)
                time.sleep(0.2)
                server.settle(60)  # client_header_timeout
        again.socket.close()
        log = server.folder / "early.log"
        served = len(log.read_text().splitlines()) if log.exists() else 0
        yield Figure("times that it was sent", count, least=3)
        yield Figure("times that it was served", served, most=1)
        yield Figure("an answer beside", server.get("/small")[0], least=200, most=200)
