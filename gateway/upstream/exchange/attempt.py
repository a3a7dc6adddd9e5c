"""What is remembered of each try of an exchange: for $upstream_ variables, logs, and the diagnosis of failures."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Sequence
from typing import Final


class Stage(enum.Enum):
    """How far a try came; the value is nginx's "while …" in the error log."""

    CONNECTING = b"connecting to upstream"
    HANDSHAKING = b"SSL handshaking to upstream"
    SENDING = b"sending request to upstream"
    READING_HEAD = b"reading response header from upstream"
    READING_BODY = b"reading upstream"
    TUNNEL = b"proxying upgraded connection"


# Bound, for each try pays a look-up in an enum else.
_CONNECTING: Final = Stage.CONNECTING


class Attempt:
    """One try at one peer. Times are the lane's seconds, -1 for what did not come to pass."""

    def __init__(self, name: bytes | None, began: float) -> None:
        self.begin(name, began)

    def begin(self, name: bytes | None, began: float) -> None:
        """What __init__ does, as a call of C's: see new_attempt()."""
        self.name = name  # None: a mark between two exchanges of one request
        self.began = began
        self.connected = -1.0
        self.head_read = -1.0
        self.ended = -1.0
        self.status = 0
        self.sent = 0
        self.received = 0
        self.body_received = 0
        self.stage: Stage = _CONNECTING
        self.error: OSError | None = None
        self.cached = False  # on a connection that was kept from an earlier request

    def header_ms(self) -> int:
        """From the beginning to the whole head."""
        return max(0, round((self.head_read - self.began) * 1000))

    def response_ms(self) -> int:
        """From the beginning to the end, 0 if that is not yet."""
        return max(0, round((self.ended - self.began) * 1000)) if self.ended >= 0 else 0


def new_attempt(name: bytes | None, began: float) -> Attempt:
    """Attempt(…), without what a call by name costs."""
    attempt = Attempt.__new__(Attempt)
    attempt.begin(name, began)
    return attempt


def join(attempts: Sequence[Attempt], text: Callable[[Attempt], bytes]) -> bytes | None:
    """One value of a variable over all tries: commas between tries, colons between exchanges (internal redirects)."""
    if not attempts:
        return None
    if len(attempts) == 1:
        return text(attempts[0])
    parts: list[bytes] = []
    separator = b""
    for attempt in attempts:
        if attempt.name is None:
            separator = b" : "
            continue
        parts += (separator, text(attempt))
        separator = b", "
    return b"".join(parts)


def _seconds(attempt: Attempt, until: float) -> bytes:
    if until < 0:
        return b"-"
    ms = max(0, int((until - attempt.began) * 1000))
    return b"%d.%03d" % (ms // 1000, ms % 1000)


def addr(attempt: Attempt) -> bytes:
    """$upstream_addr."""
    return attempt.name or b""


def status(attempt: Attempt) -> bytes:
    """$upstream_status; "-" when no answer was made of this try."""
    return b"%d" % attempt.status if attempt.status else b"-"


def connect_time(attempt: Attempt) -> bytes:
    """$upstream_connect_time."""
    return _seconds(attempt, attempt.connected)


def header_time(attempt: Attempt) -> bytes:
    """$upstream_header_time."""
    return _seconds(attempt, attempt.head_read)


def response_time(attempt: Attempt) -> bytes:
    """$upstream_response_time."""
    return _seconds(attempt, attempt.ended)


def response_length(attempt: Attempt) -> bytes:
    """$upstream_response_length."""
    return b"%d" % attempt.body_received


def bytes_received(attempt: Attempt) -> bytes:
    """$upstream_bytes_received."""
    return b"%d" % attempt.received


def bytes_sent(attempt: Attempt) -> bytes:
    """$upstream_bytes_sent."""
    return b"%d" % attempt.sent


def error_words(error: OSError) -> bytes:
    """An error as nginx prints it: `111: Connection refused`."""
    number = error.errno or 0
    return b"%d: %b" % (number, os.strerror(number).encode("utf-8", "surrogateescape"))
