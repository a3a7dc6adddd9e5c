"""Balancers that pick by a key: `hash`, `hash … consistent` and `ip_hash`, with the peer that nginx picks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from typing import Final
from zlib import crc32

from gateway._fast.peers import smooth
from gateway.upstream.peers.peers import Choice, Group, Peer

# After so many picks that fell on a peer already tried or not usable, round robin decides.
MAX_TRIES: Final = 20

# Points on the ring for each unit of weight.
POINTS: Final = 160


class _KeyedChoice(Choice, ABC):
    """A hash leads to a place on the list of peers, each as wide as its weight."""

    __slots__ = ("hash", "misses")

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self.hash = 0
        self.misses = 0

    @abstractmethod
    def _next_hash(self) -> int:
        """The hash of this try; another one for each try of a request."""

    def _best(self, now: int, wanted: int) -> int:
        peers = self.peers
        while len(peers) > 1 and self.misses <= MAX_TRIES:
            if wanted >= 0:
                return wanted
            place = self._next_hash() % self.group.total_weight
            index = 0
            while place >= peers[index].weight:
                place -= peers[index].weight
                index += 1
            if not self.tried >> index & 1 and peers[index].usable(now):
                return index
            self.misses += 1
        return super()._best(now, wanted)


class HashChoice(_KeyedChoice):
    """Picks of `hash key`, compatible with Cache::Memcached: crc32 of the key, rehashed with a counter before it."""

    __slots__ = ("key", "rehash")

    def __init__(self, group: Group, key: bytes) -> None:
        super().__init__(group)
        self.key = key
        self.rehash = 0
        if not key:
            self.misses = MAX_TRIES + 1

    def _next_hash(self) -> int:
        text = b"%d%b" % (self.rehash, self.key) if self.rehash else self.key
        self.rehash += 1
        self.hash += crc32(text) >> 16 & 0x7FFF
        return self.hash


class IpHashChoice(_KeyedChoice):
    """Picks of `ip_hash`: the first three octets of an IPv4 client, the whole of an IPv6 one, zeros for the rest."""

    __slots__ = ("octets",)

    def __init__(self, group: Group, address: bytes) -> None:
        """`address` is packed: 4 bytes, 16 bytes, or empty for a client on a unix socket."""
        super().__init__(group)
        self.octets = address if len(address) == 16 else address[:3] if address else b"\0\0\0"
        self.hash = 89

    def _next_hash(self) -> int:
        value = self.hash
        for octet in self.octets:
            value = (value * 113 + octet) % 6271
        self.hash = value
        return value


class Ring:
    """The points of consistent hashing (ketama), as Cache::Memcached::Fast and nginx lay them."""

    __slots__ = ("hashes", "others", "peers", "servers")

    def __init__(self, group: Group) -> None:
        self.peers: list[Peer] = []
        self.hashes: list[int] = []
        self.servers: list[bytes] = []
        self.others: dict[bytes, int] = {}  # by server: a bit for each peer of another one
        self.follow(group.peers)

    def follow(self, peers: list[Peer]) -> None:
        """Lay the points anew if the peers are others than before."""
        if peers is self.peers:
            return
        points: list[tuple[int, bytes]] = []
        for peer in peers:
            base = crc32(_host_and_port(peer.server))
            previous = 0
            for _ in range(peer.weight * POINTS):
                previous = crc32(previous.to_bytes(4, "little"), base)
                points.append((previous, peer.server))
        points.sort(key=lambda point: point[0])
        self.hashes = []
        self.servers = []
        for value, server in points:
            if not self.hashes or self.hashes[-1] != value:
                self.hashes.append(value)
                self.servers.append(server)
        self.others = dict.fromkeys((peer.server for peer in peers), (1 << len(peers)) - 1)
        for index, peer in enumerate(peers):
            self.others[peer.server] &= ~(1 << index)
        self.peers = peers

    def find(self, key: bytes) -> int:
        """The index of the first point at or after the key's hash; one past the end wraps round."""
        return bisect_left(self.hashes, crc32(key))


def _host_and_port(server: bytes) -> bytes:
    """`host NUL port` of a server's name; a unix socket and a bare host have an empty port."""
    if server[:5].lower() == b"unix:":
        return server[5:] + b"\0"
    host, colon, port = server.rpartition(b":")
    if colon and (not port or port.isdigit()):
        return host + b"\0" + port
    return server + b"\0"


class ConsistentChoice(Choice):
    """Picks of `hash key consistent`."""

    __slots__ = ("key", "misses", "point", "ring")

    def __init__(self, group: Group, key: bytes, ring: Ring) -> None:
        super().__init__(group)
        self.ring = ring
        self.key = key
        self.point = -1
        self.misses = 0 if key else MAX_TRIES + 1

    def _follow(self) -> None:
        super()._follow()
        self.point = -1

    def _best(self, now: int, wanted: int) -> int:
        self.ring.follow(self.peers)
        servers = self.ring.servers
        if self.point < 0:
            self.point = self.ring.find(self.key)
        while servers and self.misses <= MAX_TRIES:
            if wanted >= 0:
                return wanted
            # A host name can stand for several peers on the same points: smooth round robin among those.
            others = self.ring.others[servers[self.point % len(servers)]]
            chosen = smooth(self.peers, self.tried | others, now)
            if chosen >= 0:
                return chosen
            self.point += 1
            self.misses += 1
        return super()._best(now, wanted)
