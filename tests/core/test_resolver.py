from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing

from gateway.core.resolver import NameServer, Resolver, words_of
from gateway.core.resolver_counts import ResolverCounts
from tests.dns_server import DnsServer, dns_server


class Bench:
    """A resolver, and the servers that it asks."""

    def __init__(self, resolver: Resolver, servers: list[DnsServer], lines: list[str]) -> None:
        self.resolver = resolver
        self.servers = servers
        self.server = servers[0]
        self.lines = lines

    async def hosts(self, name: str, timeout_s: float = 30) -> list[str] | str:
        lookup = await self.resolver.wait(name.encode(), timeout_s)
        return words_of(lookup.code) if lookup.code else sorted(lookup.hosts)


@contextlib.asynccontextmanager
async def bench(servers: int = 1, **options: Any) -> AsyncIterator[Bench]:
    lines: list[str] = []
    async with contextlib.AsyncExitStack() as stack:
        all_servers = [await stack.enter_async_context(dns_server()) for _ in range(servers)]
        resolver = Resolver(
            [NameServer(socket.AF_INET, ("127.0.0.1", server.port), server.address) for server in all_servers],
            log=lines.append,
            **options,
        )
        resolver.nursery = await stack.enter_async_context(trio.open_nursery())
        yield Bench(resolver, all_servers, lines)
        resolver.nursery.cancel_scope.cancel()


async def test_both_families_in_one_answer() -> None:
    async with bench() as on:
        on.server.records.update({("a.org", "A"): ["127.0.0.1", "127.0.0.2"], ("a.org", "AAAA"): ["::1"]})
        assert await on.hosts("A.org.") == ["127.0.0.1", "127.0.0.2", "::1"]
        assert sorted(on.server.asked) == [("a.org", "A"), ("a.org", "AAAA")]
        assert not on.lines


@pytest.mark.parametrize(("options", "found"), [({"ipv6": False}, ["127.0.0.1"]), ({"ipv4": False}, ["::1"])])
async def test_one_family(options: dict[str, bool], found: list[str]) -> None:
    async with bench(**options) as on:
        on.server.records.update({("a.org", "A"): ["127.0.0.1"], ("a.org", "AAAA"): ["::1"]})
        assert await on.hosts("a.org") == found
        assert len(on.server.asked) == 1


async def test_an_answer_holds_as_long_as_its_ttl(autojump_clock: trio.testing.MockClock) -> None:
    async with bench(ipv6=False) as on:
        on.server.records["a.org", "A"] = ["127.0.0.1"]
        on.server.ttl = 10
        assert await on.hosts("a.org") == ["127.0.0.1"]
        on.server.records["a.org", "A"] = ["127.0.0.2"]
        await trio.sleep(9.5)
        assert await on.hosts("a.org") == ["127.0.0.1"]
        await trio.sleep(1)
        assert await on.hosts("a.org") == ["127.0.0.2"]


async def test_valid_comes_before_the_ttl(autojump_clock: trio.testing.MockClock) -> None:
    async with bench(ipv6=False, valid=100) as on:
        on.server.records["a.org", "A"] = ["127.0.0.1"]
        on.server.ttl = 1
        await on.hosts("a.org")
        await trio.sleep(99)
        await on.hosts("a.org")
        assert len(on.server.asked) == 1
        await trio.sleep(2)
        await on.hosts("a.org")
        assert len(on.server.asked) == 2


async def test_who_waits_shares_the_answer() -> None:
    async with bench(ipv6=False) as on:
        on.server.records["a.org", "A"] = ["127.0.0.1"]
        found: list[object] = []

        async def ask() -> None:
            found.append(await on.hosts("a.org"))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
        assert found == [["127.0.0.1"]] * 5
        assert on.server.asked == [("a.org", "A")]


async def test_failures_are_not_kept() -> None:
    async with bench(ipv6=False) as on:
        assert await on.hosts("a.org") == "3: Host not found"
        on.server.codes["a.org"] = "SERVFAIL"
        assert await on.hosts("a.org") == "2: Server failure"
        on.server.codes["a.org"] = "REFUSED"
        assert await on.hosts("a.org") == "5: Operation refused"
        on.server.codes.clear()
        on.server.records["a.org", "A"] = ["127.0.0.1"]
        assert await on.hosts("a.org") == ["127.0.0.1"]
        assert await on.hosts("a..org") == "3: Host not found"


async def test_names_that_stand_for_others() -> None:
    async with bench(ipv6=False) as on:
        on.server.records.update(
            {("a.org", "CNAME"): ["b.org."], ("b.org", "CNAME"): ["c.org."], ("c.org", "A"): ["127.0.0.1"]}
        )
        assert await on.hosts("a.org") == ["127.0.0.1"]
        on.server.records["x.org", "CNAME"] = ["y.org."]
        on.server.records["y.org", "CNAME"] = ["x.org."]
        assert await on.hosts("x.org") == "3: Host not found"


async def test_what_does_not_fit_is_asked_for_over_tcp() -> None:
    async with bench() as on:
        on.server.records.update({("a.org", "A"): ["127.0.0.1"], ("a.org", "AAAA"): ["::1"]})
        on.server.too_long.add("a.org")
        assert await on.hosts("a.org") == ["127.0.0.1", "::1"]
        assert sorted(on.server.over_tcp) == [("a.org", "A"), ("a.org", "AAAA")]


async def test_the_next_server_is_asked_after_a_silence(autojump_clock: trio.testing.MockClock) -> None:
    async with bench(servers=2, ipv6=False) as on:
        first, second = on.servers
        first.silent = True
        second.records["a.org", "A"] = ["127.0.0.1"]
        began = trio.current_time()
        assert await on.hosts("a.org") == ["127.0.0.1"]
        assert trio.current_time() - began == 5
        assert (first.asked, second.asked) == ([("a.org", "A")], [("a.org", "A")])


async def test_the_next_server_is_asked_at_once_where_nobody_listens(autojump_clock: trio.testing.MockClock) -> None:
    async with bench(servers=2, ipv6=False) as on:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        nobody = NameServer(socket.AF_INET, ("127.0.0.1", port), f"127.0.0.1:{port}")
        on.resolver.servers = (nobody, on.resolver.servers[0])
        on.server.records["a.org", "A"] = ["127.0.0.1"]
        began = trio.current_time()
        assert await on.hosts("a.org") == ["127.0.0.1"]
        assert trio.current_time() == began
        assert on.lines == [f"recv() failed (111: Connection refused) while resolving, resolver: {nobody.text}"]


async def test_servers_take_turns() -> None:
    async with bench(servers=3, ipv6=False) as on:
        for number in range(6):
            await on.hosts(f"{number}.org")
        assert [len(server.asked) for server in on.servers] == [2, 2, 2]


async def test_a_time_limit_is_each_one_s_own(autojump_clock: trio.testing.MockClock) -> None:
    async with bench(ipv6=False) as on:
        on.server.silent = True
        assert await on.hosts("a.org", 3) == "110: Operation timed out"
        # the question outlives who asked it, and the answer is kept
        on.server.silent = False
        on.server.records["a.org", "A"] = ["127.0.0.1"]
        assert await on.hosts("a.org", 3) == ["127.0.0.1"]
        assert on.server.asked == [("a.org", "A")] * 2


async def test_nobody_waits_any_more(autojump_clock: trio.testing.MockClock) -> None:
    async with bench(ipv6=False) as on:
        on.server.silent = True
        await on.hosts("a.org", 1)
        await trio.sleep(60)
        assert on.server.asked == [("a.org", "A")]


@pytest.mark.parametrize(
    ("alter", "line"),
    [
        (lambda data: data[:8], "short DNS response"),
        (lambda data: data[:3] + bytes((data[3] | 1,)) + data[4:], "DNS error (1: Format error), query id:"),
        (lambda data: data[:13] + b"b" + data[14:], "unexpected DNS response for b.org"),
        (lambda data: bytes((data[0] ^ 1,)) + data[1:], "wrong ident "),
    ],
)
async def test_what_is_no_answer_is_not_believed(alter: Any, line: str, autojump_clock: trio.testing.MockClock) -> None:
    async with bench(ipv6=False) as on:
        on.server.records["a.org", "A"] = ["127.0.0.1"]
        on.server.alter = alter
        assert await on.hosts("a.org", 4) == "110: Operation timed out"
        assert on.lines[0].startswith(line)
        on.server.alter = lambda data: data
        assert await on.hosts("a.org", 4) == ["127.0.0.1"]


async def test_what_is_known_is_turned_each_time() -> None:
    async with bench(ipv6=False) as on:
        on.server.records["a.org", "A"] = hosts = [f"127.0.0.{number}" for number in range(1, 9)]
        first: set[str] = set()
        for _ in range(200):
            lookup = await on.resolver.wait(b"a.org", 5)
            assert sorted(lookup.hosts) == hosts
            first.add(lookup.hosts[0])
        assert first == set(hosts)
        assert on.server.asked == [("a.org", "A")]


async def test_what_nobody_asks_for_is_forgotten(autojump_clock: trio.testing.MockClock) -> None:
    async with bench(ipv6=False, valid=1000) as on:
        on.server.records.update({("a.org", "A"): ["127.0.0.1"], ("b.org", "A"): ["127.0.0.1"]})
        await on.hosts("a.org")
        await on.hosts("b.org")
        for _ in range(4):
            await trio.sleep(20)
            await on.hosts("b.org")
        await on.hosts("a.org")
        assert on.server.asked == [("a.org", "A"), ("b.org", "A"), ("a.org", "A")]


async def test_services() -> None:
    async with bench() as on:
        on.server.records["_http._tcp.a.org", "SRV"] = ["2 5 81 b.org.", "1 5 80 a.org."]
        lookup = await on.resolver.wait(b"_http._tcp.a.org", 5, service=True)
        assert [(found.priority, found.port, found.target) for found in lookup.services] == [
            (1, 80, b"a.org"),
            (2, 81, b"b.org"),
        ]
        assert on.server.asked == [("_http._tcp.a.org", "SRV")]


async def names(on: Bench, host: str, within_s: float = 5) -> list[bytes] | str:
    event = trio.Event()
    lookup = on.resolver.look_up_address(host, event.set)
    with trio.move_on_after(within_s):
        if not lookup.done:
            await event.wait()
    lookup.time_out()
    return words_of(lookup.code) if lookup.code else lookup.names


async def test_the_names_of_an_address() -> None:
    async with bench() as on:
        pointer, long_pointer = "1.0.0.127.in-addr.arpa", ".".join(["1", *"0" * 31]) + ".ip6.arpa"
        on.server.records.update({(pointer, "PTR"): ["A.org.", "b.org."], (long_pointer, "PTR"): ["c.org."]})
        for _ in range(2):  # the second time from what is remembered; each time from another one on
            assert sorted(await names(on, "127.0.0.1")) == [b"a.org", b"b.org"]
        assert await names(on, "::1") == [b"c.org"]
        assert await names(on, "127.0.0.2") == "3: Host not found"
        assert on.server.asked == [(pointer, "PTR"), (long_pointer, "PTR"), ("2.0.0.127.in-addr.arpa", "PTR")]


async def test_an_address_whose_answer_has_no_name() -> None:
    """As nginx has it: such an answer counts for nothing."""
    async with bench() as on:
        on.server.records["1.0.0.127.in-addr.arpa", "CNAME"] = ["a.org."]
        assert await names(on, "127.0.0.1", 0.3) == "110: Operation timed out"
        assert on.lines == ["no PTR type in DNS response"]


async def test_what_is_counted(autojump_clock: trio.testing.MockClock) -> None:
    counts = ResolverCounts()
    async with bench(ipv6=False, counts=counts) as on:
        on.server.records["a.org", "A"] = ["127.0.0.1"]
        on.server.too_long.add("a.org")
        await on.hosts("a.org")
        await on.hosts("a.org")
        await on.hosts("b.org")
        await on.resolver.wait(b"a.org", 5, service=True)
        on.server.silent = True
        await on.hosts("c.org", 1)
        on.resolver.look_up(b"c.org").cancel()
        on.resolver.look_up_address("127.0.0.1").cancel()
        shown = counts.shown()
        assert shown["requests"] == {"name": 5, "srv": 1, "addr": 1}
        assert {code: count for code, count in shown["responses"].items() if count} == {"noerror": 3, "timedout": 1}


async def test_a_bug_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(ipv6=False) as on:
        on.server.records["a.org", "A"] = ["127.0.0.1"]
        with monkeypatch.context() as patch:
            patch.setattr(Resolver, "_take", lambda *_: 1 / 0)
            assert await on.hosts("a.org") == "2: Server failure"
            assert "resolving a.org failed: " in on.lines[-1] and "ZeroDivisionError" in on.lines[-1]
        assert await on.hosts("a.org") == ["127.0.0.1"]
