from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator

import trio
import trio.testing

from gateway.core.logs import Log
from gateway.core.resolver import NameServer, Resolver
from gateway.upstream.peers.peers import DOWN, Choice, Outcome, Peer, UpstreamServer
from gateway.upstream.peers.resolve import resolve_names
from gateway.upstream.peers.upstreams import Upstream
from gateway.upstream.peers.zone import SLOT_BYTES, SharedPeers
from tests.dns_server import DnsServer, dns_server
from tests.engine import MemorySink
from tests.upstream.peers.test_zone import mapped, upstream
from tests.upstream.recorded import server


class Bench:
    """An upstream whose names are followed, and the server that is asked for them."""

    def __init__(self, dns: DnsServer, made: Upstream, sink: MemorySink) -> None:
        assert made.shared is not None
        self.dns = dns
        self.upstream = made
        self.shared: SharedPeers = made.shared
        self.log = sink

    @property
    def peers(self) -> list[Peer]:
        """Primary peers, then those of the backup group."""
        group = self.upstream.group
        with self.shared.lock:
            self.shared.sync()
        return group.peers + (group.backup.peers if group.backup else [])

    @property
    def names(self) -> list[str]:
        return sorted(peer.name.decode() for peer in self.peers)

    async def settle(self) -> None:
        """The TTL of all that is known is over, and what is new is known."""
        await trio.sleep(self.dns.ttl + 2)


@contextlib.asynccontextmanager
async def following(*servers: UpstreamServer, size: int = 65536) -> AsyncIterator[Bench]:
    sink = MemorySink()
    async with dns_server() as dns, trio.open_nursery() as nursery:
        made = upstream(b"u", *servers)
        mapped(made, size=size)
        resolver = Resolver([NameServer(socket.AF_INET, ("127.0.0.1", dns.port), dns.address)])
        resolver.nursery = nursery
        nursery.start_soon(resolve_names, made, resolver, 10.0, Log(sink))
        yield Bench(dns, made, sink)
        nursery.cancel_scope.cancel()


def app(weight: int = 1, **more: int) -> UpstreamServer:
    return UpstreamServer(b"app.test:80", resolve=True, weight=weight, **more)  # type: ignore[arg-type]


async def test_peers_follow_the_addresses(autojump_clock: trio.testing.MockClock) -> None:
    async with following(app(weight=3, max_conns=7)) as on:
        on.dns.records["app.test", "A"] = ["127.0.0.1"]
        await on.settle()
        assert on.names == ["127.0.0.1:80"]
        (first,) = on.peers
        assert (first.weight, first.max_conns, first.server) == (3, 7, b"app.test:80")
        choice = Choice(on.upstream.group)
        assert choice.get(1000) is first
        on.dns.records["app.test", "A"] = ["127.0.0.1", "127.0.0.2"]
        on.dns.records["app.test", "AAAA"] = ["::1"]
        await on.settle()
        assert on.names == ["127.0.0.1:80", "127.0.0.2:80", "[::1]:80"]
        assert on.peers[0] is first and first.conns == 1, "who stays keeps its state"
        on.dns.records.clear()
        on.dns.records["app.test", "A"] = ["127.0.0.2"]
        await on.settle()
        assert on.names == ["127.0.0.2:80"]
        choice.free(Outcome.OK, 1000)


async def test_tells_when_every_name_was_asked_for(autojump_clock: trio.testing.MockClock) -> None:
    async with following(app(), UpstreamServer(b"silent.test:80", resolve=True)) as on:
        on.dns.records["app.test", "A"] = ["127.0.0.1"]
        on.dns.silent_names.add("silent.test")
        await trio.sleep(5)
        assert on.names == ["127.0.0.1:80"] and not on.shared.asked
        await trio.sleep(10)
        assert on.shared.asked, "a failure is an answer too"
        again = upstream(b"u", app())
        mapped(again, old=on.shared.zone)
        assert again.shared.asked, "what the old cycle knew is there at once"
        again = upstream(b"u", app(), UpstreamServer(b"new.test:80", resolve=True))
        mapped(again, old=on.shared.zone)
        assert not again.shared.asked


async def test_without_addresses_there_are_no_peers(autojump_clock: trio.testing.MockClock) -> None:
    async with following(app()) as on:
        on.dns.records["app.test", "A"] = ["127.0.0.1"]
        await on.settle()
        on.dns.records.clear()
        await on.settle()
        assert on.names == []
        assert Choice(on.upstream.group).get(1000) is None
        assert (
            "[error]" in on.log.lines[-1] and "app.test could not be resolved (3: Host not found)" in on.log.lines[-1]
        )
        on.dns.records["app.test", "A"] = ["127.0.0.1"]
        await trio.sleep(12)
        assert on.names == ["127.0.0.1:80"]


async def test_where_dns_fails_all_stay(autojump_clock: trio.testing.MockClock) -> None:
    async with following(app()) as on:
        on.dns.records["app.test", "A"] = ["127.0.0.1"]
        await on.settle()
        on.dns.codes["app.test"] = "SERVFAIL"
        await on.settle()
        assert on.names == ["127.0.0.1:80"]
        assert "app.test could not be resolved (2: Server failure)" in on.log.lines[-1]
        on.dns.codes.clear()
        on.dns.silent = True
        await trio.sleep(25)
        assert on.names == ["127.0.0.1:80"]
        assert "app.test could not be resolved (110: Operation timed out)" in on.log.lines[-1]


async def test_a_template_s_changes_hold_for_new_peers(autojump_clock: trio.testing.MockClock) -> None:
    async with following(app(), app(backup=True)) as on:
        on.dns.records["app.test", "A"] = ["127.0.0.1"]
        await on.settle()
        on.shared.change(0, weight=5, down=DOWN)
        on.dns.records["app.test", "A"] = ["127.0.0.1", "127.0.0.2"]
        await on.settle()
        assert [(peer.weight, peer.down, on.shared.is_backup(peer)) for peer in on.peers] == [
            (5, 1, False),
            (5, 1, False),
            (1, 0, True),
            (1, 0, True),
        ]


async def test_templates_come_and_go(autojump_clock: trio.testing.MockClock) -> None:
    async with following(server("9")) as on:
        on.dns.records["app.test", "A"] = ["127.0.0.1"]
        made = on.shared.add(app(), None)
        await on.settle()
        assert on.names == ["127.0.0.1:80", "127.0.0.9:80"]
        on.shared.remove(made.id)
        await on.settle()
        asked = len(on.dns.asked)
        await on.settle()
        assert on.names == ["127.0.0.9:80"] and len(on.dns.asked) == asked


async def test_services(autojump_clock: trio.testing.MockClock) -> None:
    async with following(UpstreamServer(b"app.test", resolve=True, service=b"http")) as on:
        records = on.dns.records
        records["_http._tcp.app.test", "SRV"] = ["1 5 81 a.test.", "1 2 82 b.test.", "2 1 83 b.test."]
        records["a.test", "A"] = ["127.0.0.1", "127.0.0.2"]
        records["b.test", "A"] = ["127.0.0.3"]
        await on.settle()
        assert sorted((peer.name, peer.weight, peer.server, on.shared.is_backup(peer)) for peer in on.peers) == [
            (b"127.0.0.1:81", 5, b"a.test", False),
            (b"127.0.0.2:81", 5, b"a.test", False),
            (b"127.0.0.3:82", 2, b"b.test", False),
            (b"127.0.0.3:83", 1, b"b.test", True),
        ]
        before = {peer.name: peer.id for peer in on.peers}
        records["_http._tcp.app.test", "SRV"] = ["1 6 81 a.test.", "1 2 82 b.test.", "2 1 83 b.test."]
        await on.settle()
        after = {peer.name: peer.id for peer in on.peers}
        assert {name for name in before if before[name] != after[name]} == {b"127.0.0.1:81", b"127.0.0.2:81"}
        on.dns.codes["b.test"] = "SERVFAIL"
        await on.settle()
        assert on.names == ["127.0.0.1:81", "127.0.0.2:81"]
        words = "b.test could not be resolved (2: Server failure) while resolving service http of app.test"
        assert words in on.log.lines[-1]
        on.dns.codes["a.test"] = "SERVFAIL"
        await on.settle()
        assert on.names == ["127.0.0.1:81", "127.0.0.2:81"], "none of them could be resolved: all stay"
        assert "service http of app.test could not be resolved (2: Server failure)" in on.log.lines[-1]
        records["_http._tcp.app.test", "SRV"] = []
        await trio.sleep(on.dns.ttl + 12)
        assert on.names == []


async def test_equal_services_are_two_peers(autojump_clock: trio.testing.MockClock) -> None:
    async with following(UpstreamServer(b"app.test", resolve=True, service=b"_x._udp")) as on:
        on.dns.records["_x._udp.app.test", "SRV"] = ["1 5 81 a.test.", "1 5 81 b.test."]
        on.dns.records["a.test", "A"] = on.dns.records["b.test", "A"] = ["127.0.0.1"]
        await on.settle()
        assert on.names == ["127.0.0.1:81", "127.0.0.1:81"]
        ids = [peer.id for peer in on.peers]
        await on.settle()
        assert [peer.id for peer in on.peers] == ids


async def test_a_full_zone(autojump_clock: trio.testing.MockClock) -> None:
    async with following(app(), size=4 * SLOT_BYTES) as on:
        on.dns.records["app.test", "A"] = [f"127.0.0.{number}" for number in range(1, 20)]
        await on.settle()
        assert 0 < len(on.peers) < 4
        assert 'cannot add new server to upstream "u", memory exhausted' in on.log.lines[-1]


async def test_who_is_not_on_duty_does_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with following(app()) as on:
        on.shared.on_duty = lambda: False  # type: ignore[method-assign]
        await on.settle()
        assert not on.dns.asked
