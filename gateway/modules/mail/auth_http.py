"""auth_http: an HTTP server says whether a client may log in, and which mail server it is passed on to."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway._fast import uri
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import FLAG, Command, Context, Directive, flag, take, time_s
from gateway.config.errors import ConfigError
from gateway.config.units import number_of
from gateway.core.lane import NoRoom
from gateway.core.tls_variables import VARIABLES, engine_of
from gateway.core.transport import connect
from gateway.mail.dialogue import APOP, CRAM_MD5, EXTERNAL, NONE, PLAIN
from gateway.mail.module import MailModule
from gateway.mail.servers import Backend, Refusal
from gateway.mail.session import InternalError
from gateway.protocol.mail_auth import AnswerError, AnswerReader
from gateway.upstream.peers.address import Address, inet_address, parse_target, resolve, unix_address

if TYPE_CHECKING:
    from gateway._fast.stream import Stream
    from gateway.config.loader import Loader, Scope
    from gateway.mail.cycle import MailCycle
    from gateway.mail.session import Session

_TIMED_OUT: Final = OSError(errno.ETIMEDOUT, "")
_METHODS: Final = {APOP: b"apop", CRAM_MD5: b"cram-md5", EXTERNAL: b"external", NONE: b"none", PLAIN: b"plain"}
_WHERE: Final = Context.MAIL | Context.MAIL_SERVER
_DEFAULT_PORT: Final = 80
_GET_TLS: Final = {variable.name: variable.get for variable in VARIABLES}


@dataclass(slots=True)
class ServerConf(Conf):
    target: Any = setting(None)  # a Target
    timeout: float = setting(60.0)
    pass_client_cert: bool = setting(False)
    headers: tuple[tuple[str, str], ...] = setting(())


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask, and for what."""

    address: Address
    host: bytes
    uri: bytes


def set_target(conf: ServerConf, command: Command) -> None:
    """[http://]HOST[:PORT][/URI], or unix:PATH[:/URI]."""
    text = command.args[0].removeprefix("http://")
    raw = text.encode("utf-8", "surrogateescape")
    try:
        if raw.lower().startswith(b"unix:"):
            path, _, rest = raw[5:].partition(b":")
            conf.target = Target(unix_address(path), b"localhost", rest or b"/")
            return
        host, slash, rest = raw.partition(b"/")
        target = parse_target(host, _DEFAULT_PORT)
        address = target.address if target.address is not None else resolve(target.host, target.port)[0]
        conf.target = Target(address, target.host, slash + rest or b"/")
    except ValueError as error:
        command.fail(f'{error} in auth_http "{text}"')


def add_header(conf: ServerConf, command: Command) -> None:
    earlier = conf.headers
    conf.headers = (*(() if earlier is UNSET else earlier), (command.args[0], command.args[1]))


# -- the question


def _fields(session: Session, conf: ServerConf) -> list[tuple[bytes, bytes]]:
    """What is known of the client and its login. No value has a line's end in it: those of clients are escaped."""
    salted = session.method in (APOP, CRAM_MD5) and bool(session.salt)
    fields = [
        (b"Auth-Method", _METHODS[session.method]),
        (b"Auth-User", uri.escape(session.login, "mail_auth")),
        (b"Auth-Pass", uri.escape(session.password or b"", "mail_auth")),
    ]
    if salted:
        fields.append((b"Auth-Salt", session.salt))
        session.password = None  # a digest is no password: the server has to name one
    fields += [
        (b"Auth-Protocol", session.server.protocol.name.encode()),
        (b"Auth-Login-Attempt", b"%d" % session.attempts),
        (b"Client-IP", session.peer[0]),
    ]
    if session.host:
        fields.append((b"Client-Host", session.host))
    if session.proxy is not None and session.proxy.source:
        fields += [
            (b"Proxy-Protocol-Addr", session.proxy.source),
            (b"Proxy-Protocol-Port", b"%d" % session.proxy.source_port),
            (b"Proxy-Protocol-Server-Addr", session.proxy.destination),
            (b"Proxy-Protocol-Server-Port", b"%d" % session.proxy.destination_port),
        ]
    if session.method == NONE:
        envelope: Any = session.dialogue
        fields += [
            (b"Auth-SMTP-Helo", envelope.helo),
            (b"Auth-SMTP-From", envelope.mail),
            (b"Auth-SMTP-To", envelope.recipient),
        ]
    return fields + _tls_fields(session, conf)


def _tls_fields(session: Session, conf: ServerConf) -> list[tuple[bytes, bytes]]:
    engine = engine_of(session)
    if engine is None:
        return []
    fields = [(b"Auth-SSL", b"on"), (b"Auth-SSL-Protocol", engine.version())]
    fields.append((b"Auth-SSL-Cipher", engine.cipher() or b""))
    tls = session.server.tls
    if tls is not None and tls.verify:
        names = ("verify", "s_dn", "i_dn", "serial", "fingerprint")
        words = (b"Verify", b"Subject", b"Issuer", b"Serial", b"Fingerprint")
        for name, word in zip(names, words, strict=True):
            fields.append((b"Auth-SSL-" + word, _GET_TLS[f"ssl_client_{name}"](session) or b""))
        certificate = engine.peer_certificate()
        if conf.pass_client_cert and certificate is not None:
            fields.append((b"Auth-SSL-Cert", uri.escape(certificate.pem(), "mail_auth")))
    return [(name, value) for name, value in fields if value]


def question(session: Session, conf: ServerConf) -> bytes:
    """The request."""
    target: Target = conf.target
    lines = [b"GET %b HTTP/1.0" % target.uri, b"Host: " + target.host]
    lines += [name + b": " + value for name, value in _fields(session, conf)]
    lines += [f"{name}: {value}".encode("utf-8", "surrogateescape") for name, value in conf.headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


# -- the answer


async def ask(session: Session, conf: ServerConf) -> Backend | Refusal:
    """Errors: InternalError."""
    while True:
        session.action = b"in http auth state"
        fields = await _exchange(session, conf)
        status = fields.get(b"auth-status", b"")
        try:
            delay_s = int(fields.get(b"auth-wait", b"0"))
        except ValueError:
            delay_s = 0
        if b"auth-user" in fields:
            session.login = fields[b"auth-user"]
        if b"auth-pass" in fields:
            session.password = fields[b"auth-pass"]
        if status == b"WAIT":
            await session.pause(delay_s)
            continue
        if status not in (b"", b"OK"):
            session.log("info", b'client login failed: "%b"' % status)
            return Refusal(session.dialogue.refused(status, fields.get(b"auth-error-code", b"")), delay_s)
        return _backend(session, conf, fields)


def _backend(session: Session, conf: ServerConf, fields: dict[bytes, bytes]) -> Backend:
    """The mail server that the answer names. Errors: InternalError."""
    server = b"auth http server " + conf.target.address.name
    host, port = fields.get(b"auth-server", b""), fields.get(b"auth-port", b"")
    if not host or not port:
        problem = b"%b did not send server or port" % server
    elif session.password is None and session.server.protocol.name != "smtp":
        problem = b"%b did not send password" % server
    elif not _is_address(host):
        problem = b'%b sent invalid server address:"%b"' % (server, host)
    elif not port.isdigit() or not 1 <= number_of(port) <= 65535:
        problem = b'%b sent invalid server port:"%b"' % (server, port)
    else:
        return Backend(inet_address(host.decode("ascii"), number_of(port)).sockaddr, b"%b:%b" % (host, port))
    session.log("error", problem)
    raise InternalError


def _is_address(text: bytes) -> bool:
    try:
        ipaddress.ip_address(text.decode("ascii"))
    except ValueError:
        return False
    return True


async def _exchange(session: Session, conf: ServerConf) -> dict[bytes, bytes]:
    """The fields of the answer. Errors: InternalError."""
    target: Target = conf.target
    try:
        stream = connect(session.lane, target.address.sockaddr)
    except NoRoom as error:
        session.log("alert", str(error))
        raise InternalError from None
    except OSError as error:
        session.log("error", b"connect() to %b failed" % target.address.name, error)
        raise InternalError from None
    session.backend = stream
    try:
        return await _talk(session, conf, stream)
    finally:
        session.close_backend()


async def _talk(session: Session, conf: ServerConf, stream: Stream) -> dict[bytes, bytes]:
    deadline = session.lane.now + conf.timeout
    name = conf.target.address.name
    if stream.connecting and not await stream.wait_connected(deadline):
        _late(session, name)
    stream.write(question(session, conf))
    stream.flush()
    reader = AnswerReader()
    while True:
        try:
            data = stream.recv(reader.room) if reader.room > 0 else b""
        except OSError as error:
            session.log("error", b"recv() failed", error)
            raise InternalError from None
        if data is None:
            if not await stream.wait_readable(deadline):
                _late(session, name)
            continue
        try:
            if data and reader.receive_data(data):
                return reader.fields
        except AnswerError as error:
            session.log("error", b"auth http server %b sent invalid %b" % (name, str(error).encode()))
            raise InternalError from None
        if not data:
            raise InternalError


def _late(session: Session, name: bytes) -> None:
    session.log("error", b"auth http server %b timed out" % name, _TIMED_OUT)
    raise InternalError


def _asking(conf: ServerConf) -> Callable[[Session], Awaitable[Backend | Refusal]]:
    return lambda session: ask(session, conf)


def prepare(scope: Scope, loader: Loader) -> None:
    cycle: MailCycle = scope.owner
    for server in cycle.servers:
        conf: ServerConf = server.confs[module]
        if conf.target is None:
            raise ConfigError('no "auth_http" is defined for server', server.where)
        server.authenticate = _asking(conf)


module = MailModule(
    name="auth_http",
    server=ServerConf,
    prepare=prepare,
    directives=(
        Directive("auth_http", _WHERE, take(1), set_target, level="server"),
        Directive("auth_http_timeout", _WHERE, take(1), time_s("timeout"), level="server"),
        Directive("auth_http_header", _WHERE, take(2), add_header, level="server"),
        Directive("auth_http_pass_client_cert", _WHERE, FLAG, flag("pass_client_cert"), level="server"),
    ),
)
