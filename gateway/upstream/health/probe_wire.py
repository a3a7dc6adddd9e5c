"""A health check's connection to a peer: its time limits, its TLS, and what it says when that fails."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import trio

from gateway.upstream.exchange.attempt import Stage, error_words

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.upstream.exchange.conf import UpstreamConf
    from gateway.upstream.exchange.tls import ClientTls
    from gateway.upstream.peers.address import Address

_CONNECTING: Final = Stage.CONNECTING.value
_HANDSHAKING: Final = Stage.HANDSHAKING.value
SENDING: Final = Stage.SENDING.value


class ProbeFailed(Exception):
    """The peer is not well: what was being done, and what was found."""

    def __init__(self, doing: bytes, found: bytes) -> None:
        super().__init__(doing, found)
        self.doing = doing
        self.found = found


class ProbeTls:
    """TLS as the location's requests have it; its variables are those of a request that `make_request` makes."""

    def __init__(self, tls: ClientTls, host: bytes, make_request: Callable[[], Request]) -> None:
        self.tls = tls
        self.host = host
        self.make_request = make_request

    async def shake_hands(self, plain: trio.SocketStream) -> trio.SSLStream[trio.SocketStream]:
        """Errors: ProbeFailed."""
        from gateway.core.tls_context import TlsError
        from gateway.upstream.exchange.tls import failure_of

        request = self.make_request()
        try:
            context, name = self.tls.client_side(request, self.host)
        except TlsError as error:
            raise ProbeFailed(_HANDSHAKING, str(error).encode("utf-8", "surrogateescape")) from None
        stream = trio.SSLStream(plain, context, server_hostname=name, https_compatible=True)
        try:
            await stream.do_handshake()
        except trio.BrokenResourceError as broken:
            cause = broken.__cause__
            if not isinstance(cause, OSError):
                raise ProbeFailed(_HANDSHAKING, b"peer closed connection in SSL handshake") from None
            _, words, number = failure_of(cause)
            told = words if number is None else b"%b (%b)" % (words, error_words(number))
            raise ProbeFailed(_HANDSHAKING, told) from None
        engine = getattr(stream, "_ssl_object", stream)  # Trio keeps it to itself
        problem = self.tls.problem(engine, request, self.host)
        if problem is not None:
            raise ProbeFailed(_HANDSHAKING, problem)
        return stream


class Wire:
    """A connection to a peer, with a location's time limits."""

    def __init__(self, conf: UpstreamConf, wire: trio.socket.SocketType, stream: trio.abc.Stream) -> None:
        self.conf = conf
        self.socket = wire
        self.stream = stream
        self.since = trio.current_time()

    @classmethod
    async def open(
        cls, conf: UpstreamConf, address: Address, local: Address | None, tls: ProbeTls | None = None
    ) -> Wire:
        """Errors: ProbeFailed. Cancelled: nothing is left open."""
        family, name = address.for_socket()
        wire = trio.socket.socket(family, socket.SOCK_STREAM)
        try:
            if local is not None:
                await wire.bind(local.for_socket()[1])
            with _limit(conf.connect_timeout, _CONNECTING):
                await wire.connect(name)
            stream: trio.abc.Stream = trio.SocketStream(wire)
            if tls is not None:
                with _limit(conf.connect_timeout, _HANDSHAKING):
                    stream = await tls.shake_hands(trio.SocketStream(wire))
        except BaseException as error:
            wire.close()
            if isinstance(error, OSError):
                raise ProbeFailed(_CONNECTING, error_words(error)) from None
            raise
        return cls(conf, wire, stream)

    async def send(self, data: bytes) -> None:
        with _limit(self.conf.send_timeout, SENDING):
            try:
                await self.stream.send_all(data)
            except trio.BrokenResourceError as error:
                raise ProbeFailed(SENDING, _cause(error)) from None

    async def receive(self, stage: bytes) -> bytes:
        """The next bytes, none when the peer has closed."""
        with _limit(self.conf.read_timeout, stage):
            try:
                return bytes(await self.stream.receive_some(65536))
            except trio.BrokenResourceError as error:
                raise ProbeFailed(stage, _cause(error)) from None
        raise AssertionError

    def close(self) -> None:
        self.socket.close()


@contextlib.contextmanager
def _limit(seconds: float, stage: bytes) -> Any:
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise ProbeFailed(stage, error_words(OSError(errno.ETIMEDOUT, "")))


def _cause(error: trio.BrokenResourceError) -> bytes:
    cause = error.__cause__
    return error_words(cause) if isinstance(cause, OSError) else str(error).encode()
