"""TLS sessions over QUIC: tickets under the keys that TLS over TCP has, or ids of sessions that are kept here."""

from __future__ import annotations

import hashlib
import os
import struct
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.core.tls_sessions import FileTickets, SessionCache, SharedTickets, read_ticket_key
from gateway.core.tls_settings import DEFAULT_BUILTIN, NO_BUILTIN, NO_CACHE, NONE_CACHE

_NAME: Final = 16
_NONCE: Final = 12
_ID: Final = 32
_BUILTIN: Final = 20480  # sessions, as OpenSSL has it
# When it was made, what the client adds to its age, the suite, whether 0-RTT may follow, and sizes of what follows.
_HEAD: Final = struct.Struct("!dIHBBBBB")
# The client says how old its ticket is: what was recorded is older than that (RFC 8446, 8.3; OpenSSL has 10 s too).
AGE_TOLERANCE_S: Final = 10.0
_MOST_SEEN: Final = 65536


@dataclass(slots=True)
class Session:
    made: float
    age_add: int
    suite: int
    early: bool
    secret: bytes
    name: bytes
    alpn: bytes
    limits: bytes  # a digest of what QUIC promised: 0-RTT counts on it

    def pack(self) -> bytes:
        parts = (self.secret, self.name, self.alpn, self.limits)
        return _HEAD.pack(self.made, self.age_add, self.suite, self.early, *map(len, parts)) + b"".join(parts)

    @classmethod
    def unpack(cls, data: bytes) -> Session:
        made, age_add, suite, early, *sizes = _HEAD.unpack_from(data)
        at = _HEAD.size
        parts = []
        for size in sizes:
            parts.append(data[at : at + size])
            at += size
        return cls(made, age_add, suite, bool(early), *parts)


class Sessions:
    """Of one server. Made before the fork: without a zone or a file, the workers share a key all the same."""

    def __init__(self, conf: Any) -> None:
        self.timeout_s: int = conf.session_timeout
        self.early: bool = conf.early_data
        cache = conf.zone.used_by(SessionCache) if conf.zone is not None else None
        self._keys: Any = None
        if conf.session_tickets:
            if conf.ticket_keys:
                self._keys = FileTickets([read_ticket_key(path) for path in conf.ticket_keys])
            elif cache is not None:
                self._keys = SharedTickets(cache, self.timeout_s)
            else:
                self._keys = FileTickets([os.urandom(80)])
        off = conf.builtin in (NO_CACHE, NONE_CACHE)
        self._cache: SessionCache | None = None if off else cache
        self._own: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()  # this worker's
        self._most_own = 0
        if not off and conf.builtin != NO_BUILTIN:
            self._most_own = _BUILTIN if conf.builtin == DEFAULT_BUILTIN else conf.builtin

    @property
    def kept(self) -> bool:
        return self._keys is not None or self._cache is not None or self._most_own > 0

    def seal(self, session: Session) -> bytes:
        """What the client shows to go on with this session."""
        data = session.pack()
        if self._keys is not None:
            name, aes, mac = self._keys.current()
            nonce = os.urandom(_NONCE)
            return bytes(name + nonce + _cipher(aes, mac).encrypt(nonce, data, name))
        identity = os.urandom(_ID)
        if self._cache is not None:
            self._cache.add(identity, data, self.timeout_s)
        if self._most_own:
            while len(self._own) >= self._most_own:
                self._own.popitem(last=False)
            self._own[identity] = time.monotonic() + self.timeout_s, data
        return identity

    def open(self, identity: bytes) -> Session | None:
        data = self._sealed(identity) if self._keys is not None else self._kept(identity)
        if data is None:
            return None
        session = Session.unpack(data)
        return session if 0 <= time.time() - session.made <= self.timeout_s else None

    def _sealed(self, ticket: bytes) -> bytes | None:
        found = self._keys.find(ticket[:_NAME])
        if found is None:
            return None
        aes, mac, _ = found
        nonce, text = ticket[_NAME : _NAME + _NONCE], ticket[_NAME + _NONCE :]
        try:
            return _cipher(aes, mac).decrypt(nonce, text, ticket[:_NAME])
        except (InvalidTag, ValueError):
            return None

    def _kept(self, identity: bytes) -> bytes | None:
        """It is used once, as OpenSSL has it for TLS 1.3."""
        if len(identity) != _ID:
            return None
        ends, data = self._own.pop(identity, (0.0, b""))
        if ends > time.monotonic():
            return data
        if self._cache is None:
            return None
        found = self._cache.find(identity)
        if found is not None:
            self._cache.remove(identity)
        return found


def _cipher(aes: bytes, mac: bytes) -> AESGCM:
    return AESGCM(hashlib.sha256(b"quic session" + aes + mac).digest()[:16])


class Seen:
    """Tickets whose 0-RTT was taken, as long as somebody could send it again and its age would still be right."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def first(self, identity: bytes) -> bool:
        """Whether it may be taken: it was not before, and there is room to remember it."""
        now = time.monotonic()
        until = self._until
        while until and next(iter(until.values())) < now:
            until.popitem(last=False)
        mark = hashlib.sha256(identity).digest()[:16]
        if mark in until or len(until) >= _MOST_SEEN:
            return False
        until[mark] = now + 2 * AGE_TOLERANCE_S
        return True
