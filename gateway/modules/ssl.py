"""ssl: TLS for clients, `listen … ssl`, by Python's ssl.

What Python's ssl does not do is refused with file and line. `ssl_session_cache` is taken: sessions are kept by each
worker for itself, as `builtin` has it, and tickets are every worker's until the next reload.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config import units
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import (
    FLAG,
    HTTP,
    SERVER,
    Command,
    Directive,
    at_least,
    flag,
    seconds,
    size,
    string,
    take,
)
from gateway.config.errors import ConfigError, Where
from gateway.config.loader import Loader, Scope
from gateway.http import server_tls
from gateway.http.module import HttpModule
from gateway.http.variables import Getter, Variable

if TYPE_CHECKING:
    import ssl

    from gateway._fast.stream import Stream
    from gateway._fast.tls import TlsStream
    from gateway.http.cycle import HttpCycle
    from gateway.http.request import Request
    from gateway.http.servers import Server
    from gateway.protocol.client_hello import ClientHello

# Protocols by ALPN besides HTTP/2, as nginx offers them.
_HTTP: Final = ("http/1.1", "http/1.0", "http/0.9")
_SMALLEST_CACHE: Final = 8 * 4096


@dataclass(slots=True)
class ServerConf(Conf):
    certificates: Any = setting(())
    keys: Any = setting(())
    passwords: Any = setting(())
    protocols: Any = setting(0)  # 0: those of core.tls_context
    ciphers: Any = setting("HIGH:!aNULL:!MD5")
    prefer_server_ciphers: Any = setting(False)
    ecdh_curve: Any = setting("auto")
    dhparam: Any = setting("")
    buffer_size: Any = setting(16384)
    session_cache: Any = setting("none")
    session_timeout: Any = setting(300)
    session_tickets: Any = setting(True)
    reject_handshake: Any = setting(False)


class Tls:
    """A server's TLS; servers with the same settings share it."""

    def __init__(self, context: ssl.SSLContext, *, rejects: bool, bare: bool, buffer_size: int) -> None:
        self.context = context
        self.rejects = rejects
        self.bare = bare  # without a certificate
        self.record = min(max(buffer_size, 1), 16384)

    def secure(self, plain: Stream, hello: ClientHello | None, data: bytes, connection: Any) -> TlsStream:
        from gateway.core.tls import secure

        return secure(plain, self.context, server_side=True, data=data, record=self.record)

    def check(self, request: Request) -> int | None:
        return None


# -- directives ----------------------------------------------------------------------------------------------------


def add_path(field_name: str) -> Callable[[Any, Command], None]:
    """One more file, or `data:` with what it would hold."""

    def add(conf: ServerConf, command: Command) -> None:
        earlier = getattr(conf, field_name)
        text = command.args[0]
        if not text.startswith("data:"):
            text = command.loader.path(text, conf=True)
        setattr(conf, field_name, (*(() if earlier is UNSET else earlier), text))

    return add


def set_path(field_name: str) -> Callable[[Any, Command], None]:
    def set_one(conf: ServerConf, command: Command) -> None:
        if getattr(conf, field_name) is not UNSET:
            command.duplicate()
        text = command.args[0]
        setattr(conf, field_name, command.loader.path(text, conf=True) if text else "")

    return set_one


def set_protocols(conf: Any, command: Command) -> None:
    from gateway.core.tls_context import PROTOCOLS

    bits = 0 if conf.protocols is UNSET else conf.protocols
    for word in command.args:
        bit = next((bit for name, bit in PROTOCOLS.items() if name.lower() == word.lower()), 0)
        if not bit:
            command.fail(f'invalid value "{word}"')
        if bits & bit:
            command.warn(f'duplicate value "{word}"')
        bits |= bit
    conf.protocols = bits


def set_passwords(conf: Any, command: Command) -> None:
    from gateway.core.tls_context import TlsError, read_passwords

    if conf.passwords is not UNSET:
        command.duplicate()
    try:
        conf.passwords = tuple(read_passwords(command.loader.path(command.args[0], conf=True)))
    except TlsError as error:
        command.fail(str(error))


def set_session_cache(conf: ServerConf, command: Command) -> None:
    """off | none | [builtin[:size]] [shared:name:size]."""
    for word in command.args:
        kind, colon, rest = word.partition(":")
        try:
            if kind == "builtin" and colon:
                units.parse_number(rest)
            elif kind == "shared" and colon:
                name, _, length = rest.partition(":")
                if not name:
                    raise ValueError(word)
                if units.parse_size(length) < _SMALLEST_CACHE:
                    command.fail(f'session cache "{word}" is too small')
            elif word not in ("off", "none", "builtin"):
                raise ValueError(word)
        except ValueError:
            command.fail(f'invalid session cache "{word}"')
        conf.session_cache = word


# -- contexts ------------------------------------------------------------------------------------------------------


def prepare(scope: Scope, loader: Loader) -> None:
    """Make the contexts, before the fork, and see that each `listen … ssl` has one."""
    cycle: HttpCycle = scope.owner
    made: dict[Any, Tls | None] = {}
    for server in cycle.servers:
        conf: ServerConf = server.confs[module]
        offers_http2 = server.http2 or any(
            servers.http2 and server in servers.servers
            for listening in cycle.listenings
            for servers in listening.servers.values()
        )
        key = astuple(conf), offers_http2
        if key not in made:
            made[key] = _make(conf, server, offers_http2)
        server.tls = made[key]
    for listening in cycle.listenings:
        for servers in listening.servers.values():
            if servers.ssl:
                _check_certificates(servers.default, servers.servers)


def _make(conf: ServerConf, server: Server, offers_http2: bool) -> Tls | None:
    if not conf.certificates and not conf.reject_handshake:
        return None
    from gateway.core import tls_context

    names = "ssl_certificate", "ssl_certificate_key"
    if len(conf.keys) < len(conf.certificates):
        text = f'no "ssl_certificate_key" is defined for certificate "{conf.certificates[-1]}"'
        raise ConfigError(text, _where(server, *names))
    place = _where(server, "ssl_ciphers", *names)
    try:
        context = tls_context.new_context(
            server_side=True,
            protocols=conf.protocols or tls_context.DEFAULT_PROTOCOLS,
            ciphers=conf.ciphers,
            prefer_server=conf.prefer_server_ciphers,
        )
        place = _where(server, *names)
        for certificate, key in zip(conf.certificates, conf.keys, strict=False):
            tls_context.load_certificate(context, certificate, key, conf.passwords)
        place = _where(server, "ssl_dhparam")
        if conf.dhparam:
            tls_context.load_dh(context, conf.dhparam)
        place = _where(server, "ssl_ecdh_curve")
        if conf.ecdh_curve != "auto":
            tls_context.set_curve(context, conf.ecdh_curve)
    except tls_context.TlsError as error:
        raise ConfigError(str(error), place) from None
    if not conf.session_tickets:
        tls_context.without_tickets(context)
    context.set_alpn_protocols(["h2", *_HTTP] if offers_http2 else list(_HTTP))
    return Tls(context, rejects=conf.reject_handshake, bare=not conf.certificates, buffer_size=conf.buffer_size)


def _where(server: Server, *names: str) -> Where | None:
    statement = server.scope.set_by(*names)
    return statement.where if statement is not None else server.where


def _check_certificates(default: Server, servers: list[Server]) -> None:
    message = 'no "ssl_certificate" is defined for the "listen ... ssl" directive'
    conf: ServerConf = default.confs[module]
    if conf.certificates:
        return
    if not conf.reject_handshake:
        raise ConfigError(message, default.where)
    for server in servers:
        conf = server.confs[module]
        if not conf.certificates and not conf.reject_handshake:
            raise ConfigError(message, server.where)


# -- variables -----------------------------------------------------------------------------------------------------


def _of(get: Callable[[Any], bytes | None]) -> Getter:
    """A variable that there is only with TLS."""

    def value(request: Request) -> bytes | None:
        tls = server_tls.of(request)
        return get(tls) or None if tls is not None else None

    return value


def _hello_of(get: Callable[[ClientHello, Any], bytes | None]) -> Getter:
    def value(request: Request) -> bytes | None:
        handshake = getattr(request.connection, "handshake", None)
        if handshake is None or handshake.hello is None:
            return None
        return get(handshake.hello, server_tls.of(request)) or None

    return value


def _session_id(tls: Any) -> bytes | None:
    session = tls.session
    return session.id.hex().encode() if session is not None else None


def _ciphers(hello: ClientHello, tls: Any) -> bytes:
    """What the client offered, by OpenSSL's names where it has one."""
    from gateway.core.tls_context import cipher_names

    names = cipher_names()
    return ":".join(names.get(number) or f"0x{number:04x}" for number in hello.ciphers).encode()


VARIABLES: Final = (
    Variable("ssl_protocol", _of(lambda tls: (tls.version() or "").encode()), changeable=True),
    Variable("ssl_cipher", _of(lambda tls: ((tls.cipher() or ("",))[0]).encode()), changeable=True),
    Variable("ssl_ciphers", _hello_of(_ciphers), changeable=True),
    Variable("ssl_session_id", _of(_session_id), changeable=True),
    Variable("ssl_session_reused", _of(lambda tls: b"r" if tls.session_reused else b"."), changeable=True),
    Variable("ssl_server_name", _hello_of(lambda hello, tls: hello.server_name), changeable=True),
    Variable("ssl_alpn_protocol", _of(lambda tls: (tls.selected_alpn_protocol() or "").encode()), changeable=True),
)

_BOTH: Final = HTTP | SERVER

module = HttpModule(
    name="ssl",
    server=ServerConf,
    directives=tuple(
        Directive(f"ssl_{name}", _BOTH, arguments, setter, level="server")
        for name, arguments, setter in (
            ("certificate", take(1), add_path("certificates")),
            ("certificate_key", take(1), add_path("keys")),
            ("password_file", take(1), set_passwords),
            ("protocols", at_least(1), set_protocols),
            ("ciphers", take(1), string("ciphers")),
            ("prefer_server_ciphers", FLAG, flag("prefer_server_ciphers")),
            ("ecdh_curve", take(1), string("ecdh_curve")),
            ("dhparam", take(1), set_path("dhparam")),
            ("buffer_size", take(1), size("buffer_size")),
            ("session_cache", take(1, 2), set_session_cache),
            ("session_timeout", take(1), seconds("session_timeout")),
            ("session_tickets", FLAG, flag("session_tickets")),
            ("reject_handshake", FLAG, flag("reject_handshake")),
        )
    ),
    variables=VARIABLES,
    prepare=prepare,
)
