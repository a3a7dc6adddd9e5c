"""sticky: requests of one session go to one peer, as long as it can be used.

What a session carries is a peer's sid (its route, or the MD5 of its address); a table in shared memory knows it where
the upstream's own session ids are learned.
"""

from __future__ import annotations

import hashlib
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway._fast.peers import wall_ms
from gateway.core.zones import Table, Words, Zone, ZoneError
from gateway.http.response import http_date

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.core.variables import Getter
    from gateway.http.request import Request
    from gateway.upstream.exchange.peer_try import PeerTry
    from gateway.upstream.peers.peers import Choice, Peer

_FOREVER: Final = b"; expires=Thu, 31-Dec-37 23:55:55 GMT; max-age=315360000"
FOREVER: Final = -1
_SAMESITE: Final = (b"strict", b"lax", b"none")

# A learned session: when it was last used, the length of its peer's sid, the sid's 32 bytes; with `sync` when the other
# nodes were told of it last (0: they have to be).
_LAST, _LENGTH, _SID = range(3)
_TOLD: Final = 6
_WORDS: Final = 7
_FOUR: Final = struct.Struct("4q")
_KEY_SIZE: Final = 16


def cookie_date(seconds: int) -> bytes:
    """`Wdy, DD-Mon-YY HH:MM:SS GMT`, the year with four digits from 2038 on (ngx_http_cookie_time)."""
    day, date, month, year, clock, zone = http_date(seconds).split(b" ")
    return b"%b %b-%b-%b %b %b" % (day, date, month, year[2:] if int(year) <= 2037 else year, clock, zone)


@dataclass(slots=True)
class Cookie:
    """The cookie of `sticky cookie`."""

    name: bytes
    domain: Template | None = None
    path: bytes = b""
    expires: int | None = None  # seconds; FOREVER
    httponly: bool = False
    secure: bool = False
    samesite: Template | None = None

    def value(self, request: Request, sid: bytes) -> bytes:
        """The whole Set-Cookie."""
        text = self.name + b"=" + sid
        if self.expires == FOREVER:
            text += _FOREVER
        elif self.expires is not None:
            text += b"; expires=%b; max-age=%d" % (cookie_date(int(time.time()) + self.expires), self.expires)
        domain = self.domain(request) if self.domain is not None else b""
        if domain:
            text += b"; domain=" + domain
        if self.httponly:
            text += b"; httponly"
        if self.secure:
            text += b"; secure"
        samesite = self.samesite(request) if self.samesite is not None else b""
        if samesite:
            # a variable that came to something else: the strictest
            text += b"; samesite=" + (samesite if samesite.lower() in _SAMESITE else b"strict")
        return text + (b"; path=" + self.path if self.path else b"")


class Sessions:
    """`sticky learn`: which session belongs to which peer, for all workers; the oldest go when the zone is full."""

    def __init__(self, zone: str, upstream: bytes, timeout_ms: int, synced: bool = False) -> None:
        self.name = zone
        self.upstream = upstream
        self.timeout_ms = timeout_ms
        self.synced = synced
        self.changes: Words  # how many, since the other nodes were told
        self.zone: Zone
        self.table: Table

    def attach(self, zone: Zone, old: Sessions | None) -> None:
        """Called when the zone has its memory, which may be the old cycle's."""
        if old is not None and old.upstream != self.upstream:
            raise ZoneError(
                f'sticky zone "{self.name}" is used in upstream "{self.upstream.decode("utf-8", "surrogateescape")}" '
                f'while previously it was used in upstream "{old.upstream.decode("utf-8", "surrogateescape")}"'
            )
        self.zone = zone
        if old is None:
            self.changes = zone.words(1)
            self.table = zone.table(_KEY_SIZE, _WORDS)
        else:
            self.changes, self.table = old.changes, old.table
        zone.data = self

    def find(self, session: bytes) -> bytes | None:
        """The sid of the session's peer."""
        key = hashlib.md5(session, usedforsecurity=False).digest()
        with self.zone.lock:
            self._expire()
            table = self.table
            record = table.get(key)
            if record < 0:
                return None
            return self._sid(record)

    def put(self, session: bytes, sid: bytes, create: bool) -> None:
        """The session was used with this peer; a new one is kept only with `create`."""
        key = hashlib.md5(session, usedforsecurity=False).digest()
        with self.zone.lock:
            self._expire()
            table = self.table
            record = table.get(key)
            if record < 0 and not create:
                return
            if record < 0:
                record = self._insert(key)
            now = wall_ms()
            table.touch(record)
            if self.synced:
                # the others must hear of another peer, and, now and then, that the session is still in use
                if sid != self._sid(record) or now - table.word(record, _TOLD) > self.timeout_ms // 4:
                    table.set_word(record, _TOLD, 0)
                self.changes.add(0, 1)
            table.set_word(record, _LAST, now)
            self._set_sid(record, sid)

    def _insert(self, key: bytes) -> int:
        record = self.table.insert(key)
        if record < 0:
            self.table.remove(self.table.oldest())
            record = self.table.insert(key)
        return record

    def _sid(self, record: int) -> bytes:
        table = self.table
        return _FOUR.pack(*(table.word(record, _SID + index) for index in range(4)))[: table.word(record, _LENGTH)]

    def _set_sid(self, record: int, sid: bytes) -> None:
        self.table.set_word(record, _LENGTH, len(sid))
        for index, word in enumerate(_FOUR.unpack(sid.ljust(32, b"\0"))):
            self.table.set_word(record, _SID + index, word)

    # `sync` (cluster/maps.py)

    def take_changed(self) -> list[tuple[bytes, bytes, int]]:
        """Sessions that the other nodes have to hear of."""
        with self.zone.lock:
            return self._take(self.changes.fetch(0, 0), everything=False)

    def take_all(self) -> list[tuple[bytes, bytes, int]]:
        with self.zone.lock:
            return self._take(len(self.table), everything=True)

    def _take(self, count: int, everything: bool) -> list[tuple[bytes, bytes, int]]:
        table = self.table
        now = wall_ms()
        found = []
        for record in table.newest(count):  # so many may have changed
            if everything or not table.word(record, _TOLD):
                table.set_word(record, _TOLD, now)
                left = table.word(record, _LAST) + self.timeout_ms - now
                found.append((table.key(record), self._sid(record), max(left, 1)))
        return found

    def give_back(self, changed: list[tuple[bytes, bytes, int]]) -> None:
        """They did not arrive; the next round takes them again."""
        with self.zone.lock:
            for key, _, _ in reversed(changed):
                record = self.table.get(key)
                if record >= 0:
                    self.table.touch(record)
                    self.table.set_word(record, _TOLD, 0)
            self.changes.add(0, len(changed))

    def apply(self, entries: list[tuple[bytes, bytes, int]]) -> None:
        """What any node has learned; what was learned here since then stays. One that cannot be is left out."""
        now = wall_ms()
        with self.zone.lock:
            for key, sid, _ in entries:
                if len(key) != _KEY_SIZE or not 0 < len(sid) <= _FOUR.size:
                    continue
                record = self.table.get(key)
                if record < 0:
                    record = self._insert(key)
                elif not self.table.word(record, _TOLD):
                    continue
                self.table.touch(record)
                self.table.set_word(record, _LAST, now)
                self.table.set_word(record, _TOLD, now)
                self._set_sid(record, sid)
            self.changes.add(0, len(entries))  # they are the newest now, before what changed here meanwhile

    def _expire(self) -> None:
        table = self.table
        until = wall_ms() - self.timeout_ms
        while True:
            oldest = table.oldest()
            if oldest < 0 or table.word(oldest, _LAST) > until:
                return
            table.remove(oldest)


class Session:
    """What one request brought, and the cookie it gets."""

    __slots__ = ("cookie", "id")

    def __init__(self, identifier: bytes) -> None:
        self.id = identifier
        self.cookie: tuple[bytes, bytes] | None = None


@dataclass(slots=True)
class Sticky:
    """The `sticky` directive of one upstream."""

    lookup: list[Getter] = field(default_factory=list)  # the first that has a value names the session, or the sid
    create: list[Getter] = field(default_factory=list)
    cookie: Cookie | None = None
    sessions: Sessions | None = None
    after_headers: bool = False  # learn when the head is there, not at the end

    def begin(self, request: Request, choice: Choice) -> None:
        """A request starts: look for what it brings."""
        choice.session = Session(_first(request, self.lookup))

    def get(self, exchange: PeerTry, choice: Choice, now: int) -> Peer | None:
        """The next peer, that of the session if possible; the response gets the cookie."""
        session: Session = choice.session
        if session.id:
            choice.hint = session.id if self.sessions is None else self.sessions.find(session.id)
        peer = choice.get(now)
        choice.hint = None
        if peer is not None and self.cookie is not None:
            fields = exchange.request.response.fields
            if session.cookie in fields:
                fields.remove(session.cookie)
            session.cookie = (b"Set-Cookie", self.cookie.value(exchange.request, peer.sid))
            fields.append(session.cookie)
        return peer

    def head_came(self, exchange: PeerTry, choice: Choice, peer: Peer) -> None:
        if self.sessions is not None and self.after_headers:
            self._learn(exchange, choice, peer, self.sessions)

    def ended(self, exchange: PeerTry, choice: Choice, peer: Peer) -> None:
        if self.sessions is not None and not self.after_headers:
            self._learn(exchange, choice, peer, self.sessions)

    def _learn(self, exchange: PeerTry, choice: Choice, peer: Peer, sessions: Sessions) -> None:
        """The peer answered: from now on the session is its."""
        created = _first(exchange.request, self.create)
        session = created or choice.session.id
        if session:
            sessions.put(session, peer.sid, bool(created))


def _first(request: Request, getters: list[Getter]) -> bytes:
    for get in getters:
        value = get(request)
        if value:
            return value
    return b""
