from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import trio
import trio.testing

from gateway.core.logs import Log
from gateway.upstream.exchange.conf import UpstreamConf
from gateway.upstream.health.checks import HealthCheck
from gateway.upstream.health.health import check_peers
from gateway.upstream.health.probe_wire import ProbeFailed
from gateway.upstream.health.probes import Probe
from gateway.upstream.peers.address import Address
from gateway.upstream.peers.peers import CHECKING, HEALTHY, UNHEALTHY, Peer
from gateway.upstream.peers.upstreams import Upstream
from tests.engine import MemorySink
from tests.upstream.peers.test_zone import mapped, shared_of, upstream
from tests.upstream.recorded import server


class Scripted(Probe):
    """Fails while a test says so."""

    def __init__(self) -> None:
        super().__init__(UpstreamConf())
        self.failure: Exception | None = None
        self.moments: list[float] = []
        self.dropped: list[Address] = []

    async def __call__(self, address: Address) -> None:
        self.moments.append(trio.current_time())
        await trio.sleep(0)
        if self.failure is not None:
            raise self.failure

    def drop(self, address: Address) -> None:
        self.dropped.append(address)


BAD = ProbeFailed(b"checking status code", b"500")


@contextlib.asynccontextmanager
async def checking(*checks: HealthCheck) -> AsyncIterator[tuple[Peer, list[Scripted], Upstream, MemorySink]]:
    """A peer that these checks look after."""
    made = upstream(b"u", server("1"))
    made.health_checks += checks
    mapped(made)
    (peer,) = shared_of(made).members()
    probes = [Scripted() for _ in checks]
    for check, probe in zip(checks, probes, strict=True):
        check.probe = probe
    sink = MemorySink()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(check_peers, made, Log(sink))
        yield peer, probes, made, sink
        nursery.cancel_scope.cancel()
    assert all(probe.dropped == [peer.address] for probe in probes)


async def test_fails_and_passes_are_in_a_row(autojump_clock: trio.testing.MockClock) -> None:
    async with checking(HealthCheck(interval_s=10, fails=2, passes=3)) as (peer, (probe,), _, sink):
        await trio.sleep(5)
        found: list[int] = []
        for failure in (BAD, None, BAD, BAD, None, None, BAD, None, None, None):
            probe.failure = failure
            await trio.sleep(10)
            found.append(peer.health)
        assert found == [0, 0, 0, 2, 2, 2, 2, 2, 2, 0]
        assert (peer.checks, peer.check_fails, peer.unhealthy, peer.streak) == (11, 4, 1, 3)
        assert len(sink.lines) == 2


async def test_the_time_between_probes(autojump_clock: trio.testing.MockClock) -> None:
    async with checking(HealthCheck(interval_s=10, jitter_s=4)) as (_, (probe,), _, _):
        await trio.sleep(1000)
        gaps = [b - a for a, b in zip(probe.moments, probe.moments[1:], strict=False)]
        assert 10 <= min(gaps) < 11 and 13 < max(gaps) <= 14


async def test_what_an_earlier_worker_found_holds(autojump_clock: trio.testing.MockClock) -> None:
    async with checking(HealthCheck(interval_s=10, passes=2), HealthCheck(interval_s=10)) as (peer, _, _, _):
        peer.set_health(UNHEALTHY)
        await trio.sleep(5)
        assert peer.health == UNHEALTHY, "the first check needs two good probes"
        await trio.sleep(10)
        assert peer.health == HEALTHY


async def test_only_mandatory_checks_are_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    checks = HealthCheck(interval_s=10, mandatory=True), HealthCheck(interval_s=10, passes=3)
    async with checking(*checks) as (peer, _, _, _):
        assert peer.health == CHECKING
        await trio.sleep(5)
        assert peer.health == HEALTHY


async def test_a_probe_with_a_bug(autojump_clock: trio.testing.MockClock) -> None:
    async with checking(HealthCheck()) as (peer, (probe,), _, sink):
        probe.failure = KeyError("x")
        await trio.sleep(7)
        assert peer.health == UNHEALTHY
        assert "[alert]" in sink.lines[0] and "health check failed: KeyError('x')" in sink.lines[0]
        probe.failure = None
        await trio.sleep(5)
        assert peer.health == HEALTHY


async def test_who_is_not_on_duty_probes_nobody(autojump_clock: trio.testing.MockClock) -> None:
    async with checking(HealthCheck()) as (_, (probe,), made, _):
        await trio.sleep(6)
        seen = len(probe.moments)
        assert seen == 2
        shared_of(made).on_duty = lambda: False  # type: ignore[method-assign]
        await trio.sleep(60)
        assert len(probe.moments) <= seen + 1
