"""What a client gets to show again: that it is where it says (Retry, NEW_TOKEN), and the end of a lost connection.

All of it is made of one key, `quic_host_key` or the master's own: every worker reads what another one wrote, also after
a reload.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
import time
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_OWN: Final = os.urandom(32)
_NONCE: Final = 12
# nginx's own times
_RETRY_S: Final = 3
_LATER_S: Final = 600
# When it ends, whether it is of Retry, and the sizes of the address and of the two ids that follow.
_HEAD: Final = struct.Struct("!dBBBB")


class WrongToken(Exception):
    """It cannot be read, or is one of Retry that is not this client's: the connection is refused."""


@dataclass(slots=True)
class Shown:
    """Of a token that holds: the id that a client began with, if Retry gave it another one."""

    original: bytes | None


def place_of(peer: bytes, *, port: bool) -> bytes:
    """The address in a raw sockaddr, with or without its port."""
    address = peer[4:8] if len(peer) <= 16 else peer[8:24]
    return peer[2:4] + address if port else address


class Tokens:
    def __init__(self, host_key: bytes) -> None:
        secret = host_key or _OWN
        self._aead = AESGCM(hashlib.sha256(b"av_token_key" + secret).digest()[:16])
        self._reset_key = hashlib.sha256(b"sr_token_key" + secret).digest()

    def for_retry(self, peer: bytes, original: bytes, chosen: bytes) -> bytes:
        return self._seal(_RETRY_S, 1, place_of(peer, port=True), original, chosen)

    def for_later(self, peer: bytes) -> bytes:
        """For NEW_TOKEN."""
        return self._seal(_LATER_S, 0, place_of(peer, port=False), b"", b"")

    def _seal(self, seconds: int, retry: int, place: bytes, original: bytes, chosen: bytes) -> bytes:
        head = _HEAD.pack(time.time() + seconds, retry, len(place), len(original), len(chosen))
        nonce = os.urandom(_NONCE)
        return nonce + self._aead.encrypt(nonce, head + place + original + chosen, None)

    def read(self, token: bytes, peer: bytes, destination: bytes) -> Shown | None:
        """None: it proves nothing any more. Errors: WrongToken."""
        try:
            text = self._aead.decrypt(token[:_NONCE], token[_NONCE:], None)
        except (InvalidTag, ValueError):
            raise WrongToken("cannot decrypt token") from None
        ends, retry, place_size, original_size, chosen_size = _HEAD.unpack_from(text)
        at = _HEAD.size
        place, at = text[at : at + place_size], at + place_size
        original, at = text[at : at + original_size], at + original_size
        chosen = text[at : at + chosen_size]
        holds = time.time() <= ends and place == place_of(peer, port=bool(retry))
        if not retry:
            return Shown(None) if holds else None
        if not holds or chosen != destination:
            raise WrongToken("invalid address validation token")
        return Shown(original)

    def for_reset(self, connection_id: bytes) -> bytes:
        """The token that a stateless reset of this id ends with (RFC 9000, 10.3)."""
        return hmac.digest(self._reset_key, connection_id, "sha256")[:16]
