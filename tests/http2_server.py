"""An HTTP/2 server for tests, on the h2 package: the witness of what is sent to upstreams."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import trio

DEFAULT_WINDOW = 65535
Fields = list[tuple[bytes, bytes]]


@dataclass
class Call:
    """One request, and the way to answer it."""

    server: Conversation
    number: int
    fields: Fields
    body: bytes = b""
    ended: bool = False
    reset: int | None = None
    news: trio.Event = field(default_factory=trio.Event)

    def get(self, name: bytes) -> bytes | None:
        return dict(self.fields).get(name)

    async def whole(self) -> bytes:
        """The body, when all of it is here."""
        while not self.ended:
            await self.news.wait()
        return self.body

    async def part(self, at: int) -> bytes:
        """What has come of the body from this place on, at least a byte; b"" at its end."""
        while len(self.body) <= at and not self.ended:
            await self.news.wait()
        return self.body[at:]

    async def head(self, fields: Fields, *, end: bool = False) -> None:
        self.server.connection.send_headers(self.number, fields, end_stream=end)
        await self.server.flush()

    async def data(self, data: bytes, *, end: bool = False) -> None:
        for at in range(0, len(data), 16384):
            self.server.connection.send_data(self.number, data[at : at + 16384])
        if end:
            self.server.connection.end_stream(self.number)
        await self.server.flush()

    async def trailers(self, fields: Fields) -> None:
        self.server.connection.send_headers(self.number, fields, end_stream=True)
        await self.server.flush()

    async def refuse(self, code: int) -> None:
        self.server.connection.reset_stream(self.number, code)
        await self.server.flush()


Handler = Callable[[Call], Awaitable[None]]


class Conversation:
    """One connection."""

    def __init__(
        self, stream: trio.abc.Stream, handler: Handler, *, window: bool, initial_window: int, most: int
    ) -> None:
        self.stream = stream
        self.handler = handler
        self.window = window  # made wide again by itself
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self.connection = h2.connection.H2Connection(config)
        if initial_window != DEFAULT_WINDOW:
            code = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
            self.connection.local_settings = h2.settings.Settings(client=False, initial_values={code: initial_window})
        if most:
            self.connection.local_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = most
            self.connection.local_settings.acknowledge()
        self.connection.initiate_connection()
        if initial_window > DEFAULT_WINDOW:
            self.connection.increment_flow_control_window(initial_window - DEFAULT_WINDOW)
        self.calls: dict[int, Call] = {}
        self.sending = trio.Lock()
        self.ended = False

    async def flush(self) -> None:
        async with self.sending:
            data = self.connection.data_to_send()
            if data:
                with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await self.stream.send_all(data)

    async def run(self) -> None:
        await self.flush()
        async with trio.open_nursery() as nursery:
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                while data := await self.stream.receive_some():
                    for event in self.connection.receive_data(data):
                        self._take(event, nursery)
                    await self.flush()
            self.ended = True
            nursery.cancel_scope.cancel()

    def _take(self, event: h2.events.Event, nursery: trio.Nursery) -> None:
        if isinstance(event, h2.events.RequestReceived):
            fields = [(bytes(name), bytes(value)) for name, value in event.headers]
            call = self.calls[event.stream_id] = Call(self, event.stream_id, fields)
            nursery.start_soon(self._serve, call)
            return
        found = self.calls.get(getattr(event, "stream_id", None) or 0)
        if found is None:
            return
        if isinstance(event, h2.events.DataReceived):
            found.body += event.data
            if self.window:
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            found.ended = True
        elif isinstance(event, h2.events.StreamReset):
            found.reset = int(event.error_code)
        news, found.news = found.news, trio.Event()
        news.set()

    async def _serve(self, call: Call) -> None:
        with contextlib.suppress(h2.exceptions.StreamClosedError):
            await self.handler(call)


class Server:
    def __init__(self, handler: Handler, *, window: bool, initial_window: int, most: int) -> None:
        self.handler = handler
        self.most = most
        self.window = window
        self.initial_window = initial_window
        self.port = 0
        self.conversations: list[Conversation] = []

    @property
    def calls(self) -> list[Call]:
        return [call for conversation in self.conversations for call in conversation.calls.values()]

    async def serve(self, stream: trio.abc.Stream) -> None:
        window, initial_window = self.window, self.initial_window
        conversation = Conversation(
            stream, self.handler, window=window, initial_window=initial_window, most=self.most
        )
        self.conversations.append(conversation)
        async with stream:
            await conversation.run()


@contextlib.asynccontextmanager
async def http2_server(
    handler: Handler,
    *,
    window: bool = True,
    initial_window: int = DEFAULT_WINDOW,
    most: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Server]:
    """A server on 127.0.0.1:port, until the block ends; `most`: streams that it allows at once, 0: h2's number."""
    server = Server(handler, window=window, initial_window=initial_window, most=most)
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        listening: list[trio.abc.Listener[trio.abc.Stream]] = [listener]
        if tls is not None:
            listening = [trio.SSLListener(listener, tls, https_compatible=True)]
        server.port = listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, server.serve, listening)
        yield server
        nursery.cancel_scope.cancel()
