"""What is known of one failure: the line of the error log, the request, and the exchange with an upstream."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.upstream.exchange.attempt import Stage

if TYPE_CHECKING:
    from gateway.config.parser import Statement
    from gateway.http.request import Request
    from gateway.upstream.exchange.attempt import Attempt
    from gateway.upstream.exchange.exchange import Exchange


class Failure:
    """One failure, as the families of causes ask for it. `exchange` is there in those that an upstream is part of."""

    def __init__(self, request: Request, message: bytes, error: OSError | None) -> None:
        self.request = request
        self.message = message
        self.error = error
        self.spoken = False  # the peer, asked, speaks the protocol of this location
        self.silent = False  # the peer, asked, said nothing

    # -- the configuration ---------------------------------------------------------------------------------------

    def set_by(self, *names: str) -> Statement | None:
        """The directive that holds in the request's location."""
        found: Statement | None = self.request.location.scope.set_by(*names)
        return found

    def setting(self, name: str, default: str) -> str:
        """A directive as it stands, and where: `proxy_read_timeout 5s (site.conf:12)`, or its default."""
        statement = self.set_by(name)
        if statement is None:
            return f"{name} {default} (default)"
        return as_written(statement)

    # -- the exchange --------------------------------------------------------------------------------------------

    @property
    def exchange(self) -> Exchange:
        exchange: Exchange = self.request.upstream
        return exchange

    @property
    def attempt(self) -> Attempt:
        return self.exchange.attempt

    @property
    def family(self) -> str:
        """The prefix of the directives at work: uwsgi, proxy, fastcgi, scgi, memcached."""
        prefix: str = self.exchange.conf.prefix
        return prefix

    @property
    def secure(self) -> bool:
        """Whether the peer is spoken to over TLS."""
        return self.exchange.codec.tls is not None

    @property
    def peer(self) -> str:
        """The address as the configuration writes it."""
        return (self.attempt.name or b"").decode("utf-8", "surrogateescape")

    @property
    def errno(self) -> int:
        error = self.error or (self.attempt.error if self.request.upstream is not None else None)
        return (error.errno or 0) if error is not None else 0

    @property
    def elapsed(self) -> float:
        """Seconds since the connection was there, or since the try began where there is none."""
        attempt = self.attempt
        now: float = self.exchange.lane.now
        return now - (attempt.connected if attempt.connected >= 0 else attempt.began)

    @property
    def block_size(self) -> int:
        """The size that a uwsgi server reads out of what we sent."""
        return block_size(self.exchange.packet)

    @property
    def has_answered(self) -> bool:
        """Whether this peer has answered well before, or was asked, so that it will speak the right protocol."""
        peer = self.exchange.peer
        well = peer is not None and bool(peer.responses_2xx or peer.responses_3xx)
        return self.spoken or self.attempt.cached or well

    @property
    def body_size(self) -> int:
        """Bytes of the request's body, as far as they are known."""
        request = self.request
        return max(0, request.head.content_length, request.connection.body_received())

    def figures(self) -> str:
        """How far the try came: `connected in 0.2 ms, sent 412 bytes of uwsgi, read 0 bytes in 31 ms`."""
        attempt, exchange = self.attempt, self.exchange
        if attempt.connected < 0:
            return f"no connection in {duration(self.elapsed)}"
        parts = ["on a connection kept from an earlier request"] if attempt.cached else []
        if not parts:
            parts.append(f"connected in {duration(attempt.connected - attempt.began)}")
        sent = exchange.connection.sent if exchange.connection is not None else attempt.sent
        what = {"proxy": "HTTP"}.get(self.family, self.family)
        parts.append(f"sent {sent} bytes of {what}")
        parts.append(f"read {attempt.received} bytes in {duration(self.elapsed)}")
        return ", ".join(parts)

    @property
    def answer(self) -> bytes:
        """What came of the answer's head, as far as it is still there."""
        return bytes(getattr(self.exchange.reader, "buffer", b"") or b"")

    @property
    def no_answer(self) -> bool:
        """Whether the request went out, and nothing at all came back."""
        return self.attempt.stage is Stage.READING_HEAD and not self.attempt.received and not self.attempt.cached


@dataclass(frozen=True, slots=True)
class Family:
    """A family of causes: which lines of the error log it explains, what makes two failures the same, and the text.

    `key` is cheap, since it is asked for each failure; `text` may look at files, but must not wait. Where `doubtful`
    says so, the peer is asked which protocol it speaks before the text is written.
    """

    begins: tuple[bytes, ...]
    key: Callable[[Failure], Hashable]
    text: Callable[[Failure], str | None]
    doubtful: Callable[[Failure], bool] = lambda failure: False
    matches: re.Pattern[bytes] | None = None  # lines that begin with a name

    def knows(self, message: bytes) -> bool:
        """Whether this line of the error log is one of its own."""
        return message.startswith(self.begins) or (self.matches is not None and self.matches.match(message) is not None)


def as_written(statement: Statement) -> str:
    """A directive and its place, on one line."""
    words = " ".join([statement.name, *(_quoted(word) for word in statement.args)])
    return f"{words} ({statement.where})"


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[^\s;{}\"']+", word) else f'"{word}"'


def block_size(packet: bytes) -> int:
    """The length that the uwsgi protocol has in the bytes 1 and 2 of a request; 0 for less than that."""
    return int(struct.unpack_from("<H", packet, 1)[0]) if len(packet) > 2 else 0


def duration(seconds: float) -> str:
    """`0.2 ms`, `31 ms`, `2.5 s`."""
    if seconds < 0.01:
        return f"{max(0.0, seconds) * 1e3:.1f} ms"
    return f"{seconds * 1e3:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def shown(data: bytes, limit: int = 60) -> str:
    """Bytes for a line of the log."""
    return repr(data[:limit])[1:] + ("…" if len(data) > limit else "")


def numbered(causes: list[str]) -> str:
    """Causes in the order in which to look for them."""
    return causes[0] if len(causes) == 1 else "; ".join(f"{i}) {cause}" for i, cause in enumerate(causes, 1))
