"""ssl: TLS for clients, `listen … ssl`, by Python's ssl.

What Python's ssl does not do is refused with file and line. A `shared` session cache is kept by each worker for itself,
as `builtin` is; tickets are every worker's until the next reload. ssl_verify_client needs
pyOpenSSL, and a connection on which it asked for a certificate is not resumed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.request_head import RequestHead
from gateway.config import units
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import (
    FLAG,
    HTTP,
    SERVER,
    Command,
    Directive,
    at_least,
    enum_,
    flag,
    number,
    seconds,
    size,
    string,
    take,
)
from gateway.config.errors import ConfigError, Where
from gateway.config.loader import Loader, Scope
from gateway.core.template import Template
from gateway.core.variables import Getter, Variable
from gateway.http import server_tls
from gateway.http.module import HttpModule
from gateway.http.request import Request
from gateway.http.setters import template
from gateway.http.status import CERT_ERROR, NO_CERT
from gateway.modules.http import ssl_client
from gateway.upstream.exchange.contexts import ContextCache
from gateway.upstream.exchange.tls_settings import set_certificate_cache, set_passwords, set_path, set_protocols

if TYPE_CHECKING:
    import ssl

    from gateway._fast.stream import Stream
    from gateway._fast.tls import TlsStream
    from gateway.core.pyopenssl import VerifyingContext
    from gateway.http.cycle import HttpCycle
    from gateway.http.servers import Server
    from gateway.protocol.client_hello import ClientHello

# Protocols by ALPN besides HTTP/2, as nginx offers them.
_HTTP: Final = ("http/1.1", "http/1.0", "http/0.9")
_SMALLEST_CACHE: Final = 8 * 4096
_BUILTIN_SESSIONS: Final = 20480
_SESSION_SIZE: Final = 256  # of a shared cache: nginx's documentation has 4000 in a megabyte

# ssl_verify_client
OFF, ON, OPTIONAL, OPTIONAL_NO_CA = range(4)
_VERIFY: Final = {"off": OFF, "on": ON, "optional": OPTIONAL, "optional_no_ca": OPTIONAL_NO_CA}
MISDIRECTED: Final = 421
# X509_V_ERR_…: what optional_no_ca passes, since it says no more than that we do not know the authority
_OF_AN_UNKNOWN_CA: Final = frozenset({18, 19, 20, 21, 27})


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
    sessions: Any = setting(0)  # in the cache
    session_timeout: Any = setting(300)
    session_tickets: Any = setting(True)
    reject_handshake: Any = setting(False)
    verify: Any = setting(OFF)
    verify_depth: Any = setting(1)
    client_certificate: Any = setting("")
    trusted_certificate: Any = setting("")
    crl: Any = setting("")
    certificate_cache: Any = setting(None)  # (max, inactive_s, valid_s)


Made = tuple["ssl.SSLContext", "VerifyingContext | None"]


class Named:
    """A certificate, or a key, that variables name; hashed by its text, so that equal servers share."""

    def __init__(self, value: Template, prefix: str) -> None:
        self.value = value
        self.prefix = prefix

    def __str__(self) -> str:
        return self.value.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and str(other) == str(self)

    def __hash__(self) -> int:
        return hash(str(self))

    def __call__(self, request: Request) -> str:
        text = self.value(request).decode("utf-8", "surrogateescape")
        return text if text.startswith(("/", "data:")) else self.prefix + text


class Tls:
    """A server's TLS; servers with the same settings share it."""

    def __init__(self, conf: ServerConf, made: Made | None, alpn: list[str]) -> None:
        self.conf = conf
        self.made = made
        self.alpn = alpn
        self.varying = any(not isinstance(name, str) for name in (*conf.certificates, *conf.keys))
        self.cache = ContextCache[Made](*conf.certificate_cache) if conf.certificate_cache is not None else None
        self.protocols = frozenset(name.encode() for name in alpn)
        self.verify: int = conf.verify
        self.rejects: bool = conf.reject_handshake
        self.bare = not conf.certificates
        self.record = min(max(conf.buffer_size, 1), 16384)

    def secure(self, plain: Stream, hello: ClientHello | None, data: bytes, connection: Any) -> TlsStream:
        from gateway.core.tls import secure

        made = self._made_for(connection) if self.varying else self.made
        assert made is not None
        context, verifying = made
        if verifying is not None:
            return verifying.secure(plain, data, self.record)
        return secure(plain, context, server_side=True, data=data, record=self.record)

    def _made_for(self, connection: Any) -> Made:
        """Certificates that variables name, which ask for the connection alone. Errors: TlsError."""
        server = connection.handshake.server
        request = Request(connection, RequestHead(), server, connection.cycle)
        request.location = server.root
        conf = self.conf
        certificates = tuple(name if isinstance(name, str) else name(request) for name in conf.certificates)
        keys = tuple(name if isinstance(name, str) else name(request) for name in conf.keys)

        def make() -> Made:
            return _build(conf, certificates, keys, self.alpn)

        if self.cache is None:
            return make()
        return self.cache.get((certificates, keys), connection.lane.now, make)

    def check(self, request: Request) -> int | None:
        if not self.verify:
            return None
        name = getattr(request.connection.handshake, "name", None)
        if name is not None and request.host != name:
            words = b"client attempted to request the server name different from the one that was negotiated"
            request.log("info", words)
            return MISDIRECTED
        engine: Any = server_tls.of(request)
        problem: int = getattr(engine, "problem", 0)
        if problem and not (self.verify == OPTIONAL_NO_CA and problem in _OF_AN_UNKNOWN_CA):
            text = f"client SSL certificate verify error: ({problem}:{ssl_client.problem_text(problem)})"
            request.log("info", text)
            return CERT_ERROR
        if self.verify == ON and ssl_client.certificate_of(engine) is None:
            request.log("info", b"client sent no required SSL certificate")
            return NO_CERT
        return None


# -- directives ----------------------------------------------------------------------------------------------------


def add_path(field_name: str) -> Callable[[Any, Command], None]:
    """One more file, or `data:` with what it would hold."""

    def add(conf: ServerConf, command: Command) -> None:
        earlier = getattr(conf, field_name)
        text = command.args[0]
        name: Any = text
        if "$" in text:
            name = Named(template(command, text), command.loader.conf_prefix)
        elif not text.startswith("data:"):
            name = command.loader.path(text, conf=True)
        setattr(conf, field_name, (*(() if earlier is UNSET else earlier), name))

    return add


def set_session_cache(conf: ServerConf, command: Command) -> None:
    """off | none | [builtin[:size]] [shared:name:size]: kept as a number of sessions."""
    sessions = 0
    for word in command.args:
        kind, colon, rest = word.partition(":")
        try:
            if kind == "builtin" and colon:
                sessions = max(sessions, units.parse_number(rest))
            elif kind == "shared" and colon:
                name, _, length = rest.partition(":")
                if not name:
                    raise ValueError(word)
                size = units.parse_size(length)
                if size < _SMALLEST_CACHE:
                    command.fail(f'session cache "{word}" is too small')
                sessions = max(sessions, size // _SESSION_SIZE)
            elif word == "builtin":
                sessions = max(sessions, _BUILTIN_SESSIONS)
            elif word not in ("off", "none"):
                raise ValueError(word)
        except ValueError:
            command.fail(f'invalid session cache "{word}"')
    conf.sessions = sessions


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
        key = tuple(getattr(conf, field.name) for field in fields(conf)), offers_http2
        if key not in made:
            made[key] = _make(conf, server, offers_http2)
        server.tls = made[key]
    for listening in cycle.listenings:
        for servers in listening.servers.values():
            if servers.ssl:
                _check_certificates(servers.default, servers.servers)


def _make(conf: ServerConf, server: Server, offers_http2: bool) -> Tls | None:
    if not conf.certificates and not conf.reject_handshake:
        # what it asks of clients holds although the handshake is another server's
        return Tls(conf, None, []) if conf.verify else None
    from gateway.core import tls_context

    names = "ssl_certificate", "ssl_certificate_key"
    if len(conf.keys) < len(conf.certificates):
        text = f'no "ssl_certificate_key" is defined for certificate "{conf.certificates[-1]!s}"'
        raise ConfigError(text, _where(server, *names))
    alpn = ["h2", *_HTTP] if offers_http2 else list(_HTTP)
    pairs = [pair for pair in zip(conf.certificates, conf.keys, strict=False) if all(isinstance(x, str) for x in pair)]
    if len(pairs) < len(conf.certificates):
        pairs = []  # named by variables: each connection has its own
    try:
        made = _build(conf, tuple(one for one, _ in pairs), tuple(other for _, other in pairs), alpn)
    except tls_context.TlsError as error:
        about = [f"ssl_{name}" for name in error.about] or list(names)
        raise ConfigError(str(error), _where(server, *about)) from None
    return Tls(conf, made, alpn)


def _build(conf: ServerConf, certificates: tuple[str, ...], keys: tuple[str, ...], alpn: list[str]) -> Made:
    """The context, and what takes its place where clients are asked for certificates. Errors: TlsError."""
    from gateway.core import tls_context
    from gateway.core.openssl import limit_sessions

    verifying: VerifyingContext | None = None
    protocols = conf.protocols or tls_context.DEFAULT_PROTOCOLS
    context = tls_context.new_context(
        server_side=True, protocols=protocols, ciphers=conf.ciphers, prefer_server=conf.prefer_server_ciphers
    )
    for certificate, key in zip(certificates, keys, strict=True):
        tls_context.load_certificate(context, certificate, key, conf.passwords)
    if conf.dhparam:
        tls_context.load_dh(context, conf.dhparam)
    if conf.ecdh_curve != "auto":
        tls_context.set_curve(context, conf.ecdh_curve)
    if not conf.session_tickets:
        tls_context.without_tickets(context)
    limit_sessions(context, conf.sessions, conf.session_timeout)
    context.set_alpn_protocols(alpn)
    if conf.verify:
        verifying = _verifying(conf, certificates, keys)
        verifying.set_alpn_protocols(alpn)
    else:
        if conf.trusted_certificate:
            tls_context.trust(context, conf.trusted_certificate)
        if conf.crl:
            tls_context.revoke(context, conf.crl)
    return context, verifying


def _verifying(conf: ServerConf, certificates: tuple[str, ...], keys: tuple[str, ...]) -> VerifyingContext:
    """What takes the context's place, and has what was put into that. Errors: TlsError."""
    from gateway.core import tls_context

    if conf.verify != OPTIONAL_NO_CA and not conf.client_certificate and not conf.trusted_certificate:
        words = "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client"
        raise tls_context.TlsError(words, "verify_client")
    try:
        from gateway.core.pyopenssl import VerifyingContext
    except ImportError:
        raise tls_context.TlsError('"ssl_verify_client" needs the package pyOpenSSL', "verify_client") from None
    made = VerifyingContext(
        conf.protocols or tls_context.DEFAULT_PROTOCOLS, conf.ciphers, prefer_server=conf.prefer_server_ciphers
    )
    for certificate, key in zip(certificates, keys, strict=True):
        made.load_certificate(certificate, key, conf.passwords)
    made.verify(conf.client_certificate, conf.trusted_certificate, conf.verify_depth)
    if conf.crl:
        made.revoke(conf.crl)
    return made


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
            ("certificate_cache", take(1, 2, 3), set_certificate_cache),
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
            ("verify_client", take(1), enum_("verify", _VERIFY)),
            ("verify_depth", take(1), number("verify_depth")),
            ("client_certificate", take(1), set_path("client_certificate")),
            ("trusted_certificate", take(1), set_path("trusted_certificate")),
            ("crl", take(1), set_path("crl")),
        )
    ),
    variables=(*VARIABLES, *ssl_client.VARIABLES),
    prepare=prepare,
)
