"""Peers of an upstream: who is asked next, and who is left alone for a while.

The order is nginx's smooth weighted round robin: each pick raises every candidate by its effective weight, takes the
highest and lowers it by the sum; a failure lowers the effective weight, each later pick raises it by one again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, Final

from gateway.upstream.address import Address

# What a peer keeps at run time. A shared zone holds these words for all workers, see ZonePeer.
WORDS: Final = ("conns", "fails", "accessed", "checked", "effective_weight", "current_weight", "down")

DOWN: Final = 1
DRAINING: Final = 2


class Outcome(IntFlag):
    """How an attempt ended, told to `Choice.free`; nginx's NGX_PEER_*."""

    OK = 0
    NEXT = 1  # asked to go on to another peer, but this one is not to blame (403, 404)
    FAILED = 4


@dataclass(slots=True)
class Server:
    """One `server` line of an upstream block; a host name can stand for several addresses."""

    name: bytes  # as written, it is what consistent hashing hashes
    addresses: list[Address] = field(default_factory=list)
    weight: int = 1
    max_conns: int = 0
    max_fails: int = 1
    fail_timeout: int = 10
    backup: bool = False
    down: int = 0
    route: bytes = b""


class Peer:
    """One address to connect to, with its words in private memory."""

    __slots__ = ("address", "fail_timeout", "max_conns", "max_fails", "name", "route", "server", "weight", *WORDS)

    conns: int
    fails: int
    accessed: int
    checked: int
    effective_weight: int
    current_weight: int
    down: int

    def __init__(self, address: Address, server: Server) -> None:
        self.address = address
        self.name = address.name
        self.server = server.name
        self.weight = server.weight
        self.max_conns = server.max_conns
        self.max_fails = server.max_fails
        self.fail_timeout = server.fail_timeout
        self.route = server.route
        for word in WORDS:
            setattr(self, word, 0)
        self.effective_weight = server.weight
        self.down = server.down

    def __repr__(self) -> str:
        return f"<Peer {self.name.decode(errors='replace')}>"

    def usable(self, now: int) -> bool:
        """Whether the peer may get a request: not down, not failing, not full."""
        if self.down:
            return False
        if self.max_fails and self.fails >= self.max_fails and now - self.checked <= self.fail_timeout:
            return False
        return not (self.max_conns and self.conns >= self.max_conns)


def _word(index: int) -> property:
    def read(peer: ZonePeer) -> int:
        return int(peer.words[index])

    def write(peer: ZonePeer, value: int) -> None:
        peer.words[index] = value

    return property(read, write)


class ZonePeer(Peer):
    """A peer whose words lie in memory that all workers share; the group's lock guards them."""

    __slots__ = ("words",)

    def __init__(self, address: Address, server: Server, words: memoryview, *, fresh: bool = True) -> None:
        """`words` is a memoryview of len(WORDS) signed 64-bit numbers; not `fresh`: it keeps what it holds."""
        self.words = words
        kept = None if fresh else list(words)
        super().__init__(address, server)
        if kept is not None:
            for index, value in enumerate(kept):
                words[index] = value

    for _index, _name in enumerate(WORDS):
        locals()[_name] = _word(_index)
    del _index, _name


class Group:
    """The primary or the backup peers of an upstream; the unit that one lock guards."""

    __slots__ = ("backup", "lock", "name", "peers", "single", "total_weight", "tries")

    def __init__(self, name: bytes, peers: Sequence[Peer], backup: Group | None = None) -> None:
        self.name = name
        self.peers = list(peers)
        self.backup = backup
        self.total_weight = sum(peer.weight for peer in self.peers)
        self.tries = sum(1 for peer in self.peers if not peer.down)
        # A peer without alternatives is never taken out for failing: a late answer is better than a sure 502.
        self.single = len(self.peers) == 1 and backup is None
        self.lock: AbstractContextManager[Any] | None = None


def make_groups(name: bytes, servers: Iterable[Server]) -> Group:
    """The groups of an upstream from its `server` lines, in their order; every address is a peer."""
    primary: list[Peer] = []
    spare: list[Peer] = []
    for server in servers:
        (spare if server.backup else primary).extend(Peer(address, server) for address in server.addresses)
    backup = Group(name, spare) if spare else None
    if backup is not None:
        backup.single = False
    return Group(name, primary, backup)


class Choice:
    """The picks for one request: round robin, and the base of the other balancers.

    `get(now)` picks and counts a connection, `free(outcome, now)` gives the pick back. `now` is in whole seconds, as
    nginx compares them. `tries` says how many attempts are left.
    """

    __slots__ = ("current", "group", "tried", "tries")

    def __init__(self, group: Group) -> None:
        self.group = group
        self.tried = 0  # a bit for each peer of the group
        self.current: Peer | None = None
        self.tries = group.tries if group.backup is None else group.tries + group.backup.tries

    def get(self, now: int) -> Peer | None:
        """The next peer, or None when no peer is left: "no live upstreams"."""
        lock = self.group.lock
        if lock is None:
            return self._pick(now)
        with lock:
            return self._pick(now)

    def _pick(self, now: int) -> Peer | None:
        group = self.group
        if group.single:
            peer: Peer | None = group.peers[0]
            assert peer is not None
            if peer.down or (peer.max_conns and peer.conns >= peer.max_conns):
                return None
        else:
            peer = self._best(now)
            if peer is None:
                if group.backup is None:
                    return None
                self.group = group.backup
                self.tried = 0
                return self.get(now)
        self.current = peer
        peer.conns += 1
        return peer

    def _best(self, now: int) -> Peer | None:
        """The round robin proper."""
        best: Peer | None = None
        best_bit = 0
        total = 0
        bit = 1
        tried = self.tried
        for peer in self.group.peers:
            if not tried & bit and peer.usable(now):
                peer.current_weight += peer.effective_weight
                total += peer.effective_weight
                if peer.effective_weight < peer.weight:
                    peer.effective_weight += 1
                if best is None or peer.current_weight > best.current_weight:
                    best = peer
                    best_bit = bit
            bit <<= 1
        if best is None:
            return None
        best.current_weight -= total
        self._taken(best, best_bit, now)
        return best

    def _taken(self, peer: Peer, bit: int, now: int) -> None:
        """Note a pick; one request in fail_timeout is the check that can bring a failing peer back."""
        self.tried |= bit
        if now - peer.checked > peer.fail_timeout:
            peer.checked = now

    def free(self, outcome: Outcome, now: int) -> bool:
        """Give the current peer back; True when it is now left alone ("temporarily disabled")."""
        lock = self.group.lock
        if lock is None:
            return self._release(outcome, now)
        with lock:
            return self._release(outcome, now)

    def _release(self, outcome: Outcome, now: int) -> bool:
        peer = self.current
        assert peer is not None
        self.current = None
        peer.conns -= 1
        if self.group.single:
            if peer.fails:
                peer.fails = 0
            self.tries = 0
            return False
        disabled = False
        if outcome & Outcome.FAILED:
            peer.fails += 1
            peer.accessed = now
            peer.checked = now
            if peer.max_fails:
                peer.effective_weight = max(0, peer.effective_weight - peer.weight // peer.max_fails)
                disabled = peer.fails >= peer.max_fails
        elif peer.accessed < peer.checked:
            peer.fails = 0
        if self.tries:
            self.tries -= 1
        return disabled
