"""Keys of TLS tickets that all nodes have (`zone_sync_store … ticket_key=`): a session begun on one resumes on any.

They stand in the store sealed with a key from a file that the nodes have and the store has not: a stream of
HMAC-SHA256 in counter mode under a random number, with an HMAC over both (encrypt, then MAC).
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from gateway.core.logs import ERROR

if TYPE_CHECKING:
    from gateway.cluster.maps import Entry
    from gateway.core.logs import Log
    from gateway.core.tls_sessions import SessionCache

_FIELD: Final = b"keys"
_NONCE: Final = 16
_TAG: Final = 32
_LEAST_SECRET: Final = 32


class Unsealed(ValueError):
    """It was not sealed with this key, or somebody has changed it."""


class Sealer:
    """Seals with a secret of at least 32 bytes; what is for one use is no good for another."""

    def __init__(self, secret: bytes, use: bytes = b"tickets") -> None:
        if len(secret) < _LEAST_SECRET:
            raise ValueError(f"must have at least {_LEAST_SECRET} bytes")
        self._secret = secret
        self._stream = hmac.digest(secret, b"gateway %b: stream" % use, sha256)
        self._mac = hmac.digest(secret, b"gateway %b: mac" % use, sha256)

    def for_use(self, use: bytes) -> Sealer:
        return Sealer(self._secret, use)

    def seal(self, text: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._xor(nonce, text)
        return sealed + hmac.digest(self._mac, sealed, sha256)

    def open(self, data: bytes) -> bytes:
        """Errors: Unsealed."""
        sealed, tag = data[:-_TAG], data[-_TAG:]
        if len(data) < _NONCE + _TAG or not hmac.compare_digest(hmac.digest(self._mac, sealed, sha256), tag):
            raise Unsealed
        return self._xor(sealed[:_NONCE], sealed[_NONCE:])

    def _xor(self, nonce: bytes, text: bytes) -> bytes:
        stream = b""
        while len(stream) < len(text):
            stream += hmac.digest(self._stream, nonce + len(stream).to_bytes(8, "big"), sha256)
        return bytes(a ^ b for a, b in zip(text, stream, strict=False))


class TicketKeys:
    """The side of one `ssl_session_cache shared:…`."""

    def __init__(self, name: str, cache: SessionCache, sealer: Sealer, log: Log) -> None:
        self.name = name
        self.cache = cache
        self.sealer = sealer
        self.log = log
        self._told = b""
        self._complained = False

    def take_changed(self) -> list[Entry]:
        if self.cache.ticket_keys() == self._told:
            return []
        return self.take_all()

    def take_all(self) -> list[Entry]:
        self._told = self.cache.ticket_keys()
        if not any(self._told):
            return []  # no ticket was asked for yet
        return [(_FIELD, self.sealer.seal(self.cache.dump_tickets()), 0)]

    def give_back(self, changed: list[Entry]) -> None:
        self._told = b""

    def apply(self, entries: list[Entry]) -> None:
        for field, payload, _ in entries:
            if field != _FIELD or not payload or self.cache.ticket_keys() != self._told:
                continue
            try:
                self.cache.load_tickets(self.sealer.open(payload))
            except ValueError:
                if not self._complained:
                    self._complained = True
                    words = f'ticket keys of other nodes for "{self.name}" were sealed with another "ticket_key"'
                    self.log.write(ERROR, words.encode("utf-8", "surrogateescape"))
            else:
                self._told = self.cache.ticket_keys()
