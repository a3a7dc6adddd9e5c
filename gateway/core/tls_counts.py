"""What the API shows of TLS: clients' handshakes, counted over all workers and over a reload."""

from __future__ import annotations

import functools
import mmap
from typing import Any, Final

from gateway.core.zones import Words

_NAMES: Final = (
    "handshakes",
    "handshakes_failed",
    "session_reuses",
    "no_common_protocol",
    "no_common_cipher",
    "handshake_timeout",
    "peer_rejected_cert",
)
_DONE, _FAILED, _REUSED, _NO_PROTOCOL, _NO_CIPHER, _TIMED_OUT, _REJECTED = range(len(_NAMES))
# OpenSSL's reasons of a failure (SSL_R_…) that have a count of their own; from 1000 on, the client's alerts.
_REASONS: Final = {
    258: _NO_PROTOCOL,  # unsupported protocol
    396: _NO_PROTOCOL,  # version too low
    1070: _NO_PROTOCOL,  # alert protocol version
    193: _NO_CIPHER,  # no shared cipher
    1042: _REJECTED,  # alert bad certificate
    1043: _REJECTED,  # unsupported
    1044: _REJECTED,  # revoked
    1045: _REJECTED,  # expired
    1046: _REJECTED,  # unknown
    1048: _REJECTED,  # unknown CA
}


class TlsCounts:
    """The words that all workers share."""

    def __init__(self) -> None:
        self._words = Words(mmap.mmap(-1, mmap.PAGESIZE), 0, len(_NAMES))

    def done(self, *, reused: bool) -> None:
        """A handshake is over; with a session of an earlier one."""
        self._words.add(_DONE, 1)
        if reused:
            self._words.add(_REUSED, 1)

    def failed(self, reason: int) -> None:
        """A handshake failed, for OpenSSL's reason, or because the client went away."""
        self._words.add(_FAILED, 1)
        index = _REASONS.get(reason)
        if index is not None:
            self._words.add(index, 1)

    def timed_out(self) -> None:
        self._words.add(_FAILED, 1)
        self._words.add(_TIMED_OUT, 1)

    def reset(self) -> None:
        for index in range(len(_NAMES)):
            self._words.store(index, 0)

    def show(self) -> dict[str, Any]:
        """As the API shows them."""
        return dict(zip(_NAMES, self._words.view, strict=True))


@functools.cache
def the_counts() -> TlsCounts:
    """One set for the life of this process, made by the master before it forks."""
    return TlsCounts()
