"""An HTTP/2 client for tests, on the h2 package: the independent witness of what our side sends."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import trio

from tests.engine import Engine, serving

_GOAWAY = 7

Fields = list[tuple[bytes, bytes]]


@dataclass
class Answer:
    """What came on one stream."""

    fields: dict[bytes, bytes] = field(default_factory=dict)
    names: list[bytes] = field(default_factory=list)
    body: bytes = b""
    early: list[Fields] = field(default_factory=list)
    trailers: Fields = field(default_factory=list)
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.fields[b":status"])


class Http2Client:
    """Speaks over one connection; what it sends may be as wrong as the test wants."""

    def __init__(self, stream: trio.abc.Stream, **settings: int) -> None:
        self.stream = stream
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.connection = h2.connection.H2Connection(config)
        codes = {h2.settings.SettingCodes[name]: value for name, value in settings.items()}
        self.connection.local_settings = h2.settings.Settings(client=True, initial_values=codes)
        self.connection.initiate_connection()
        self.answers: dict[int, Answer] = {}
        self.events: list[h2.events.Event] = []
        self.goaway: int | None = None
        self.closed = False
        self._input = b""
        self.auto_window = True

    async def flush(self) -> None:
        data = self.connection.data_to_send()
        if data:
            with contextlib.suppress(trio.BrokenResourceError):
                await self.stream.send_all(data)

    async def raw(self, data: bytes) -> None:
        """Bytes that h2 would not send."""
        await self.flush()
        await self.stream.send_all(data)

    async def begin(self, fields: Fields, *, end: bool = True) -> int:
        number: int = self.connection.get_next_available_stream_id()
        self.connection.send_headers(number, fields, end_stream=end)
        self.answers[number] = Answer()
        await self.flush()
        return number

    async def send(self, number: int, data: bytes, *, end: bool = False) -> None:
        self.connection.send_data(number, data, end_stream=end)
        await self.flush()

    async def receive(self) -> None:
        """One read, and what it means."""
        data = b""
        with contextlib.suppress(trio.BrokenResourceError):
            data = bytes(await self.stream.receive_some())
        if not data:
            self.closed = True
            return
        self._input += data
        while len(self._input) >= 9 and len(self._input) >= 9 + int.from_bytes(self._input[:3], "big"):
            end = 9 + int.from_bytes(self._input[:3], "big")
            frame, self._input = self._input[:end], self._input[end:]
            if frame[3] == _GOAWAY:  # h2 would take nothing more, while streams that have begun go on
                self.goaway = int.from_bytes(frame[13:17], "big")
                continue
            for event in self.connection.receive_data(frame):
                self.events.append(event)
                self._take(event)
        await self.flush()

    def _take(self, event: Any) -> None:
        answer = self.answers.get(getattr(event, "stream_id", None) or 0)
        if answer is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            answer.fields = {bytes(name): bytes(value) for name, value in event.headers}
            answer.names = [bytes(name) for name, _ in event.headers]
        elif isinstance(event, h2.events.InformationalResponseReceived):
            answer.early.append([(bytes(name), bytes(value)) for name, value in event.headers])
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = [(bytes(name), bytes(value)) for name, value in event.headers]
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if self.auto_window:
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = int(event.error_code)

    async def until(self, condition: Callable[..., object]) -> None:
        with trio.fail_after(10):
            while not condition():
                assert not self.closed, "the server has closed the connection"
                await self.receive()

    async def until_closed(self) -> None:
        with trio.fail_after(10):
            while not self.closed:
                await self.receive()

    async def answer(self, number: int) -> Answer:
        answer = self.answers[number]
        await self.until(lambda: answer.ended or answer.reset is not None)
        return answer

    async def get(
        self, path: str, *fields: tuple[bytes, bytes], method: str = "GET", host: str = "localhost"
    ) -> Answer:
        return await self.answer(await self.begin(request(path, *fields, method=method, host=host)))

    async def post(self, path: str, body: bytes, *fields: tuple[bytes, bytes]) -> Answer:
        number = await self.begin(request(path, *fields, method="POST"), end=False)
        at = 0
        while at < len(body):
            room = min(self.connection.local_flow_control_window(number), 16384, len(body) - at)
            if room:
                await self.send(number, body[at : at + room])
                at += room
            else:
                await self.receive()
        await self.send(number, b"", end=True)
        return await self.answer(number)


def request(path: str, *fields: tuple[bytes, bytes], method: str = "GET", host: str = "localhost") -> Fields:
    return [
        (b":method", method.encode()),
        (b":scheme", b"http"),
        (b":path", path.encode("latin-1")),
        (b":authority", host.encode()),
        *fields,
    ]


@contextlib.asynccontextmanager
async def http2(engine: Engine, **settings: int) -> AsyncIterator[Http2Client]:
    async with engine.connect() as stream:
        client = Http2Client(stream, **settings)
        await client.flush()
        yield client


@contextlib.asynccontextmanager
async def speaking(text: str) -> AsyncIterator[Http2Client]:
    """A client of this http block, for tests that need nothing else of it."""
    async with serving(text) as engine, http2(engine) as client:
        yield client
