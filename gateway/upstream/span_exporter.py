"""Sends spans to a collector by OTLP over gRPC: each worker its own, in batches, from a task beside the requests.

A request adds its span to the present batch, which costs it an append. A batch goes when it is full or `interval` is
over. No more than `batch_count` batches are kept, those on their way among them: what comes then is dropped, since a
collector that is away must cost no more than its spans.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

import trio

from gateway._fast.errors import HeadError
from gateway.core.logs import ERROR, Log
from gateway.protocol import otlp
from gateway.upstream.exchange.http2 import Http2Reader
from gateway.upstream.exchange.http2_fields import request_block

if TYPE_CHECKING:
    from gateway.serving.worker import Worker
    from gateway.upstream.exchange.http2_link import Link

# What a call may take; collectors and OTLP's other exporters have this, too.
_CALL_S: Final = 10.0
# What the last batches may take, when the worker ends.
_LAST_S: Final = 2.0
_PART: Final = 65536
# An ExportTraceServiceResponse is a number and a sentence.
_MOST_ANSWERED: Final = 65536


class ExportFailed(Exception):
    """A batch did not get there."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a collector is, and how it is asked."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    fields: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def authority(self) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}".encode()


class Exporter:
    """The batches of a worker."""

    def __init__(
        self,
        target: Target,
        source: tuple[bytes, bytes],
        log: Log,
        *,
        interval_s: float = 5.0,
        batch_size: int = 512,
        batch_count: int = 4,
    ) -> None:
        """`source`: of otlp.origin()."""
        self._target = target
        self._source = source
        self._log = log
        self._interval_s = interval_s
        self._batch_size = batch_size
        self._batch_count = batch_count
        self._batch: list[bytes] = []
        self._full: list[list[bytes]] = []
        self._some = trio.Event()  # there is a span
        self._ready = trio.Event()  # a batch is full
        self._call: _Connection | None = None
        self._arrived = False  # all of the last request was given to the connection
        self.dropped = 0
        self.dropped_at = 0  # when that was said

    def add(self, span: bytes) -> bool:
        """Whether there was room for it."""
        batch = self._batch
        if not batch:
            if len(self._full) >= self._batch_count:
                return False
            self._some.set()
        batch.append(span)
        if len(batch) >= self._batch_size:
            self._full.append(batch)
            self._batch = []
            self._ready.set()
        return True

    def start(self, worker: Worker) -> None:
        worker.nursery.start_soon(self.run)

    async def run(self) -> None:
        """Until it is cancelled, which sends what is there, if that can be done at once."""
        try:
            while True:
                await self._some.wait()
                with trio.move_on_after(self._interval_s):
                    await self._ready.wait()
                self._some, self._ready = trio.Event(), trio.Event()
                await self._send_all()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _LAST_S):
                await self._send_all()
            self._close()

    async def _send_all(self) -> None:
        if self._batch:
            self._full.append(self._batch)
            self._batch = []
        while self._full:
            whole = False
            try:
                await self._send(self._full[0])  # it counts as kept until it is sent
                whole = True
            finally:
                # cancelled: what was sent as a whole has arrived, most likely, and once is enough
                if whole or self._arrived:
                    del self._full[0]

    async def _send(self, spans: list[bytes]) -> None:
        message = otlp.request(self._source, spans)
        self._arrived = False
        why = b""
        with trio.move_on_after(_CALL_S) as scope:
            try:
                why = await self._ask(message)
            except ExportFailed as failed:
                why = str(failed).encode("utf-8", "surrogateescape")
        if scope.cancelled_caught:
            self._close()
            why = b"no answer within %d seconds" % _CALL_S
        if why:
            self._log.write(ERROR, b"OTel export failure: %b (%d spans)" % (why, len(spans)))

    async def _ask(self, message: bytes) -> bytes:
        """What the collector did not take, in words. Errors: ExportFailed."""
        used = self._call
        if used is not None:
            try:
                return await self._ask_over(used, message)
            except ExportFailed:
                # A kept connection may have ended meanwhile, with a word (GOAWAY) or without.
                if used.answered:
                    raise
        self._call = await _Connection.open(self._target)
        return await self._ask_over(self._call, message)

    async def _ask_over(self, connection: _Connection, message: bytes) -> bytes:
        whole = False
        try:
            answer = await connection.ask(message)
            whole = True
        finally:
            self._arrived = connection.sent
            if not (whole and connection.keeps):
                self._close()
        try:
            count, why = otlp.rejected(answer)
        except ValueError as error:
            raise ExportFailed(f"the answer is none: {error}") from None
        return b"%d were rejected%b" % (count, b": " + why if why else b"") if count else b""

    def _close(self) -> None:
        connection, self._call = self._call, None
        if connection is not None:
            connection.close()


class _Connection:
    """A connection to a collector, and what an Http2Reader takes for its connection and socket: what it writes is sent
    when it returns."""

    def __init__(self, target: Target, plain: trio.SocketStream, stream: trio.abc.Stream) -> None:
        self.target = target
        self.keeps = False
        # of the last call
        self.sent = False  # all of it was given to the connection
        self.answered = False  # the head of an answer came
        self._plain = plain
        self._wire = stream
        # for the reader
        self.link: Link | None = None
        self.carrier = None
        self.stream = self
        self.pending = 0
        self._data = b""

    @classmethod
    async def open(cls, target: Target) -> _Connection:
        """Errors: ExportFailed. Cancelled: nothing is left open."""
        try:
            plain = await trio.open_tcp_stream(target.host, target.port)
        except OSError as error:
            raise ExportFailed(f"connect() to {target.host}:{target.port} failed ({error})") from None
        stream: trio.abc.Stream = plain
        done = False
        try:
            if target.tls is not None:
                secured = trio.SSLStream(plain, target.tls, server_hostname=target.host, https_compatible=True)
                stream = secured
                await secured.do_handshake()
                if secured.selected_alpn_protocol() != "h2":
                    raise ExportFailed("the collector speaks no HTTP/2")
            done = True
        except trio.BrokenResourceError as error:
            raise ExportFailed(f"TLS handshake failed ({error.__cause__ or error})") from None
        finally:
            if not done:
                plain.socket.close()
        return cls(target, plain, stream)

    def close(self) -> None:
        self._plain.socket.close()

    def send(self, data: bytes) -> None:
        self._data += data

    def spend(self, size: int) -> bool:
        """It is sent first."""
        return True

    async def ask(self, message: bytes) -> bytes:
        """The answer's body. Errors: ExportFailed."""
        self.keeps = self.sent = self.answered = False
        target = self.target
        fields = [(b"content-type", b"application/grpc"), (b"te", b"trailers"), *target.fields]
        block = request_block(b"POST", target.tls is not None, otlp.EXPORT, target.authority, fields)
        try:
            return await self._talk(block, message)
        except HeadError as error:
            raise ExportFailed(error.message) from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ExportFailed(f"the connection broke ({error.__cause__ or error})") from None

    async def _talk(self, block: bytes, message: bytes) -> bytes:
        reader = Http2Reader()
        reader.begin(self, block, [message])  # type: ignore[arg-type]  # it asks for no more than we have
        head: Any = None
        body = b""
        while True:
            await self._flush()
            while not reader.closed and not reader.is_blocked():
                reader.write()
                await self._flush()
            self.sent = reader.closed
            if reader.done:
                break
            data = bytes(await self._wire.receive_some(_PART))
            if not data:
                raise ExportFailed("the collector closed the connection")
            if head is not None:
                body += reader.receive_body(data)
            elif (head := reader.receive_head(data)) is not None:
                self.answered = True
                if head.status != 200:
                    raise ExportFailed(f"the collector answered with status {head.status}")
                body = reader.begin_body(b"POST", head.status, -1, chunked=False, close=False)
            if len(body) > _MOST_ANSWERED:
                raise ExportFailed("the collector's answer is too long")
        self.keeps = reader.keepalive
        _judge(dict([*head.fields, *reader.trailers]))
        return body

    async def _flush(self) -> None:
        data, self._data = self._data, b""
        if data:
            await self._wire.send_all(data)


def _judge(told: dict[bytes, bytes]) -> None:
    """Errors: ExportFailed, for another grpc-status than 0."""
    status = told.get(b"grpc-status", b"")
    if status != b"0":
        words = unquote_to_bytes(told.get(b"grpc-message", b"")).decode("utf-8", "surrogateescape")
        raise ExportFailed(f"grpc-status {status.decode('latin-1') or 'missing'}{': ' + words if words else ''}")
