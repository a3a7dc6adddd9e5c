"""What a health check does with a peer: a request and a look at the answer, uWSGI's ping, or a connection alone.

A probe is called with an address; it raises ProbeFailed, or the peer is well. It uses the `*_connect_timeout`,
`*_send_timeout`, `*_read_timeout` and `*_bind` of its location, and evaluates the location's `*_param` or
`proxy_set_header` for a request that no client made.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Final

import h11
import trio

from gateway._fast.errors import HeadError
from gateway._fast.http1_response import parse_response_head
from gateway.protocol.uwsgi import PING
from gateway.upstream.exchange.attempt import Attempt, Stage
from gateway.upstream.exchange.codec import RequestRefused
from gateway.upstream.exchange.response import UpstreamHead
from gateway.upstream.health.matching import BODY_LIMIT, Answer, Match
from gateway.upstream.health.probe_wire import SENDING, ProbeFailed, ProbeTls, Wire

if TYPE_CHECKING:
    from gateway.http.request import Request
    from gateway.upstream.exchange.codec import Codec
    from gateway.upstream.exchange.conf import UpstreamConf
    from gateway.upstream.peers.address import Address

_READING_HEAD: Final = Stage.READING_HEAD.value
_READING_BODY: Final = Stage.READING_BODY.value


class Probe:
    """Kinds of probes; an object for each check."""

    def __init__(self, conf: UpstreamConf, tls: ProbeTls | None = None) -> None:
        self.conf = conf
        self.tls = tls

    @property
    def local(self) -> Address | None:
        """`*_bind` without variables, for a probe without a request."""
        return self.conf.local.constant if self.conf.local is not None else None

    async def __call__(self, address: Address) -> None:
        """Errors: ProbeFailed. Cancelled: nothing is left open."""
        raise NotImplementedError

    def drop(self, address: Address) -> None:
        """Keep no connection to this peer."""


class ProbeExchange:
    """The part of an Exchange that codecs and $upstream_ variables ask for."""

    def __init__(self, request: Request, conf: UpstreamConf, address: Address) -> None:
        self.request = request
        self.conf = conf
        self.settings = conf.hot
        self.lane = request.connection.lane
        self.attempt = Attempt(address.name, self.lane.now)
        self.attempts = [self.attempt]
        self.head: UpstreamHead | None = None
        self.trailers: list[tuple[bytes, bytes]] = []
        self.streaming = False
        self.pass_body = False
        self.frame: Any = None
        self.body: Any = None
        request.upstream = self

    def log(self, level: str, message: bytes, stage: Stage | None = None) -> None:
        """What the application says in stderr."""
        self.request.log(level, message)

    def log_target(self) -> bytes | None:
        return self.attempt.name


class ConnectProbe(Probe):
    """type=tcp: somebody accepts connections."""

    async def __call__(self, address: Address) -> None:
        (await Wire.open(self.conf, address, self.local)).close()


class PingProbe(Probe):
    """type=uwsgi_ping: uWSGI answers its own PING, without the application.

    A warning that the application set (uwsgi.set_warning_message) is a failure: so it can take itself out.
    """

    async def __call__(self, address: Address) -> None:
        wire = await Wire.open(self.conf, address, self.local, self.tls)
        try:
            await wire.send(PING)
            answer = b""
            while len(answer) < 4 or len(answer) < 4 + int.from_bytes(answer[1:3], "little"):
                data = await wire.receive(_READING_HEAD)
                if not data:
                    raise ProbeFailed(_READING_HEAD, b"upstream prematurely closed connection")
                answer += data
                if answer[0] != PING[0]:
                    raise ProbeFailed(b"checking uwsgi ping", b"no answer of uWSGI: %a" % answer[:20])
        finally:
            wire.close()
        if len(answer) > 4:
            raise ProbeFailed(b"checking uwsgi ping", b"warning: %b" % answer[4:])


class CodecProbe(Probe):
    """A whole request over the location's protocol, and the conditions of a `match`."""

    def __init__(
        self,
        conf: UpstreamConf,
        codec: Codec,
        make_request: Callable[[], Request],
        match: Match,
        tls: ProbeTls | None = None,
    ) -> None:
        super().__init__(conf, tls)
        self.codec = codec
        self.make_request = make_request
        self.match = match

    async def __call__(self, address: Address) -> None:
        request = self.make_request()
        exchange: Any = ProbeExchange(request, self.conf, address)
        try:
            packet = self.codec.encode(exchange)
        except RequestRefused as refused:
            raise ProbeFailed(SENDING, refused.message) from None
        local = self.conf.local(request) if self.conf.local is not None else None
        wire = await Wire.open(self.conf, address, local, self.tls)
        try:
            await wire.send(packet)
            answer = await self._read(wire, exchange)
        except HeadError as error:
            words = error.message.encode("utf-8", "surrogateescape")
            raise ProbeFailed(_READING_HEAD, words or b"refused for what FastCGI sent in stderr") from None
        finally:
            wire.close()
        _judge(self.match, answer)

    async def _read(self, wire: Wire, exchange: Any) -> Answer:
        request = exchange.request
        reader = self.codec.reader(exchange)
        while True:
            data = await wire.receive(_READING_HEAD)
            if not data:
                raise ProbeFailed(_READING_HEAD, b"upstream prematurely closed connection")
            head = reader.receive_head(data)
            if head is not None:
                break
            if reader.head_received() >= self.conf.buffer_size:
                raise ProbeFailed(_READING_HEAD, b"upstream sent too big header")
        upstream_head = exchange.head = UpstreamHead(head, request)
        exchange.attempt.status = head.status
        exchange.attempt.head_read = exchange.lane.now
        body = b""
        if self.match.needs_body:
            body = reader.begin_body(
                request.method,
                head.status,
                upstream_head.content_length,
                chunked=upstream_head.chunked,
                close=upstream_head.connection_close,
            )
            while not reader.done and len(body) < BODY_LIMIT:
                data = await wire.receive(_READING_BODY)
                if not data:
                    if not reader.receive_end():
                        raise ProbeFailed(_READING_BODY, b"upstream prematurely closed connection")
                    break
                body += reader.receive_body(data)
        return Answer(head, body, request)


class HttpProbe(Probe):
    """A request over HTTP, by h11; `keepalive_time`: how long a connection is used again."""

    def __init__(
        self,
        conf: UpstreamConf,
        make_request: Callable[[], tuple[Request, list[tuple[bytes, bytes]]]],
        target: bytes,
        match: Match,
        keepalive_s: float = 0.0,
        tls: ProbeTls | None = None,
    ) -> None:
        super().__init__(conf, tls)
        self.make_request = make_request
        self.target = target
        self.match = match
        self.keepalive_s = keepalive_s
        self._kept: dict[bytes, tuple[Wire, h11.Connection]] = {}

    async def __call__(self, address: Address) -> None:
        request, fields = self.make_request()
        exchange = ProbeExchange(request, self.conf, address)
        async with self._connection(address, request) as (wire, parser, used):
            try:
                answer = await self._ask(wire, parser, fields, exchange)
            except ProbeFailed:
                if not used:
                    raise
                answer = None
        if answer is None:
            # the peer had closed the connection that was kept
            async with self._connection(address, request) as (wire, parser, _):
                answer = await self._ask(wire, parser, fields, exchange)
        _judge(self.match, answer)

    @contextlib.asynccontextmanager
    async def _connection(
        self, address: Address, request: Request
    ) -> AsyncIterator[tuple[Wire, h11.Connection, bool]]:
        """A connection, new or used before; kept afterwards if it can serve another request."""
        kept = self._kept.pop(address.name, None)
        if kept is None:
            local = self.conf.local(request) if self.conf.local is not None else None
            wire, parser = await Wire.open(self.conf, address, local, self.tls), h11.Connection(h11.CLIENT)
        else:
            wire, parser = kept
        try:
            yield wire, parser, kept is not None
            fresh = trio.current_time() - wire.since < self.keepalive_s
            if fresh and parser.our_state is h11.DONE and parser.their_state is h11.DONE:
                parser.start_next_cycle()
                self._kept[address.name] = wire, parser
        finally:
            if self._kept.get(address.name, (None,))[0] is not wire:
                wire.close()

    async def _ask(
        self, wire: Wire, parser: h11.Connection, fields: list[tuple[bytes, bytes]], exchange: ProbeExchange
    ) -> Answer:
        request = exchange.request
        closing = [] if self.keepalive_s else [(b"Connection", b"close")]
        try:
            sent = parser.send(h11.Request(method=request.method, target=self.target, headers=fields + closing))
        except h11.LocalProtocolError as error:
            raise ProbeFailed(SENDING, str(error).encode()) from None
        await wire.send((sent or b"") + (parser.send(h11.EndOfMessage()) or b""))
        stage = _READING_HEAD
        head: Any = None
        body = b""
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError as error:
                raise ProbeFailed(stage, str(error).encode()) from None
            if event is h11.NEED_DATA:
                data = await wire.receive(stage)
                if not data and head is None:
                    raise ProbeFailed(stage, b"upstream prematurely closed connection")
                parser.receive_data(data)
            elif isinstance(event, h11.Response):
                head = _head_of(event)
                exchange.head = UpstreamHead(head, request)
                exchange.attempt.status = head.status
                exchange.attempt.head_read = exchange.lane.now
                stage = _READING_BODY
                if not self.match.needs_body and not self.keepalive_s:
                    break
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) >= BODY_LIMIT:
                    break
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse):
                raise ProbeFailed(stage, b"upstream prematurely closed connection")
        return Answer(head, body, request)

    def drop(self, address: Address) -> None:
        kept = self._kept.pop(address.name, None)
        if kept is not None:
            kept[0].close()


def _head_of(response: h11.Response) -> Any:
    """The head as $upstream_http_ variables and `match` want it."""
    lines = [b"HTTP/1.1 %d %b" % (response.status_code, response.reason)]
    lines += [b"%b: %b" % field for field in response.headers.raw_items()]
    return parse_response_head(b"\r\n".join(lines) + b"\r\n\r\n")


def _judge(match: Match, answer: Answer) -> None:
    problem = match.problem(answer)
    if problem is not None:
        raise ProbeFailed(*problem)
