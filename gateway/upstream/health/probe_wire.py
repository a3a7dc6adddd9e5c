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
    from gateway._fast.tls_engine import Engine
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

    async def shake_hands(self, plain: trio.socket.SocketType) -> TlsWire:
        """Errors: ProbeFailed."""
        from gateway._fast.errors import TlsError, TlsFailure
        from gateway._fast.tls_engine import Engine
        from gateway.upstream.exchange.tls import failure_of

        request = self.make_request()
        engine = Engine(self.tls.context, plain.fileno())
        stream = TlsWire(plain, engine)
        try:
            self.tls.prepare(engine, request, self.host, None)
            await stream.do_handshake()
        except TlsError as error:
            raise ProbeFailed(_HANDSHAKING, str(error).encode("utf-8", "surrogateescape")) from None
        except TlsFailure as error:
            _, words, number = failure_of(error)
            told = words if number is None else b"%b (%b)" % (words, error_words(number))
            raise ProbeFailed(_HANDSHAKING, told) from None
        problem = self.tls.problem(engine, request, self.host)
        if problem is not None:
            raise ProbeFailed(_HANDSHAKING, problem)
        return stream


class TlsWire(trio.abc.Stream):
    """TLS over a socket of Trio's, as much of a stream as a probe needs."""

    def __init__(self, plain: trio.socket.SocketType, engine: Engine) -> None:
        self.plain = plain
        self.engine = engine

    async def do_handshake(self) -> None:
        """Errors: TlsFailure."""
        while (done := self.engine.do_handshake()) is not True:
            wait = trio.lowlevel.wait_readable if done is None else trio.lowlevel.wait_writable
            await wait(self.plain.fileno())

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            done = self.engine.send(bytes(data))
            while not done:
                await trio.lowlevel.wait_writable(self.plain.fileno())
                done = self.engine.flush_out()
        except OSError as error:
            raise trio.BrokenResourceError from error
        await trio.lowlevel.checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.wait_writable(self.plain.fileno())

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            while (data := self.engine.receive(max_bytes or 65536)) is None:
                await trio.lowlevel.wait_readable(self.plain.fileno())
        except OSError as error:
            raise trio.BrokenResourceError from error
        return data

    async def aclose(self) -> None:
        self.plain.close()
        await trio.lowlevel.checkpoint()


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
                    stream = await tls.shake_hands(wire)
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
