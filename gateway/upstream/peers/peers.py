"""Peers of an upstream: who is asked next, and who is left alone for a while.

The order is nginx's smooth weighted round robin: each pick raises every candidate by its effective weight, takes the
highest and lowers it by the sum; a failure lowers the effective weight, each later pick raises it by one again.

What a peer keeps at run time are words, in the peer's own memory or, with `zone`, in memory that all workers share
(zone.py); a group that is shared has a lock, and whoever reads or writes several words of a peer holds it.
Seconds and milliseconds without another word are of the monotonic clock; "wall" is since the epoch.

=================  ================================================================================================
slot               in a zone: FREE, PEER, TEMPLATE (a name that is resolved at run time: never picked), GONE
group              in a zone: whose peer this is, twice the upstream's place, plus one for backup
id                 in a zone: the API's id; the peers of a group are in the order of their ids
parent             in a zone: the id of the TEMPLATE that this peer was resolved from, -1 for none
weight … fail_timeout, slow_start
                   as `server` says or as the API changed them; fail_timeout in seconds, slow_start in ms
conns              requests under way: the API's "active"
fails              unsuccessful attempts since the last good one; max_fails of them take the peer out
accessed, checked  seconds: the last failure; the last failure or pick that was a check
effective_weight, current_weight
                   of the round robin
down               0, DOWN or DRAINING (only requests that `sticky` binds to it)
ramp_since         slow_start: ms when the peer came back, 0 when it does not ramp up
ramp_credit        slow_start: millionths of a pick that it may claim
header_time, response_time
                   ms, moving averages as least_time makes them: 19 parts old, 1 part new
inflight_time, inflight_last, inflight_changed, inflight
                   least_time … inflight: nginx's words of these names
health             HEALTHY, CHECKING (mandatory, not yet checked) or UNHEALTHY; the last two are never picked
checks, check_fails, unhealthy
                   probes sent, probes failed, times the peer became UNHEALTHY
last_passed        1 when the last probe was good, 0 when not, or none was sent
streak             good probes in a row, or as a negative number bad ones
last_check         ms: when the last probe began
selected           wall ms of the last pick
requests, responses_1xx … responses_5xx, sent, received
                   of all exchanges with it; bytes as in $upstream_bytes_sent and _received
failed             unsuccessful attempts ever: the API's "fails"
unavail            times that max_fails took the peer out
downtime           ms that the peer was "unavail", "checking" or "unhealthy", up to downstart
downstart          wall ms since when it is so, 0 when it is not
=================  ================================================================================================

Active checks write `health` by Peer.set_health, under the lock, which keeps downtime, downstart, unhealthy and
slow_start right. Peers come and go at run time by SharedPeers.add, remove and change (upstream/peers/zone.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.peers import WORDS, PeerState, Word, smooth
from gateway.upstream.peers.address import Address

if TYPE_CHECKING:
    from gateway.upstream.exchange.attempt import Attempt

# A number of C's in what is compiled, see peers.pxd; an int of any size.
Number = int
Bits = Any

FREE: Final = 0
PEER: Final = 1
TEMPLATE: Final = 2
GONE: Final = 3

DOWN: Final = 1
DRAINING: Final = 2

HEALTHY: Final = 0
CHECKING: Final = 1
UNHEALTHY: Final = 2


class Outcome(IntFlag):
    """How an attempt ended, told to `Choice.free`; nginx's NGX_PEER_*."""

    OK = 0
    NEXT = 1  # asked to go on to another peer, but this one is not to blame (403, 404)
    # A connection kept from earlier had ended: that is no attempt that `tries` counts, so a peer without others is
    # asked anew, on a new connection. Among several another one has its turn. Nor is it the peer's failure, as it is
    # in nginx.
    STALE = 2
    FAILED = 4


# bound: each request pays a look-up in an enum else
_FAILED: Final = Outcome.FAILED
_STALE: Final = Outcome.STALE


@dataclass(slots=True)
class UpstreamServer:
    """One `server` line of an upstream block; a host name can stand for several addresses."""

    name: bytes  # as written, it is what consistent hashing hashes
    addresses: list[Address] = field(default_factory=list)
    weight: int = 1
    max_conns: int = 0
    max_fails: int = 1
    fail_timeout: int = 10
    slow_start: int = 0  # ms
    backup: bool = False
    down: int = 0
    route: bytes = b""
    resolve: bool = False  # the name is resolved at run time
    service: bytes = b""


class Peer(PeerState):
    """One address to connect to."""

    __slots__ = ("_sid", "number", "route", "server", "service")

    address: Address

    number: int  # its id when this object was made: the slot may be another peer's by now

    # the words: see the table at the top
    slot: int
    group: int
    id: int
    parent: int
    weight: int
    max_conns: int
    max_fails: int
    fail_timeout: int
    slow_start: int
    conns: int
    fails: int
    accessed: int
    checked: int
    effective_weight: int
    current_weight: int
    down: int
    ramp_since: int
    ramp_credit: int
    header_time: int
    response_time: int
    inflight_time: int
    inflight_last: int
    inflight_changed: int
    inflight: int
    health: int
    checks: int
    check_fails: int
    unhealthy: int
    last_passed: int
    streak: int
    last_check: int
    selected: int
    requests: int
    responses_1xx: int
    responses_2xx: int
    responses_3xx: int
    responses_4xx: int
    responses_5xx: int
    sent: int
    received: int
    failed: int
    unavail: int
    downtime: int
    downstart: int

    def __init__(self, address: Address, server: UpstreamServer, memory: Any = None) -> None:
        """`memory`: where its words lie from now on, instead of its own; they are set anew."""
        if memory is not None:
            self.attach(memory)
            self.reset()
        self._named(address, server.name, server.route, server.service)
        self.number = 0
        self.parent = -1
        self.weight = self.effective_weight = server.weight
        self.max_conns = server.max_conns
        self.max_fails = server.max_fails
        self.fail_timeout = server.fail_timeout
        self.slow_start = server.slow_start
        self.down = server.down

    def _named(self, address: Address, server: bytes, route: bytes, service: bytes) -> None:
        self.address = address
        self.name = address.name
        self.sockaddr = address.sockaddr
        self.is_unix = address.is_unix
        self.server = server
        self.route = route
        self.service = service
        self._sid = route

    @classmethod
    def at(cls, memory: Any, address: Address, server: bytes, route: bytes, service: bytes) -> Peer:
        """A peer whose words lie in `memory` already."""
        peer: Peer = cls.__new__(cls)
        peer.attach(memory)
        peer._named(address, server, route, service)
        return peer

    def __repr__(self) -> str:
        return f"<Peer {self.name.decode(errors='replace')}>"

    @property
    def sid(self) -> bytes:
        """What `sticky` knows the peer by: its route, or the MD5 of its address."""
        if not self._sid and self.name:
            self._sid = hashlib.md5(self.name, usedforsecurity=False).hexdigest().encode()
        return self._sid

    def state(self, now: int) -> str:
        """The API's word for how the peer is."""
        if self.down & DOWN:
            return "down"
        if self.down:
            return "draining"
        if self.health:
            return "checking" if self.health == CHECKING else "unhealthy"
        if self.max_fails and self.fails >= self.max_fails and now - self.checked <= self.fail_timeout:
            return "unavail"
        return "up"

    def set_health(self, health: int) -> bool:
        """HEALTHY, CHECKING or UNHEALTHY, from an active check; True if that is a change."""
        if health == self.health:
            return False
        if health == HEALTHY:
            self.came_back()
        else:
            self.left()
            self.unhealthy += health == UNHEALTHY
        self.health = health
        return True


for _index, _name in enumerate(WORDS):
    setattr(Peer, _name, Word(_index))


class Group:
    """The primary or the backup peers of an upstream; the unit that one lock guards.

    Compiled with the types of peers.pxd, as Choice is: an attribute has its line there too.
    """

    def __init__(self, name: bytes, peers: Sequence[Peer], backup: Group | None = None) -> None:
        self.name = name
        self.peers: list[Peer] = []  # never changed in place: whoever holds the list can see that it is another one
        self.backup: Group | None = None
        self.is_backup = False
        self.single = False
        self.total_weight = 0
        self.tries = 0
        self.lock: AbstractContextManager[Any] | None = None
        self.sync: Any = None  # with a lock: called with it before each pick, in case the peers have changed
        self.fill(list(peers), backup)

    def fill(self, peers: list[Peer], backup: Group | None) -> None:
        """These are the peers now."""
        self.peers = peers
        self.backup = backup
        if backup is not None:
            backup.is_backup = True
            backup.single = False
        self.total_weight = sum(peer.weight for peer in peers)
        self.tries = sum(1 for peer in peers if not peer.down)
        # A peer without alternatives is never taken out for failing: a late answer is better than a sure 502.
        self.single = len(peers) == 1 and backup is None and not self.is_backup


def moving_average(average: int, value: int) -> int:
    """As least_time has it: 19 parts old, 1 part new, rounded; the first value as it is."""
    return int(0.5 + value * 0.05 + average * 0.95) if average else value


def make_groups(name: bytes, servers: Iterable[UpstreamServer]) -> Group:
    """The groups of an upstream from its `server` lines, in their order; every address is a peer."""
    primary: list[Peer] = []
    spare: list[Peer] = []
    for server in servers:
        (spare if server.backup else primary).extend(Peer(address, server) for address in server.addresses)
    return Group(name, primary, Group(name, spare) if spare else None)


class Choice:
    """The picks for one request: round robin, and the base of the other balancers.

    `get(now)` picks and counts a connection, `free(outcome, now)` gives the pick back. `now` is in whole seconds, as
    nginx compares them. `tries` says how many attempts are left.
    """

    at_connect = False  # of sessions: head_came is for the moment when the peer is connected

    def __init__(self, group: Group) -> None:
        self.notify: bool = False  # whether the balancer wants to know when a response's head is there (head_came)
        if group.lock is not None:
            with group.lock:
                group.sync()
        self.group = group
        self.peers = group.peers
        self.tried: Bits = 0  # one for each peer of the group
        self.hint: bytes | None = None  # the sid of the peer that a sticky session wants
        self.session: Any = None  # of `sticky`
        self.current: Peer | None = None
        self.tries = group.tries if group.backup is None else group.tries + group.backup.tries

    def get(self, now: Number) -> Peer | None:
        """The next peer, or None when no peer is left: "no live upstreams"."""
        lock = self.group.lock
        if lock is None:
            return self._pick(now)
        with lock:
            self.group.sync()
            if self.peers is not self.group.peers:
                self._follow()
            return self._pick(now)

    def _follow(self) -> None:
        """The group has got other peers while we work: those that were tried stay tried."""
        tried = {id(peer) for index, peer in enumerate(self.peers) if self.tried >> index & 1}
        self.peers = self.group.peers
        self.tried = sum(1 << index for index, peer in enumerate(self.peers) if id(peer) in tried)

    def _pick(self, now: Number) -> Peer | None:
        group = self.group
        wanted = -1 if self.hint is None else self._by_sid(self.hint, now)
        if group.single and wanted < 0:
            peer = self.peers[0]
            index = peer.usable_alone() - 1
        else:
            index = self._best(now, wanted)
        if index < 0:
            if group.backup is None:
                return None
            self.group = group.backup
            self.peers = self.group.peers
            self.tried = 0
            return self._pick(now)
        peer = self.peers[index]
        self.tried |= 1 << index
        peer.take(now, not group.single)
        self.current = peer
        return peer

    def _by_sid(self, sid: bytes, now: Number) -> int:
        """The peer of a sticky session, if it can be used; a draining one can."""
        for index, peer in enumerate(self.peers):
            if peer.sid == sid:
                return index if not self.tried >> index & 1 and peer.usable(now, DRAINING) else -1
        return -1

    def _best(self, now: Number, wanted: Number) -> Number:
        """The index of the peer to take, -1 for none; `wanted`: the one of a sticky session, or -1."""
        return smooth(self.peers, self.tried, now, wanted, self.group.total_weight)

    def head_came(self, attempt: Attempt) -> None:
        """The current peer's head was read; called if `notify` says so."""

    def free(self, outcome: Outcome, now: Number, attempt: Attempt | None = None) -> Number:
        """Give the current peer back: 0, or LEFT_ALONE, HAS_LEFT ("temporarily disabled"), IS_BACK."""
        lock = self.group.lock
        if lock is None:
            return self._release(outcome, now, attempt)
        with lock:
            peer = self.current
            if attempt is not None and peer is not None:
                peer.account(attempt.status, attempt.sent, attempt.received)
                if outcome is Outcome.OK and attempt.head_read >= 0:
                    self._average(peer, attempt)
            return self._release(outcome, now, attempt)

    def _average(self, peer: Peer, attempt: Attempt) -> None:
        """Let a good answer into the averages."""
        peer.header_time = moving_average(peer.header_time, attempt.header_ms())
        peer.response_time = moving_average(peer.response_time, attempt.response_ms())

    def _release(self, outcome: Outcome, now: Number, attempt: Attempt | None) -> Number:
        peer = self.current
        assert peer is not None
        self.current = None
        single = self.group.single
        change = peer.give(outcome is _FAILED, single, now)
        if outcome is _STALE:
            pass
        elif single:
            self.tries = 0
        elif self.tries:
            self.tries -= 1
        return change
