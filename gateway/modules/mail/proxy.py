"""mail_proxy: the way of a client that may log in: a connection to its mail server, a login there, bytes both ways."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import FLAG, Context, Directive, enum_, flag, size, take, time_s
from gateway.core.lane import NoRoom, current_fibre, park
from gateway.core.proxy_header import header
from gateway.core.transport import connect
from gateway.core.way import Way
from gateway.mail.module import MailModule
from gateway.mail.session import InternalError
from gateway.modules.mail.logins import LOGINS
from gateway.protocol.mail_replies import BAD, GOOD, Reply

if TYPE_CHECKING:
    from gateway._fast.stream import Stream
    from gateway.config.loader import Loader, Scope
    from gateway.mail.cycle import MailCycle
    from gateway.mail.servers import Backend
    from gateway.mail.session import Session

_TIMED_OUT: Final = OSError(errno.ETIMEDOUT, "")
_WHERE: Final = Context.MAIL | Context.MAIL_SERVER
_DAY_S: Final = 24 * 60 * 60.0


@dataclass(slots=True)
class ServerConf(Conf):
    enabled: bool = setting(False)  # nginx takes it, and passes clients on whatever it says
    buffer_size: int = setting(4096)
    timeout: float = setting(_DAY_S)
    pass_error_message: bool = setting(False)
    xclient: bool = setting(True)
    smtp_auth: bool = setting(False)
    proxy_protocol: int = setting(0)


class Rejected(Exception):
    """The mail server's own words go to the client."""

    def __init__(self, words: bytes) -> None:
        super().__init__(words)
        self.words = words


class Wire:
    """The connection to a mail server until a client is logged in there; all of that has one deadline."""

    def __init__(self, session: Session, conf: ServerConf, stream: Stream) -> None:
        self.session = session
        self.conf = conf
        self.stream = stream
        self.deadline: float = session.lane.now + session.server.core.timeout

    async def connected(self) -> None:
        """Errors: InternalError."""
        stream = self.stream
        if stream.connecting and not await stream.wait_connected(self.deadline) and stream.connecting:
            self._late()

    async def send(self, line: bytes, action: bytes) -> None:
        """Errors: InternalError."""
        self.session.action = action
        stream = self.stream
        stream.write(line)
        stream.flush()
        while stream.pending and not stream.error:
            if not await stream.wait_room(1, self.deadline):
                self._late()
        if stream.error:
            self.session.log("error", b"send() failed", OSError(stream.error, ""))
            raise InternalError

    async def reply(self, judge: Callable[[bytes], Reply]) -> bytes:
        """A good reply. Errors: InternalError, Rejected."""
        session, room = self.session, self.conf.buffer_size
        session.action = b"reading response from upstream"
        data = b""
        while True:
            more = await self._receive(room - len(data))
            data += more
            verdict = judge(data)
            if verdict is GOOD:
                return data
            if verdict is BAD:
                self._bad(data)
            if len(data) >= room:
                session.log("error", b'upstream sent too long response line: "%b"' % data[:-1])
                raise InternalError

    def _bad(self, data: bytes) -> None:
        words = data.removesuffix(b"\r\n")
        if self.conf.pass_error_message:
            self.session.log("info", b'upstream sent invalid response: "%b"' % words)
            raise Rejected(data)
        self.session.log("error", b'upstream sent invalid response: "%b"' % words)
        raise InternalError

    async def _receive(self, limit: int) -> bytes:
        while True:
            try:
                data = self.stream.recv(limit)
            except OSError as error:
                self.session.log("error", b"recv() failed", error)
                raise InternalError from None
            if data:
                return data
            if data is not None:
                raise InternalError
            if not await self.stream.wait_readable(self.deadline):
                self._late()

    def _late(self) -> None:
        self.session.log("info", b"upstream timed out", _TIMED_OUT)
        raise InternalError


async def relay(session: Session, conf: ServerConf, backend: Backend) -> None:
    """A session from its login to its end. Errors: InternalError, Gone."""
    session.action = b"connecting to upstream"
    session.upstream = backend.name
    try:
        stream = session.backend = connect(session.lane, backend.sockaddr)
    except NoRoom as error:
        session.log("alert", str(error))
        raise InternalError from None
    except OSError as error:
        session.log("error", b"connect() to %b failed" % backend.name, error)
        raise InternalError from None
    wire = Wire(session, conf, stream)
    await wire.connected()
    if conf.proxy_protocol:
        await wire.send(header(conf.proxy_protocol, session), b"sending PROXY protocol header to upstream")
    try:
        first = await LOGINS[session.server.protocol.name](session, wire, conf)
    except Rejected as rejected:
        session.close_backend()
        await session.send(rejected.words)
        return
    session.action = b""
    session.log("info", b"client logged in")
    await _pass(session, conf, stream, first)


async def _pass(session: Session, conf: ServerConf, upstream: Stream, first: bytes) -> None:
    """Bytes both ways, until one side has ended and what it sent is with the other."""
    client, lane = session.stream, session.lane
    fibre = current_fibre()
    assert fibre is not None
    client.handler = upstream.handler = fibre.wake
    reader = session.dialogue.reader
    up = Way(client, upstream, reader.size, 0, lane.now)
    down = Way(upstream, client, conf.buffer_size, 0, lane.now)
    client.send(first)
    early = reader.clear() + session.early
    if early:
        upstream.send(early)
    while True:
        for way, source, target in ((up, b"client", b"upstream"), (down, b"upstream", b"client")):
            level = "info" if way is up else "error"
            error = way.move(lane.now)
            if error is not None:
                session.action = b"proxying and reading from " + source
                session.log(level, b"recv() failed", error)
            if way.target.error:
                session.action = b"proxying and sending to " + target
                session.log("error" if way is up else "info", b"send() failed", OSError(way.target.error, ""))
                return
        if up.drained() or down.drained() or (up.ended and down.ended):
            session.action = b""
            session.log("info", b"proxied session done")
            return
        session.action = b"proxying"
        if not await park(lane.now + conf.timeout):
            session.log("info", b"client timed out", _TIMED_OUT)
            return


def _relaying(conf: ServerConf) -> Callable[[Session, Backend], Awaitable[None]]:
    return lambda session, backend: relay(session, conf, backend)


def prepare(scope: Scope, loader: Loader) -> None:
    cycle: MailCycle = scope.owner
    for server in cycle.servers:
        server.relay = _relaying(server.confs[module])


module = MailModule(
    name="mail_proxy",
    server=ServerConf,
    prepare=prepare,
    directives=(
        Directive("proxy", _WHERE, FLAG, flag("enabled"), level="server"),
        Directive("proxy_buffer", _WHERE, take(1), size("buffer_size"), level="server"),
        Directive("proxy_timeout", _WHERE, take(1), time_s("timeout"), level="server"),
        Directive("proxy_pass_error_message", _WHERE, FLAG, flag("pass_error_message"), level="server"),
        Directive("xclient", _WHERE, FLAG, flag("xclient"), level="server"),
        Directive("proxy_smtp_auth", _WHERE, FLAG, flag("smtp_auth"), level="server"),
        Directive(
            "proxy_protocol", _WHERE, take(1), enum_("proxy_protocol", {"off": 0, "on": 1, "v2": 2}), level="server"
        ),
    ),
)
