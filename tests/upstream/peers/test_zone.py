from __future__ import annotations

import os
import subprocess

import pytest

from gateway.core.zones import Zone, ZoneError
from gateway.upstream.health.checks import HealthCheck
from gateway.upstream.peers.address import Address, inet_address, unix_address
from gateway.upstream.peers.peers import DOWN, GONE, TEMPLATE, UNHEALTHY, Choice, Outcome, Peer, UpstreamServer
from gateway.upstream.peers.upstreams import Upstream
from gateway.upstream.peers.zone import PeersZone, SharedPeers
from tests.upstream.recorded import pick, server


def upstream(name: bytes, *servers: UpstreamServer) -> Upstream:
    made = Upstream(name, explicit=True)
    made.servers = list(servers)
    made.finish()
    return made


def mapped(*upstreams: Upstream, old: PeersZone | None = None, size: int = 65536) -> PeersZone:
    peers = PeersZone("z")
    peers.upstreams += upstreams
    zone = Zone("z", size, "upstream", reuse=False)
    zone.user = peers
    zone.map(None if old is None else old.zone)
    return peers


def another_worker(zone: PeersZone, index: int = 0) -> SharedPeers:
    """The same memory through objects of its own."""
    original = zone.upstreams[index]
    twin = Upstream(original.name)
    assert original.shared is not None
    shared = SharedPeers(zone, twin, index, original.shared._head)
    shared.sync()
    return shared


def shared_of(made: Upstream) -> SharedPeers:
    assert made.shared is not None
    return made.shared


def names(shared: SharedPeers) -> list[bytes]:
    return [peer.name for peer in shared.members()]


def last(peers: list[Peer]) -> list[bytes]:
    return [peer.name.split(b":")[0].split(b".")[-1] for peer in peers]


def test_the_peers_of_the_configuration() -> None:
    first = upstream(b"a", server("1 weight=3"), server("2 backup"), server("3 max_conns=5 down"))
    second = upstream(b"b", UpstreamServer(b"unix:/run/x", [unix_address(b"/run/x")], route=b"r"))
    mapped(first, second)
    members = shared_of(first).members()
    assert [(peer.id, peer.name, peer.weight, peer.down, peer.max_conns) for peer in members] == [
        (0, b"127.0.0.1:80", 3, 0, 0),
        (1, b"127.0.0.3:80", 1, 1, 5),
        (2, b"127.0.0.2:80", 1, 0, 0),
    ]
    assert [shared_of(first).is_backup(peer) for peer in members] == [False, False, True]
    assert last(first.group.peers) == [b"1", b"3"] and first.group.backup is not None
    assert last(first.group.backup.peers) == [b"2"]
    assert (first.group.total_weight, first.group.tries, first.group.single) == (4, 1, False)
    (peer,) = second.group.peers
    assert peer.address == unix_address(b"/run/x") and peer.sid == b"r" and second.group.single


def test_workers_see_each_others_connections() -> None:
    made = upstream(b"a", server("1 max_conns=1"), server("2"))
    zone = mapped(made)
    other = another_worker(zone)
    choice = Choice(made.group)
    assert pick(choice) == b"1"
    assert [pick(Choice(other.upstream.group)) for _ in range(2)] == [b"2", b"2"]
    choice.free(Outcome.OK, 1000)
    assert b"1" in [pick(Choice(other.upstream.group)) for _ in range(2)]


def test_a_failure_is_known_to_all() -> None:
    made = upstream(b"a", server("1"), server("2"))
    other = another_worker(mapped(made))
    choice = Choice(made.group)
    assert pick(choice) == b"1" and choice.free(Outcome.FAILED, 1000)
    assert [pick(Choice(other.upstream.group)) for _ in range(3)] == [b"2"] * 3
    assert [peer.state(1000) for peer in other.members()] == ["unavail", "up"]


def test_peers_come_and_go() -> None:
    made = upstream(b"a", server("1"))
    other = another_worker(mapped(made))
    shared = shared_of(made)
    kept = other.members()[0]
    assert other.upstream.group.single
    peer = shared.add(server("2"), inet_address("127.0.0.2", 81))
    assert peer.id == 1
    assert [pick(Choice(other.upstream.group)) for _ in range(2)] == [b"1", b"2"]
    assert not other.upstream.group.single and other.members()[0] is kept
    assert other.remove(0) and not other.remove(0)
    assert [pick(Choice(made.group)) for _ in range(2)] == [b"2", b"2"]
    assert names(shared) == [b"127.0.0.2:81"]
    assert shared.remove(1)
    assert Choice(made.group).get(1000) is None and Choice(other.upstream.group).get(1000) is None


def test_a_backup_that_comes_and_goes() -> None:
    made = upstream(b"a", server("1 down"))
    mapped(made)
    shared = shared_of(made)
    assert pick(Choice(made.group)) is None
    spare = shared.add(server("2 backup"), inet_address("127.0.0.2", 80))
    assert pick(Choice(made.group)) == b"2" and shared.is_backup(spare)
    shared.remove(spare.id)
    assert pick(Choice(made.group)) is None and made.group.backup is None


def test_a_removed_peer_ends_its_requests() -> None:
    made = upstream(b"a", server("1"), server("2"))
    zone = mapped(made)
    shared = shared_of(made)
    choice = Choice(made.group)
    assert pick(choice) == b"1"
    used = zone.used
    shared.remove(0)
    assert shared.zombies == 1 and zone.used == used
    added = shared.add(server("3"), inet_address("127.0.0.3", 80))
    gone = choice.current
    assert gone is not None and gone.slot == GONE and gone.name == b"127.0.0.1:80"
    choice.free(Outcome.FAILED, 1000)
    assert shared.zombies == 0 and zone.used == used and added.conns == 0
    assert pick(choice) in (b"2", b"3")


def test_changes() -> None:
    made = upstream(b"a", server("1"), server("2"))
    other = another_worker(mapped(made))
    assert shared_of(made).change(0, weight=3, max_conns=9)
    Choice(other.upstream.group)
    assert (other.upstream.group.total_weight, other.upstream.group.peers[0].max_conns) == (4, 9)
    picks = [pick(Choice(other.upstream.group)) for _ in range(8)]
    assert picks.count(b"1") == 6
    assert shared_of(made).change(1, down=DOWN) and Choice(other.upstream.group).tries == 1
    assert not shared_of(made).change(7, weight=1)


def test_a_choice_goes_on_when_the_members_change() -> None:
    made = upstream(b"a", server("1"), server("2"), server("3"))
    mapped(made)
    choice = Choice(made.group)
    assert pick(choice) == b"1"
    choice.free(Outcome.FAILED, 1000)
    shared_of(made).add(server("4"), inet_address("127.0.0.4", 80))
    shared_of(made).remove(1)
    assert {pick(choice), pick(choice)} == {b"3", b"4"}
    assert choice.get(1000) is None


def test_templates_are_never_picked() -> None:
    name = UpstreamServer(b"app.example", resolve=True, weight=2)
    made = Upstream(b"a", explicit=True)
    made.servers = [name, server("1")]
    made.finish()
    mapped(made)
    shared = shared_of(made)
    template = shared.members()[0]
    assert template.slot == TEMPLATE and template.name == b"" and template.server == b"app.example"
    assert [pick(Choice(made.group)) for _ in range(2)] == [b"1", b"1"]
    child = shared.add(name, inet_address("127.0.0.7", 80), parent=template.id)
    assert child.parent == template.id and child.server == b"app.example" and child.weight == 2
    assert b"7" in [pick(Choice(made.group)) for _ in range(3)]
    shared.change(template.id, weight=5)
    assert child.weight == 5
    shared.remove(template.id)
    assert names(shared) == [b"127.0.0.1:80"]


def test_a_reload_takes_over_what_is_known() -> None:
    def configured(port: int) -> Upstream:
        made = Upstream(b"a", explicit=True)
        made.servers = [server("1"), server("2 weight=4"), UpstreamServer(b"app.example:%d" % port, resolve=True)]
        made.finish()
        return made

    before = configured(80)
    old = mapped(before)
    shared = shared_of(before)
    shared.add(before.servers[2], inet_address("127.0.0.9", 80), parent=2)
    shared.add(server("5"), inet_address("127.0.0.5", 80))
    choice = Choice(before.group)
    for peer in before.group.peers:
        peer.requests = 7
        peer.set_health(UNHEALTHY)
    before.group.peers[1].conns = 3
    shared.change(0, weight=9, down=DOWN)
    after = configured(8080)
    after.health_checks.append(HealthCheck())
    new = mapped(after, old=old)
    assert names(shared_of(after)) == [b"127.0.0.1:80", b"127.0.0.2:80", b"", b"127.0.0.9:8080"]
    first, second, _, third = shared_of(after).members()
    assert (first.weight, first.down, first.requests, first.health) == (1, 0, 7, UNHEALTHY)
    assert (second.conns, second.requests, third.parent) == (0, 7, 2)
    # the old workers are on their own
    assert choice.get(1000) is None
    shared.remove(1)
    assert len(shared_of(after).members()) == 4
    assert new.zone.name == old.zone.name


def test_full() -> None:
    made = upstream(b"a", server("1"))
    zone = mapped(made, size=32768)
    shared = shared_of(made)
    with pytest.raises(MemoryError):
        for number in range(200):
            shared.add(server("2"), inet_address("127.0.0.2", 81 + number))
    assert zone.used == zone.slots == len(shared.members()) > 20
    shared.remove(5)
    shared.add(server("2"), inet_address("127.0.0.2", 1000))
    many = upstream(b"a", *(server("1") for _ in range(60)))
    with pytest.raises(ZoneError, match='zone "z" is too small'):
        mapped(many, size=32768)


def test_names_that_do_not_fit() -> None:
    made = upstream(b"a", server("1"))
    mapped(made)
    with pytest.raises(ValueError, match="too long"):
        shared_of(made).add(UpstreamServer(b"x" * 400), Address(b"", b""))


def test_one_worker_has_the_duty(monkeypatch: pytest.MonkeyPatch) -> None:
    zone = mapped(upstream(b"a", server("1")))
    shared = shared_of(zone.upstreams[0])
    assert shared.on_duty() and shared.on_duty()
    with subprocess.Popen(["sleep", "60"]) as sibling:
        monkeypatch.setattr("os.getppid", lambda: os.getpid())
        shared._head[2] = sibling.pid
        assert not shared.on_duty(), "a living worker has it"
        monkeypatch.setattr("os.getppid", lambda: 1)
        assert shared.on_duty(), "it is no worker of ours"
        monkeypatch.undo()
        shared._head[2] = sibling.pid
        sibling.kill()
    assert shared.on_duty(), "who had it is dead"
    shared.off_duty()
    assert shared._head[2] == 0
    shared._head[2] = 1
    shared.off_duty()
    assert shared._head[2] == 1, "it was not ours to give back"


@pytest.mark.parametrize(
    ("checks", "before", "after"),
    [
        ([], [2, 0], [0, 0, 0]),
        ([HealthCheck()], [2, 0], [2, 0, 0]),
        ([HealthCheck(mandatory=True)], [2, 0], [1, 1, 1]),
        ([HealthCheck(mandatory=True, persistent=True), HealthCheck()], [2, 0], [2, 0, 1]),
    ],
)
def test_what_checks_found_over_a_reload(checks: list[HealthCheck], before: list[int], after: list[int]) -> None:
    first = upstream(b"a", server("1"), server("2"))
    zone = mapped(first)
    for peer, health in zip(shared_of(first).members(), before, strict=True):
        peer.set_health(health)
    second = upstream(b"a", server("1"), server("2"), server("3"))
    second.health_checks += checks
    mapped(second, old=zone)
    assert [peer.health for peer in shared_of(second).members()] == after
    assert [bool(peer.downstart) for peer in shared_of(second).members()] == [bool(health) for health in after]


def test_codes_are_of_the_peer_not_of_its_slot() -> None:
    made = upstream(b"u", server("1"), server("2"))
    zone = mapped(made)
    shared = shared_of(made)
    peer = made.group.peers[0]
    peer.account(200, 1, 1)
    peer.account(404, 1, 1)
    assert {code for code, count in enumerate(peer.codes, 100) if count} == {200, 404}
    renamed = shared.rename(peer.id, server("3"), inet_address("127.0.0.3", 80))
    assert renamed is not None and renamed.codes == peer.codes
    shared.remove(renamed.id)
    added = [shared.add(server("4"), inet_address("127.0.0.4", 80)) for _ in range(2)]
    assert zone.used == 3 and not any(any(one.codes) for one in added), "they have the slots of the first"
    again = upstream(b"u", server("1"), server("2"))
    second = made.group.peers[0]
    second.account(301, 1, 1)
    mapped(again, old=zone)
    assert [sum(one.codes) for one in again.group.peers] == [0, 1]
