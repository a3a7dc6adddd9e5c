from __future__ import annotations

import pytest

from gateway.upstream.peers.hashing import ConsistentChoice, HashChoice, IpHashChoice, Ring
from gateway.upstream.peers.peers import Choice, Group, Outcome
from tests.upstream.recorded import KEYS, group, pick, replay


@pytest.mark.parametrize("case", ["hash", "hash-failing"])
def test_hash_picks_are_those_of_nginx(case: str) -> None:
    recorded, ours = replay(case, lambda peers, key, client: HashChoice(peers, key))
    assert ours == recorded


@pytest.mark.parametrize("case", ["consistent", "consistent-failing", "consistent-down"])
def test_consistent_picks_are_those_of_nginx(case: str) -> None:
    rings: dict[int, Ring] = {}

    def start(peers: Group, key: bytes, client: bytes) -> Choice:
        ring = rings.setdefault(id(peers), Ring(peers))
        return ConsistentChoice(peers, key, ring)

    recorded, ours = replay(case, start)
    assert ours == recorded


@pytest.mark.parametrize("case", ["ip_hash", "ip_hash-failing", "ip_hash-v6"])
def test_ip_hash_picks_are_those_of_nginx(case: str) -> None:
    recorded, ours = replay(case, lambda peers, key, client: IpHashChoice(peers, client))
    assert ours == recorded


def test_client_on_a_unix_socket_has_a_place_too() -> None:
    peers = group("1", "2", "3")
    assert {pick(IpHashChoice(peers, b"")) for _ in range(5)} == {pick(IpHashChoice(peers, b"\0\0\0\0"))}


def test_empty_key_is_round_robin() -> None:
    peers = group("1", "2", "3")
    assert [pick(HashChoice(peers, b"")) for _ in range(3)] == [b"1", b"2", b"3"]
    peers = group("1", "2", "3")
    ring = Ring(peers)
    assert [pick(ConsistentChoice(peers, b"", ring)) for _ in range(3)] == [b"1", b"2", b"3"]


def test_a_lost_peer_moves_only_its_own_keys() -> None:
    peers = group("1", "2", "3", "4")
    ring = Ring(peers)
    before = {key: pick(ConsistentChoice(peers, key.encode(), ring)) for key in KEYS}
    peers.peers[1].down = 1
    after = {key: pick(ConsistentChoice(peers, key.encode(), ring)) for key in KEYS}
    assert {before[key] for key in KEYS if before[key] != after[key]} == {b"2"}


def test_all_tried_ends() -> None:
    peers = group("1", "2")
    choice = HashChoice(peers, b"key")
    for _ in range(2):
        assert choice.get(1000) is not None
        choice.free(Outcome.FAILED, 1000)
    assert choice.get(1000) is None


@pytest.mark.parametrize(
    ("name", "hashed"),
    [(b"unix:/a:80", 0), (b"host:80", 1), (b"[::1]:80", 1), (b"host", 0), (b"a.b:", 0)],
)
def test_server_names_on_the_ring(name: bytes, hashed: int) -> None:
    from gateway.upstream.peers.hashing import _host_and_port

    host, _, port = _host_and_port(name).partition(b"\0")
    assert (port == b"80") == bool(hashed)
    assert host
