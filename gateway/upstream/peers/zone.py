"""The peers of upstreams with `zone`, in memory that all workers share; they come and go at run time.

A zone serves any number of upstreams. It is cut into slots of SLOT_BYTES: a peer's words (peers.py says
what they mean), then its texts: address, name, server, route, service. Each upstream has a few words at the zone's
start; one is its version, which grows with every change of the membership or of a weight. Before a pick a worker
compares it with the version that it knows, and makes its list of peers anew when it differs; a Peer whose slot went on
stays the same object. A slot that was removed is taken again when its last request has ended.

    shared = upstream.shared                       None without `zone`
    peer = shared.add(server, address)             another Server, by the API or from DNS (parent=template's id)
    shared.remove(peer.id)                         no new requests; those under way go on. With a template its children
    shared.change(peer.id, weight=3, down=DOWN)    words of the configuration
    shared.rename(peer.id, server, address)        another address, name or route, the same id
    for peer in shared.members(): …                all, templates too (peer.slot == TEMPLATE), in the order of ids
    with shared.lock: peer.set_health(UNHEALTHY)   words that do not change the list of peers are simply written
    shared.on_duty()                               whether this worker is the one that resolves and probes

These are plain functions for any worker, at any time; each takes the lock itself. `add` raises MemoryError when the
zone is full ("no memory in upstream zone"). The master makes all peers of the configuration when it maps the zone; a
`server … resolve` is a TEMPLATE there, and what DNS gave for it in the old cycle is there again at once.

A reload makes new memory, as nginx does (the old workers go on with the old one); a peer of the same upstream, server
line, address and group takes over what was counted and found out about it: KEPT.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.peers import WORDS, PeerState
from gateway.core.siblings import is_sibling
from gateway.core.zones import Zone, ZoneError
from gateway.upstream.peers.address import Address, parse_target, with_port
from gateway.upstream.peers.peers import CHECKING, FREE, GONE, PEER, TEMPLATE, Group, Peer, UpstreamServer
from gateway.upstream.peers.worker_counts import WorkerCounts

if TYPE_CHECKING:
    from gateway.upstream.peers.upstreams import Upstream

_TEXTS_AT: Final = 512
_LENGTHS: Final = struct.Struct("5H")
# sockaddr_un is the longest address, "unix:" and its path the longest name; a host name has up to 253 octets.
_ROOMS: Final = (112, 120, 304, 32, 64)  # address, name, server, route, service
SLOT_BYTES: Final = _TEXTS_AT + 16 + sum(_ROOMS)
assert len(WORDS) * 8 <= _TEXTS_AT and SLOT_BYTES % 8 == 0

_CODES: Final = 500  # statuses from 100 on

_SLOT: Final = WORDS.index("slot")
_GROUP: Final = WORDS.index("group")
_ID: Final = WORDS.index("id")
_CONNS: Final = WORDS.index("conns")

# words of a zone: the slots from _TOP on were never used; whether any peer has ever been removed
_TOP, _GONE_ONCE, _OWN = range(3)

# words of an upstream
_VERSION, _NEXT_ID, _DUTY, _ASKED, _HEAD = range(5)

KEPT: Final = (
    "fails", "accessed", "checked", "header_time", "response_time", "ramp_since", "ramp_credit",
    "health", "checks", "check_fails", "unhealthy", "last_passed", "streak", "last_check",
    "selected", "requests", "responses_1xx", "responses_2xx", "responses_3xx", "responses_4xx", "responses_5xx",
    "sent", "received", "failed", "unavail", "downtime", "downstart",
)  # fmt: skip

# What requests under way will take back, in the slot that they know.
_UNDER_WAY: Final = ("slot", "conns", "inflight", "inflight_last")

_NOWHERE: Final = Address(b"", b"")


class PeersZone:
    """What a shared memory zone is used for: the peers of the upstreams that name it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.upstreams: list[Upstream] = []
        self.zone: Zone
        self.slots = 0
        self.worker_counts: WorkerCounts
        self.codes: memoryview  # beside the zone's own memory: responses of each slot by status
        self.row: memoryview | None = None  # this worker's part of the counts

    def attach(self, zone: Zone, old: PeersZone | None) -> None:
        """The zone has its memory: put the peers there, with what the old cycle's knew of them. Errors: ZoneError."""
        self.zone = zone
        zone.data = self
        self.words = zone.words(_OWN).view
        heads = zone.words(_HEAD * len(self.upstreams)).view
        slots = self.slots = zone.left // SLOT_BYTES
        self.memory = zone.words(slots * SLOT_BYTES // 8).view.cast("B")
        self.worker_counts = WorkerCounts(slots)
        self.codes = memoryview(mmap.mmap(-1, max(slots * _CODES, 1) * 8)).cast("q")
        self.row = None
        earlier = {} if old is None else {upstream.name: upstream.shared for upstream in old.upstreams}
        try:
            for index, upstream in enumerate(self.upstreams):
                head = heads[index * _HEAD : (index + 1) * _HEAD]
                upstream.shared = SharedPeers(self, upstream, index, head)
                upstream.shared.begin(earlier.get(upstream.name))
        except MemoryError:
            raise ZoneError(f'zone "{self.name}" is too small') from None

    def begin_worker(self) -> None:
        """This worker's requests are counted as its own from now on."""
        with self.zone.lock:
            self.row = self.worker_counts.claim(os.getpid())
            for upstream in self.upstreams:
                if upstream.shared is not None:
                    upstream.shared.keep_parts()

    def bury(self, pid: int) -> None:
        """A worker is dead: what it had under way is not."""
        with self.zone.lock:
            for slot, conns, inflight in self.worker_counts.close(pid):
                state = PeerState()
                state.attach(self.bytes_of(slot))
                state.write_off(conns, inflight)

    def bytes_of(self, slot: int) -> memoryview:
        return self.memory[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES]

    def find_free(self) -> int:
        """A slot that is free; MemoryError if there is none."""
        words = self.words
        if words[_GONE_ONCE]:
            for slot in range(words[_TOP]):
                if self.is_free(slot):
                    return slot
        slot = words[_TOP]
        if slot >= self.slots:
            raise MemoryError("no memory in upstream zone")
        words[_TOP] = slot + 1
        return int(slot)

    @property
    def unused(self) -> int:
        """Bytes of slots that are free."""
        return (self.slots - self.used) * SLOT_BYTES

    @property
    def used(self) -> int:
        """Slots that are in use."""
        return sum(1 for slot in range(self.words[_TOP]) if not self.is_free(slot))

    def is_free(self, slot: int) -> bool:
        words = self.bytes_of(slot).cast("q")
        return words[_SLOT] == FREE or (words[_SLOT] == GONE and words[_CONNS] <= 0)


class SharedPeers:
    """The peers of one upstream in a zone, as this worker sees them."""

    def __init__(self, zone: PeersZone, upstream: Upstream, index: int, head: memoryview) -> None:
        self.zone = zone
        self.upstream = upstream
        self.lock: AbstractContextManager[Any] = zone.zone.lock
        self._groups = (2 * index, 2 * index + 1)
        self._head = head
        self._version = -1
        self._known: dict[int, Peer] = {}  # by slot
        self._templates_at = -1
        self._templates: dict[int, Peer] = {}
        self._members_at = -1
        self._members: list[Peer] = []
        primary, backup = upstream.group, Group(upstream.name, ())
        backup.is_backup = True
        self._both = (primary, backup)
        for group in self._both:
            group.lock = self.lock
            group.sync = self.sync

    def begin(self, old: SharedPeers | None) -> None:
        """Make the peers of the configuration."""
        with self.lock:
            servers = self.upstream.servers
            self._head[_ASKED] = 1
            for server in [*(s for s in servers if not s.backup), *(s for s in servers if s.backup)]:
                if server.resolve:
                    template = self._add(server, _NOWHERE, -1, TEMPLATE)
                    known = [] if old is None else old.resolved(server)
                    for address, name in known:
                        self._add(server, address, template.id, PEER, name)
                    if not known:
                        self._head[_ASKED] = 0
                for address in server.addresses:
                    self._add(server, address, -1, PEER)
            if old is not None:
                self._take_over(old)
            self._changed()

    def _take_over(self, old: SharedPeers) -> None:
        def key(shared: SharedPeers, peer: Peer) -> tuple[bytes, bytes, bool]:
            return peer.server, peer.name, peer.group == shared._groups[1]

        checks = self.upstream.health_checks
        # what checks found does not hold without any, nor for mandatory ones that do not say so
        keeps = bool(checks) and all(check.persistent for check in checks if check.mandatory)
        with old.lock:
            before: dict[tuple[bytes, bytes, bool], list[Peer]] = {}
            for peer in old._scan():
                before.setdefault(key(old, peer), []).append(peer)
            for peer in self._scan():
                found = before.get(key(self, peer))
                if found:
                    # of several that are the same, each takes over from one
                    earlier = found.pop(0)
                    own = peer.health, peer.downstart
                    for word in KEPT:
                        setattr(peer, word, getattr(earlier, word))
                    peer.codes = earlier.codes
                    if not keeps and (checks or earlier.health):
                        peer.health, peer.downstart = own

    def resolved(self, server: UpstreamServer) -> list[tuple[Address, bytes]]:
        """What the same name was resolved to before a reload, with the port that it has now."""
        target = parse_target(server.name, 80)
        found = []
        with self.lock:
            members = self._scan()
            for template in members:
                if (
                    template.slot != TEMPLATE
                    or template.service != server.service
                    or parse_target(template.server, 80).host != target.host
                ):
                    continue
                for peer in members:
                    if peer.parent == template.id:
                        if server.service:
                            found.append((peer.address, peer.server))
                        else:
                            found.append((with_port(peer.address, target.port), server.name))
                break
        return found

    # -- what changes the membership -------------------------------------------------------------------------------

    def add(
        self, server: UpstreamServer, address: Address | None, *, parent: int = -1, name: bytes | None = None
    ) -> Peer:
        """Another peer, or a TEMPLATE without an address; `name`: its server's, if that is not server.name."""
        with self.lock:
            peer = self._add(server, address or _NOWHERE, parent, PEER if address else TEMPLATE, name)
            self._changed()
        return peer

    def remove(self, number: int) -> bool:
        """No new requests go there; False if there is none of this id."""
        with self.lock:
            found = [peer for peer in self._scan() if number in (peer.id, peer.parent)]
            for peer in found:
                self._go(peer)
            self._changed()
        return bool(found)

    def change(self, number: int, **words: int) -> bool:
        """Change words, those of a template for its children too; False if there is none of this id."""
        with self.lock:
            found = [peer for peer in self._scan() if number in (peer.id, peer.parent)]
            for peer in found:
                for word, value in words.items():
                    setattr(peer, word, value)
                if "weight" in words:
                    peer.effective_weight = peer.weight
            self._changed()
        return bool(found)

    def rename(self, number: int, server: UpstreamServer, address: Address) -> Peer | None:
        """Another address, name or route for a peer; it goes on in another slot with the same id and words."""
        with self.lock:
            for peer in self._scan():
                if peer.id == number:
                    words = {word: getattr(peer, word) for word in WORDS if word not in _UNDER_WAY}
                    renamed = self._add(server, address, peer.parent, peer.slot)
                    for word, value in words.items():
                        setattr(renamed, word, value)
                    renamed.codes = peer.codes
                    renamed.number = number
                    self._go(peer)
                    self._changed()
                    return renamed
        return None

    def members(self) -> list[Peer]:
        """All peers and templates, backup or not, in the order of their ids."""
        with self.lock:
            self.sync()
            if self._members_at != self._version:
                self._members_at = self._version
                self._members = self._scan()
            return self._members.copy()

    def templates(self) -> dict[int, Peer]:
        """The names that are resolved at run time, by their ids."""
        with self.lock:
            if self._templates_at != self._head[_VERSION]:
                self._templates_at = self._head[_VERSION]
                self._templates = {peer.id: peer for peer in self._scan() if peer.slot == TEMPLATE}
        return self._templates

    def peers(self) -> list[Peer]:
        """All that can be picked, backup ones too."""
        with self.lock:
            self.sync()
            primary, backup = self._both
            return primary.peers + backup.peers

    def is_backup(self, peer: Peer) -> bool:
        return peer.group == self._groups[1]

    @property
    def asked(self) -> bool:
        """Whether each name of the configuration has been asked for once, or its addresses are known from before."""
        return bool(self._head[_ASKED])

    def all_asked(self) -> None:
        self._head[_ASKED] = 1

    @property
    def zombies(self) -> int:
        """Removed peers that still have requests."""
        if not self.zone.words[_GONE_ONCE]:
            return 0
        return sum(1 for words in self._all() if words[_SLOT] == GONE and words[_CONNS] > 0)

    # -- who does what one worker does for all ---------------------------------------------------------------------

    def on_duty(self) -> bool:
        """Take the duty if nobody alive has it; True while it is this worker's."""
        own = os.getpid()
        with self.lock:
            holder = self._head[_DUTY]
            if holder != own and (not holder or not is_sibling(holder)):
                holder = self._head[_DUTY] = own
        return holder == own

    def off_duty(self) -> None:
        """This worker ends: another one may take the duty."""
        with self.lock:
            if self._head[_DUTY] == os.getpid():
                self._head[_DUTY] = 0

    # -- with the lock ---------------------------------------------------------------------------------------------

    def sync(self) -> None:
        """See what other workers changed. Needs the lock."""
        if self._head[_VERSION] != self._version:
            self._version = self._head[_VERSION]
            primary, backup = self._both
            members = [peer for peer in self._scan() if peer.slot == PEER]
            spare = [peer for peer in members if peer.group == self._groups[1]]
            backup.fill(spare, None)
            primary.fill([peer for peer in members if peer.group == self._groups[0]], backup if spare else None)

    def _go(self, peer: Peer) -> None:
        peer.slot = GONE
        self.zone.words[_GONE_ONCE] = 1

    def _changed(self) -> None:
        self._head[_VERSION] += 1
        self.sync()

    def _all(self) -> Iterator[memoryview]:
        """The words of each slot of this upstream."""
        for slot in range(self.zone.words[_TOP]):
            words = self.zone.bytes_of(slot).cast("q")
            if words[_SLOT] != FREE and words[_GROUP] in self._groups:
                yield words

    def _scan(self) -> list[Peer]:
        """All members in the order of their ids."""
        found: dict[int, Peer] = {}
        for slot in range(self.zone.words[_TOP]):
            memory = self.zone.bytes_of(slot)
            words = memory.cast("q")
            if words[_SLOT] not in (PEER, TEMPLATE) or words[_GROUP] not in self._groups:
                continue
            peer = self._known.get(slot)
            if peer is None or peer.number != words[_ID]:
                peer = self._read(memory, slot)
            found[slot] = peer
        self._known = found
        return sorted(found.values(), key=_number)

    def _read(self, memory: memoryview, slot: int) -> Peer:
        lengths = _LENGTHS.unpack_from(memory, _TEXTS_AT)
        at = _TEXTS_AT + 16
        texts = []
        for length, room in zip(lengths, _ROOMS, strict=True):
            texts.append(bytes(memory[at : at + length]))
            at += room
        sockaddr, name, server, route, service = texts
        peer = Peer.at(memory, Address(sockaddr, name), server, route, service)
        peer.number = peer.id
        self._attach(peer, slot)
        return peer

    def _add(self, server: UpstreamServer, address: Address, parent: int, kind: int, name: bytes | None = None) -> Peer:
        texts = (address.sockaddr, address.name, name or server.name, server.route, server.service)
        if any(len(text) > room for text, room in zip(texts, _ROOMS, strict=True)):
            raise ValueError("the server's name is too long for a zone")
        slot = self.zone.find_free()
        memory = self.zone.bytes_of(slot)
        _LENGTHS.pack_into(memory, _TEXTS_AT, *map(len, texts))
        at = _TEXTS_AT + 16
        for text, room in zip(texts, _ROOMS, strict=True):
            memory[at : at + len(text)] = text
            at += room
        peer = Peer(address, server, memory)
        peer.server = name or server.name
        peer.group = self._groups[server.backup]
        peer.parent = parent
        if kind == PEER and any(check.mandatory for check in self.upstream.health_checks):
            peer.set_health(CHECKING)
        peer.id = peer.number = self._head[_NEXT_ID]
        self._head[_NEXT_ID] += 1
        self._attach(peer, slot)
        if self.zone.words[_GONE_ONCE]:  # else the slot is new, and memory that nobody looks at costs nothing
            clear_codes(peer)
        self._known[slot] = peer
        peer.slot = kind
        return peer

    def _attach(self, peer: Peer, slot: int) -> None:
        peer.count_codes(self.zone.codes[slot * _CODES : (slot + 1) * _CODES])
        self._keep_part(peer, slot)

    def _keep_part(self, peer: Peer, slot: int) -> None:
        row = self.zone.row
        if row is not None:
            peer.keep_part(WorkerCounts.of(row, slot))

    def keep_parts(self) -> None:
        """The worker has its row now. Needs the lock."""
        for slot, peer in self._known.items():
            self._keep_part(peer, slot)


def clear_codes(peer: Peer) -> None:
    """Count codes from 0 on."""
    if any(peer.codes):
        peer.codes = [0] * _CODES


def _number(peer: Peer) -> int:
    return peer.number
