"""Active health checks: one worker probes the peers of an upstream, and all see what it found, through the zone.

A check is of a location; an upstream may have several. `fails` bad probes of one check in a row make a peer unhealthy,
`passes` good ones of each check that found it bad make it healthy again. With `mandatory` a new peer gets no requests
until each such check has passed. What passive failures said of a peer is forgotten when it becomes healthy.
"""

from __future__ import annotations

import enum
import random
from typing import TYPE_CHECKING, Final

import trio

from gateway._fast.peers import monotonic_ms
from gateway.core.logs import ALERT, NOTICE, WARN, Log
from gateway.upstream.health.probe_wire import ProbeFailed
from gateway.upstream.health.probes import Probe
from gateway.upstream.peers import changes
from gateway.upstream.peers.peers import CHECKING, DOWN, HEALTHY, PEER, UNHEALTHY, Peer

if TYPE_CHECKING:
    from gateway.upstream.health.checks import HealthCheck
    from gateway.upstream.peers.address import Address
    from gateway.upstream.peers.upstreams import Upstream
    from gateway.upstream.peers.zone import SharedPeers

# How often, at least, a worker looks for new peers, and whether the duty is its own.
_LOOK_S: Final = 1.0


class _Verdict(enum.Enum):
    UNKNOWN = 0
    GOOD = 1
    BAD = 2


async def check_peers(upstream: Upstream, log: Log) -> None:
    """Probe the peers of this upstream while the duty is ours. Runs until cancelled."""
    shared = upstream.shared
    assert shared is not None
    pause_s = min(_LOOK_S, *(check.interval_s for check in upstream.health_checks))
    running: dict[int, trio.CancelScope] = {}
    async with trio.open_nursery() as nursery:
        while True:
            peers = {peer.number: peer for peer in shared.peers()} if shared.on_duty() else {}
            for number in running.keys() - peers.keys():
                running.pop(number).cancel()
            for number in peers.keys() - running.keys():
                running[number] = trio.CancelScope()
                nursery.start_soon(_Patient(upstream, shared, peers[number], log).run, running[number])
            await trio.sleep(max(pause_s, 0.01))


class _Patient:
    """A peer and what the checks found of it."""

    def __init__(self, upstream: Upstream, shared: SharedPeers, peer: Peer, log: Log) -> None:
        self.upstream = upstream
        self.shared = shared
        self.peer = peer
        self.log = log
        # Another worker may have had the duty before: its checks failed if the peer is unhealthy.
        self.verdicts = {check: self._first_verdict(check) for check in upstream.health_checks}

    def _first_verdict(self, check: HealthCheck) -> _Verdict:
        if self.peer.health == UNHEALTHY:
            return _Verdict.BAD
        return _Verdict.UNKNOWN if check.mandatory and self.peer.health == CHECKING else _Verdict.GOOD

    async def run(self, scope: trio.CancelScope) -> None:
        """Until the scope is cancelled."""
        with scope:
            async with trio.open_nursery() as nursery:
                for check in self.upstream.health_checks:
                    nursery.start_soon(self._watch, check)

    async def _watch(self, check: HealthCheck) -> None:
        """One check of the peer, time after time."""
        assert check.probe is not None
        row = 0  # good probes in a row, as a negative number bad ones
        address = check.address(self.peer)
        try:
            while True:
                await trio.sleep(random.random() * check.jitter_s)
                if not self.peer.down & DOWN:
                    failure = await self._probe(check.probe, address)
                    row = min(row, 0) - 1 if failure else max(row, 0) + 1
                    self._record(check, row, failure)
                await trio.sleep(check.interval_s)
        finally:
            check.probe.drop(address)

    async def _probe(self, probe: Probe, address: Address) -> ProbeFailed | None:
        with self.shared.lock:
            self.peer.last_check = monotonic_ms()
        try:
            await probe(address)
        except ProbeFailed as failure:
            return failure
        except Exception as error:
            self.log.write(ALERT, b"health check failed: " + repr(error).encode())
            return ProbeFailed(b"probing", repr(error).encode())
        return None

    def _record(self, check: HealthCheck, row: int, failure: ProbeFailed | None) -> None:
        """Write what a probe found where all workers see it."""
        if -row >= check.fails:
            self.verdicts[check] = _Verdict.BAD
        elif row >= check.passes:
            self.verdicts[check] = _Verdict.GOOD
        found = self.verdicts.values()
        health = UNHEALTHY if _Verdict.BAD in found else CHECKING if _Verdict.UNKNOWN in found else HEALTHY
        peer = self.peer
        with self.shared.lock:
            if peer.slot != PEER or peer.id != peer.number:
                return  # it has been removed
            peer.checks += 1
            peer.check_fails += failure is not None
            peer.last_passed = failure is None
            peer.streak = row
            changed = peer.set_health(health)
            if changed and health == HEALTHY:
                peer.fails = 0
                peer.effective_weight = peer.weight
        if changed:
            self._tell(check, health, failure)

    def _tell(self, check: HealthCheck, health: int, failure: ProbeFailed | None) -> None:
        """The one line of a changed state, in the words of NGINX Plus."""
        if failure is not None:
            state = b"unhealthy while %b (%b)" % (failure.doing, failure.found)
        else:
            state = b"healthy" if health == HEALTHY else b"checking"
        line = b'peer is %b, health check "%b" of peer %b in upstream "%b"' % (
            state,
            check.name,
            self.peer.name,
            self.upstream.name,
        )
        self.log.write(WARN if failure is not None else NOTICE, line)
        found = b"" if failure is None else b"%b while %b" % (failure.found, failure.doing)
        word = b"unhealthy" if health == UNHEALTHY else b"healthy" if health == HEALTHY else b"checked"
        text = b'is %b, says health check "%b"' % (word, check.name)
        changes.tell(self.upstream.name, self.peer, text, found, good=health == HEALTHY)
