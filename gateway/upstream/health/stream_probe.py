"""A health check of the stream block: a connection or a datagram, what is sent, and what has to come back."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from gateway.upstream.exchange.attempt import error_words
from gateway.upstream.health.probe_wire import ProbeFailed, ProbeTls
from gateway.upstream.health.probes import Probe
from gateway.upstream.health.stream_match import StreamMatch

if TYPE_CHECKING:
    from gateway.upstream.peers.address import Address

_CONNECTING: Final = b"connecting to upstream"
_SENDING: Final = b"sending to upstream"
_READING: Final = b"waiting for data from upstream"
# What a peer of datagrams is sent if nothing else is said: then it has to be there, no more.
_DATAGRAM: Final = b"nginx health check"
# How long an answer may be that is compared: the expected words have to come early.
_LONGEST: Final = 65536


@dataclass
class _Progress:
    doing: bytes = _CONNECTING


class StreamProbe(Probe):
    """All of a check has one time limit."""

    def __init__(
        self, match: StreamMatch, timeout_s: float, datagram: bool, local: Address | None, tls: ProbeTls | None = None
    ) -> None:
        self.match = match
        self.timeout_s = timeout_s
        self.datagram = datagram
        self.bound = local
        self.tls = tls

    async def __call__(self, address: Address) -> None:
        family, name = address.for_socket()
        progress = _Progress()
        wire = trio.socket.socket(family, socket.SOCK_DGRAM if self.datagram else socket.SOCK_STREAM)
        try:
            with trio.move_on_after(self.timeout_s) as limit:
                if self.bound is not None:
                    await wire.bind(self.bound.for_socket()[1])
                await wire.connect(name)
                if self.datagram:
                    await self._exchange(wire.send, wire.recv, progress)
                else:
                    stream: trio.abc.Stream = trio.SocketStream(wire)
                    if self.tls is not None:
                        stream = await self.tls.shake_hands(wire)
                    await self._exchange(stream.send_all, stream.receive_some, progress)
            if limit.cancelled_caught and not self._silence_is_fine(progress):
                raise ProbeFailed(progress.doing, error_words(TimeoutError(110, "")))
        except OSError as error:
            raise ProbeFailed(progress.doing, error_words(error)) from None
        except trio.BrokenResourceError as error:
            cause = error.__cause__
            words = error_words(cause) if isinstance(cause, OSError) else str(error).encode()
            raise ProbeFailed(progress.doing, words) from None
        finally:
            wire.close()

    def _silence_is_fine(self, progress: _Progress) -> bool:
        """A datagram that nobody complained of, where no answer is asked for."""
        return self.datagram and progress.doing is _READING and self.match.expect is None

    async def _exchange(self, send: Callable, receive: Callable, progress: _Progress) -> None:  # type: ignore[type-arg]
        text = self.match.send or (_DATAGRAM if self.datagram else b"")
        if text:
            progress.doing = _SENDING
            await send(text)
        if self.match.expect is None and not self.datagram:
            return
        progress.doing = _READING
        got = b""
        while True:
            data = await receive(_LONGEST)
            got += data
            if self.match.expect is None or self.match.expect(got):
                return
            if not data or self.datagram or len(got) >= _LONGEST:
                raise ProbeFailed(_READING, b'unexpected answer "%b"' % got[:40])
