"""least_time: the peer that will probably be done first, by what its answers took and how many it works on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway._fast.peers import least, monotonic_ms
from gateway.upstream.peers.peers import Choice, Group, Outcome, Peer, moving_average

if TYPE_CHECKING:
    from gateway.upstream.exchange.attempt import Attempt

# Slower than this is equally bad: the number of connections decides.
_SLOWEST_MS: Final = 5000
# Times that differ by less are the same, so that round robin has something to choose from.
_STEP_MS: Final = 20


def first_byte(attempt: Attempt) -> int:
    """Milliseconds until the answer's head was there, or a session's first byte; -1 without."""
    return attempt.header_ms() if attempt.head_read >= 0 else -1


def connecting(attempt: Attempt) -> int:
    """Milliseconds until the connection was there; -1 without."""
    return max(0, round((attempt.connected - attempt.began) * 1000)) if attempt.connected >= 0 else -1


class Mode(NamedTuple):
    """Which time is compared."""

    header: bool  # the early one, or that of the whole
    measure: Callable[[Attempt], int] = first_byte  # the early one
    alone: bool = False  # the whole counts also where the early one is not known
    at_connect: bool = False  # the early one is known with the connection


HEADER: Final = Mode(True)
ANSWER: Final = Mode(False)
# those of sessions
CONNECT: Final = Mode(True, connecting, True, True)
FIRST_BYTE: Final = Mode(True, alone=True)
LAST_BYTE: Final = Mode(False, alone=True)


class LeastTimeChoice(Choice):
    """Picks of `least_time header`, `least_time last_byte` and the like."""

    __slots__ = ("at_connect", "clock", "header", "mode")

    def __init__(self, group: Group, mode: Mode, *, clock: Callable[[], int] = monotonic_ms) -> None:
        super().__init__(group)
        self.mode = mode
        self.header = mode.header
        self.at_connect = mode.at_connect
        self.clock = clock

    def _expected(self, peer: Peer, now: int) -> int:
        """How long the peer would need for what it has to do and this request."""
        time = peer.header_time if self.header else peer.response_time
        idle = now - peer.checked
        if idle > peer.fail_timeout:
            # once in fail_timeout a time is halved, so that a slow peer gets another chance
            time >>= idle // (peer.fail_timeout + 1)
        if peer.inflight > 0:
            time = max(time, peer.inflight_time)
        time = _SLOWEST_MS if time > _SLOWEST_MS else time + _STEP_MS - time % _STEP_MS
        return time * (1 + peer.conns)

    def _best(self, now: int, wanted: int) -> int:
        if wanted >= 0:
            return wanted

        def cost(peer: Peer) -> int:
            if peer.inflight > 0:
                waiting = peer.inflight_last // peer.inflight + self.clock() - peer.inflight_changed
                peer.inflight_time = moving_average(peer.inflight_time, waiting)
            return self._expected(peer, now)

        return least(self.peers, self.tried, now, cost)

    def _average(self, peer: Peer, attempt: Attempt) -> None:
        """Not only in a zone: see _release."""

    def _release(self, outcome: Outcome, now: int, attempt: Attempt | None) -> int:
        peer = self.current
        assert peer is not None
        if outcome is Outcome.OK and attempt is not None:
            self._learn(peer, attempt)
        return super()._release(outcome, now, attempt)

    def _learn(self, peer: Peer, attempt: Attempt, early: bool = True) -> None:
        took = self.mode.measure(attempt)
        if took >= 0 and early:
            peer.header_time = moving_average(peer.header_time, took)
        if took >= 0 or self.mode.alone:
            peer.response_time = moving_average(peer.response_time, attempt.response_ms())


class InflightChoice(LeastTimeChoice):
    """Picks of `least_time … inflight`: what is under way counts as soon as it takes longer than usual."""

    __slots__ = ("counted",)

    def __init__(self, group: Group, mode: Mode, *, clock: Callable[[], int] = monotonic_ms) -> None:
        super().__init__(group, mode, clock=clock)
        self.notify = True
        self.counted = False

    def _best(self, now: int, wanted: int) -> int:
        chosen = super()._best(now, wanted)
        if chosen >= 0:
            peer = self.peers[chosen]
            moment = self.clock()
            if peer.inflight > 0:
                peer.inflight_last += (moment - peer.inflight_changed) * peer.inflight
            peer.inflight_changed = moment
            peer.begin_inflight()
            self.counted = True
        return chosen

    def head_came(self, attempt: Attempt) -> None:
        if not self.header:
            return
        lock = self.group.lock
        if lock is None:
            self._head_came(attempt)
        else:
            with lock:
                self._head_came(attempt)

    def _head_came(self, attempt: Attempt) -> None:
        peer = self.current
        if peer is not None:
            took = self.mode.measure(attempt)
            peer.header_time = moving_average(peer.header_time, took)
            self._done(peer, took)

    def _done(self, peer: Peer, took: int) -> None:
        """This request is no longer under way, as far as its time matters."""
        if not self.counted:
            return
        self.counted = False
        if peer.inflight <= 1:
            peer.inflight_last = 0
        else:
            moment = self.clock()
            peer.inflight_last += (moment - peer.inflight_changed) * peer.inflight - took
            peer.inflight_changed = moment
        peer.end_inflight()

    def _learn(self, peer: Peer, attempt: Attempt, early: bool = True) -> None:
        super()._learn(peer, attempt, not self.header)  # else head_came() has learned it

    def _release(self, outcome: Outcome, now: int, attempt: Attempt | None) -> int:
        peer = self.current
        assert peer is not None
        self._done(peer, 0 if attempt is None else attempt.response_ms())
        return super()._release(outcome, now, attempt)
