"""A server's connection of QUIC without a socket, and with a clock of the test: what it sends, and what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("aioquic")
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from gateway.http.quic_connection import Begin, ServerConnection
from gateway.http.quic_sessions import Seen
from gateway.http.quic_siblings import CID_SIZE
from gateway.http.quic_tls import Http3Settings, load_pair
from gateway.http.quic_tokens import Tokens
from tests import quic_attacker
from tests.certificates import write

CLIENT = b"\x02\x00" + bytes(14)


class Pair:
    """A client of aioquic and a server; `now` is the time."""

    def __init__(self, folder: Path, *, finish: bool = True) -> None:
        chain, key = (Path(name).read_bytes() for name in write(folder, "localhost"))
        settings = Http3Settings(pairs=[load_pair(chain, key, [])], tokens=Tokens(b""))
        server: Any = SimpleNamespace(http3=settings)
        servers: Any = SimpleNamespace(default=server, find=lambda name, default: server)
        pair = settings.pairs[0]
        listener: Any = SimpleNamespace(
            configuration=QuicConfiguration(
                is_client=False,
                alpn_protocols=["h3"],
                connection_id_length=CID_SIZE,
                max_data=65536 * 131,
                max_stream_data=65536,
                certificate=pair.chain[0],
                private_key=pair.key,
                certificate_chain=pair.chain[1:] * 8,
            ),
            settings=settings,
            seen=Seen(),
            local_of=lambda source: (b"127.0.0.1", 443),
            listening=SimpleNamespace(servers_for=lambda connection: servers),
        )
        self.now = 0.0
        self.client: Any = QuicConnection(configuration=quic_attacker.SETTINGS)
        self.client.connect(quic_attacker.ADDRESS, now=0.0)
        self.first = self.client.datagrams_to_send(0.0)
        self.server: Any = ServerConnection(listener, CLIENT, None, Begin(self.client._peer_cid.cid))
        if finish:
            self.feed(self.first)
            self.exchange()
            assert self.server._handshake_confirmed

    def feed(self, datagrams: list[Any], peer: bytes = CLIENT) -> None:
        for data, _ in datagrams:
            self.server.receive_datagram(data, peer, self.now)

    def exchange(self, rounds: int = 6) -> None:
        for _ in range(rounds):
            self.now += 0.01
            for data, _ in self.server.datagrams_to_send(self.now):
                self.client.receive_datagram(data, quic_attacker.ADDRESS, self.now)
            self.feed(self.client.datagrams_to_send(self.now))

    def attack(self, frames: bytes, peer: bytes = CLIENT) -> list[tuple[bytes, bytes]]:
        """A packet from there; what is sent for it."""
        self.now += 0.01
        self.server.receive_datagram(quic_attacker.packet(self.client, frames), peer, self.now)
        sent: list[tuple[bytes, bytes]] = self.server.datagrams_to_send(self.now)
        return sent

    def drive(self, seconds: float, sent: Callable[[bytes, bytes], object]) -> None:
        """Its timers, with nobody who answers."""
        end = self.now + seconds
        while (at := self.server.get_timer()) is not None and at < end:
            self.now = max(at, self.now + 1e-6)
            self.server.handle_timer(self.now)
            for data, peer in self.server.datagrams_to_send(self.now):
                sent(data, peer)


def test_three_times_at_the_most_towards_who_may_be_anywhere(tmp_path: Path) -> None:
    pair = Pair(tmp_path, finish=False)
    received = 0
    sent: list[int] = []
    for _ in range(3):  # the same once more: a spoofed client can do that
        pair.feed(pair.first)
        received += sum(len(data) for data, _ in pair.first)
        for data, peer in pair.server.datagrams_to_send(pair.now):
            assert peer == CLIENT
            sent.append(len(data))
        assert 0 < sum(sent) <= 3 * received
    pair.drive(120, lambda data, peer: sent.append(len(data)))
    assert sum(sent) <= 3 * received


def test_three_times_at_the_most_towards_where_a_client_says_it_is_now(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.exchange()
    pair.server.send_stream_data(3, bytes(200_000))
    received: dict[bytes, int] = {}
    sent: dict[bytes, int] = {}

    def count(data: bytes, peer: bytes) -> None:
        sent[peer] = sent.get(peer, 0) + len(data)

    for turn in range(200):
        peer = b"\x02\x00" + (1000 + turn % 50).to_bytes(2, "big") + bytes(12)
        frames = b"".join(b"\x1a" + bytes((turn, each)) * 4 for each in range(100)) if turn % 2 else b"\x01"
        for data, address in pair.attack(frames, peer):
            count(data, address)
        received[peer] = received.get(peer, 0) + 27 + max(len(frames), 4) + 16
        assert len(pair.server._network_paths) <= 8
    pair.drive(30, count)
    assert all(size <= 3 * received[peer] for peer, size in sent.items() if peer != CLIENT)
    assert any(peer != CLIENT for peer in sent), "it answers"


def test_challenges_are_not_all_answered(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    sent = 0
    for turn in range(100):
        sent += sum(len(data) for data, _ in pair.attack((b"\x1a" + turn.to_bytes(8, "big")) * 120))
    assert sent <= 100 * (120 * 9), "no more than came"
    assert len(pair.server._network_paths[0].remote_challenges) <= 32


def test_a_client_hello_that_never_ends(tmp_path: Path) -> None:
    pair = Pair(tmp_path, finish=False)
    hello = quic_attacker.SlowHello(1000)
    kept = 0
    while not pair.server._close_pending:
        pair.feed([(hello.next(), None)])
        kept = max(kept, len(pair.server.tls._receive_buffer))
    assert pair.server._close_event.error_code == 0x0D
    assert 65000 <= kept <= 65536 and hello.count == 66


def test_a_piece_far_ahead_takes_no_room(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.attack(b"".join(quic_attacker.stream(4 * each, b"x", 65535) for each in range(100)))
    assert not pair.server._close_pending
    for stream in list(pair.server._streams.values()):
        assert len(stream.receiver._buffer) == 0
    pair.attack(quic_attacker.crypto(b"x", 65536))
    assert pair.server._close_event.error_code == 0x0D


def test_each_stream_begins_once_in_any_order(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    pair.attack(quic_attacker.stream(8, b"x", last=True))
    pair.attack(quic_attacker.stream(0, b"x"))
    found = []
    while (event := pair.server.next_event()) is not None:
        if isinstance(event, events.StreamDataReceived) and event.stream_id & 3 == 0:
            found.append(event.stream_id)
    assert found == [8, 0]
    assert [pair.server.begins(at) for at in (8, 0, 8, 0, 4, 12)] == [True, True, False, False, True, False]


def test_what_is_remembered_of_streams_goes_with_them(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    for at in range(0, 800, 4):
        pair.client.send_stream_data(at, b"x")
        pair.client.reset_stream(at, 0x10C)
        pair.exchange(1)
        assert pair.server.begins(at)
        pair.server.reset(at, 0x10C)
        pair.exchange(2)
    assert pair.server._close_event is None
    assert len(pair.server._streams) < 8 and len(pair.server._begun) <= 32
