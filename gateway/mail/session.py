"""A mail client's connection, from accept() to its end: its commands until it is logged in, then bytes both ways."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.lane import local_sockaddr, sockaddr_text
from gateway.core.lane import sleep
from gateway.core.logs import LEVELS, Log
from gateway.mail.dialogue import INVALID, LOG_IN, PLAIN, Answer, Dialogue
from gateway.mail.servers import Refusal
from gateway.protocol.mail_commands import INVALID as INVALID_LINE
from gateway.protocol.mail_commands import LITERAL, NEED_DATA, Command, Event
from gateway.serving.prologue import NoHeader, read_proxy_header
from gateway.serving.worker import crash_text

if TYPE_CHECKING:
    from gateway._fast.stream import Stream
    from gateway.mail.servers import AddressServer, Server
    from gateway.protocol.proxy_protocol import ProxyHeader
    from gateway.serving.listening import Listening
    from gateway.serving.worker import Worker

_TIMED_OUT: Final = OSError(errno.ETIMEDOUT, "")


class InternalError(Exception):
    """The session cannot go on; its client is told so in its protocol's words, the log knows why."""


class Gone(Exception):
    """The client has left, or is to be cut off: there is nobody to be told."""


class Session:
    """Runs in a fibre of its own."""

    def __init__(self, worker: Worker, stream: Stream, peer: bytes, listening: Listening) -> None:
        self.worker = worker
        self.lane = worker.lane
        self.stream = stream
        self.raw_peer = peer
        self.number = worker.next_connection()
        self.peer: tuple[bytes, int] = sockaddr_text(peer)
        self.proxy: ProxyHeader | None = None  # what a PROXY protocol header told
        self.early = b""  # what came with it
        self.address: AddressServer = listening.at(self)
        self.server: Server = self.address.server
        self.dialogue: Dialogue = None  # type: ignore[assignment]  # once the connection is ready for it
        self.action = b"sending client greeting line"  # the "while …" of the error log
        self.deadline = 0.0  # by which the client has to have said who it is
        self.quit = False  # after the next reply
        self.upgrade = False  # to TLS, after the next reply
        self.upgraded = False
        self.errors = 0
        self.fibre: Any = None
        # Who the client is.
        self.method = PLAIN
        self.login = b""
        self.password: bytes | None = None
        self.salt = b""
        self.attempts = 0
        self.host = b""  # the name of the client's address (SMTP)
        self.upstream = b""  # the mail server's name, for the error log
        self.backend: Stream | None = None

    @property
    def connection(self) -> Session:
        """Where a Request has its connection, for what serves both."""
        return self

    @property
    def secure(self) -> bool:
        return self.upgraded or self.address.ssl

    def remote(self) -> tuple[bytes, int]:
        return self.peer

    def local_address(self) -> tuple[bytes, int]:
        try:
            return sockaddr_text(local_sockaddr(self.stream.fd))
        except OSError:
            return b"", 0

    # -- the error log

    def log(self, level: str, message: bytes | str, error: OSError | None = None, *, alone: bool = False) -> None:
        """A line with nginx's context; `alone`: without it."""
        number = LEVELS[level]
        log: Log = self.server.core.error_log
        if number > log.level:
            return
        code = (error.errno or 0) if error is not None else 0
        log.write(number, message, errno=code, connection=self.number, context=b"" if alone else self._context())

    def _context(self) -> bytes:
        action = b" while " + self.action if self.action else b""
        starttls = b" using starttls" if self.upgraded else b""
        context = b"%b, client: %b%b, server: %b" % (action, self.peer[0], starttls, self.address.text)
        if self.login:
            context += b', login: "%b"' % self.login
        return context + b", upstream: " + self.upstream if self.upstream else context

    def _log_connected(self) -> None:
        host, port = self.peer
        shown = host if host.startswith(b"unix:") else (b"[%b]:%d" if b":" in host else b"%b:%d") % (host, port)
        self.log("info", b"client %b connected to %b" % (shown, self.address.text), alone=True)

    # -- its life

    async def run(self) -> None:
        """The whole session. Cancelled, its connections are closed."""
        try:
            self._log_connected()
            await self._serve()
        except Gone:
            pass
        finally:
            self._leave()

    async def _serve(self) -> None:
        if self.address.proxy_protocol:
            await self._read_proxy_header()
            if self.server.real_address is not None:
                self.server.real_address(self)
        if self.address.ssl and not await self._secure():
            return
        self.action = b"sending client greeting line"
        self.dialogue = self.server.protocol.dialogue(self)
        try:
            await self.dialogue.greet()
            await self._converse()
        except InternalError:
            self.close_backend()
            await self.send(self.server.protocol.internal_error)

    async def _converse(self) -> None:
        """Commands and replies, until the client is logged in and passed on, or gone."""
        dialogue = self.dialogue
        self.deadline = self.lane.now + self.server.core.timeout
        while not self.quit:
            self.action = b"in auth state"
            event = await self._next_event()
            if event is LITERAL:
                reply: bytes | Answer = dialogue.literal()
            elif isinstance(event, Command):
                reply = dialogue.answer(event)
                if reply is INVALID:
                    reply = dialogue.invalid()
            else:
                reply = dialogue.invalid(event)
            if reply is LOG_IN:
                refused = await self._log_in()
                if refused is None:
                    return
                reply = refused
            assert isinstance(reply, bytes)
            await self.send(reply)
            if self.upgrade and not await self._start_tls():
                return

    async def _next_event(self) -> Command | Event:
        """What the client says next. Errors: Gone."""
        reader = self.dialogue.reader
        while True:
            event = reader.next_event()
            if event is NEED_DATA:
                if reader.room > 0:
                    reader.receive_data(await self.receive(reader.room, self.deadline))
                    continue
                self.log("info", b'client sent too long command "%b"' % bytes(reader.data))
                self.quit = True
                return INVALID_LINE
            if event is INVALID_LINE:
                self.errors += 1
                if self.errors >= self.server.core.max_errors:
                    self.log("info", b"client sent too many invalid commands")
                    self.quit = True
                if reader.literal_follows:
                    self.quit = True
            return event

    async def _log_in(self) -> bytes | None:
        """Ask whether the client may, and pass it on: None when that is over, else what to tell it."""
        self.dialogue.restart()
        self.attempts += 1
        found = await self.server.authenticate(self)
        if not isinstance(found, Refusal):
            await self.server.relay(self, found)
            return None
        if not found.delay_s:
            self.quit = True
            return found.text
        await self.pause(found.delay_s)
        self.method = PLAIN
        self.deadline = self.lane.now + self.server.core.timeout
        return found.text

    async def _start_tls(self) -> bool:
        """False: the session is over. Nothing that was said before counts any more."""
        self.upgrade = False
        self.upgraded = True
        self.action = b"in starttls state"
        self.dialogue.reader.clear()
        return await self._secure()

    async def _secure(self) -> bool:
        if not self.upgraded:
            self.action = b"SSL handshaking"
        from gateway.mail.handshake import shake_hands  # which the binding comes with

        problem = await shake_hands(self, self.deadline or self.lane.now + self.server.core.timeout)
        if problem:
            self.quit = True
            await self.send(problem)
        return not problem

    # -- bytes

    async def receive(self, limit: int, deadline: float) -> bytes:
        """What comes next. Errors: Gone."""
        stream = self.stream
        if self.early:
            early, self.early = self.early[:limit], self.early[limit:]
            return early
        while True:
            try:
                data = stream.recv(limit)
            except OSError as error:
                self.log("info", b"recv() failed", error)
                raise Gone from None
            if data:
                return data
            if data is not None:
                raise Gone
            if not await stream.wait_readable(deadline):
                self.timed_out()

    async def early_words(self, deadline: float, limit: int) -> bytes:
        """What a client sends that should wait until then; nothing if it waits. Errors: Gone."""
        if self.early:
            return self.early
        while True:
            try:
                data = self.stream.recv(limit)
            except OSError:
                raise Gone from None
            if data:
                return data
            if data is not None:
                raise Gone
            if not await self.stream.wait_readable(deadline):
                return b""

    def timed_out(self) -> None:
        self.log("info", b"client timed out", _TIMED_OUT)
        raise Gone

    async def send(self, data: bytes) -> None:
        """Returns when all of it is with the kernel. Errors: Gone."""
        stream = self.stream
        stream.write(data)
        stream.flush()
        while stream.pending and not stream.error:
            if not await stream.wait_room(1, self.lane.now + self.server.core.timeout):
                self.timed_out()
        if stream.error:
            self.log("info", b"send() failed", OSError(stream.error, ""))
            raise Gone

    async def pause(self, seconds: float) -> None:
        """The client has to wait."""
        await sleep(seconds)

    async def _read_proxy_header(self) -> None:
        """Errors: Gone."""
        self.action = b"reading PROXY protocol"
        try:
            self.proxy, self.early = await read_proxy_header(self, self.lane.now + self.server.core.timeout)
        except NoHeader:
            raise Gone from None

    # of a connection, as its worker sees it

    @property
    def waits_since(self) -> float:
        return -1.0  # for nothing that could be done again

    def reuse(self) -> None:
        """Never asked."""

    def retire(self) -> None:
        """The worker ends: a session goes on until it ends by itself, as in nginx."""

    def close(self, reset: bool = False) -> None:
        if self.fibre is not None and not self.fibre.done:
            self.fibre.cancel()

    def abort(self) -> None:
        """worker_shutdown_timeout is over."""
        if self.fibre is not None and not self.fibre.done:
            self.action = b"proxying" if self.upstream else self.action
            self.log("info", b"shutdown timeout")
            self.close()

    def close_backend(self) -> None:
        backend, self.backend = self.backend, None
        if backend is not None:
            backend.close()

    def _leave(self) -> None:
        self.close_backend()
        self.stream.close()
        self.worker.connection_closed(self)

    def crashed(self, error: BaseException) -> None:
        """A bug in a handler: its traceback in the error log."""
        if isinstance(error, MemoryError):
            self.worker.out_of_memory()
            return
        self.log("alert", crash_text(error).encode("utf-8", "surrogateescape"))
