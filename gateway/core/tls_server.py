"""The TLS of a server block: a context made of its settings at load, before the fork, and what its connections ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from gateway._fast import tls_callbacks
from gateway._fast.errors import TlsError
from gateway._fast.openssl import OpenSslError, version
from gateway._fast.tls_context import Context, wire_format
from gateway.config.errors import ConfigError, Where
from gateway.core.tls_objects import Objects, objects_of, pair_for
from gateway.core.tls_sessions import FileTickets, SessionCache, SharedTickets, read_ticket_key
from gateway.core.tls_settings import (
    DEFAULT_BUILTIN,
    DEFAULT_PROTOCOLS,
    NO_BUILTIN,
    NO_CACHE,
    NONE_CACHE,
    OPTIONAL_NO_CA,
    Named,
    TlsConf,
)

if TYPE_CHECKING:
    from gateway._fast.tls_engine import Engine
    from gateway.config.loader import Loader
    from gateway.core.client_ocsp import ClientOcsp
    from gateway.core.stapling import Staples

# X509_V_ERR_…: what optional_no_ca passes, since it says no more than that we do not know the authority.
_OF_AN_UNKNOWN_CA: Final = frozenset({18, 19, 20, 21, 27})
_UNRECOGNIZED_NAME: Final = 112  # the alert


class Chooser(Protocol):
    """Who answers an Engine while it shakes hands as a server."""

    def choose(self, engine: Engine, name: bytes | None) -> int:
        """The client asks for this server: the engine is switched to it. 0, or an alert that ends the handshake."""

    def prove(self, engine: Engine, name: bytes) -> None:
        """An authority of ACME asks whether this name is ours (tls-alpn-01)."""

    def certify(self, engine: Engine) -> bool:
        """Give the engine a certificate that variables name."""


class ServerTls:
    """A server's TLS; servers with the same settings share it."""

    def __init__(self, conf: TlsConf, context: Context | None) -> None:
        self.conf = conf
        self.context = context  # None: it has no certificate, and is not to reject
        self.varying = any(isinstance(name, Named) for name in (*conf.certificates, *conf.keys))
        self.rejects: bool = conf.reject_handshake
        names: tuple[bytes, ...] = getattr(conf, "alpn", ())
        self.alpn = wire_format(names) if names else None  # ssl_alpn; what http offers is a matter of HTTP/2
        self.verify: int = conf.verify
        self.record: int = getattr(conf, "buffer_size", 16384)  # ssl_buffer_size, of http alone
        self.staples: Staples | None = None
        self.ocsp: ClientOcsp | None = None

    def certify(self, engine: Engine, request: Any, now: float) -> None:
        """The certificates that variables name for this request, or session. Errors: TlsError."""
        conf = self.conf
        for names in zip(conf.certificates, conf.keys, strict=False):
            chain, key = (name if isinstance(name, str) else name(request) for name in names)
            pair_for(conf.certificate_cache, (chain, key), conf.passwords or (), now, engine.use)

    def accept(self, engine: Engine) -> int:
        """The engine is to go on as this server: 0, or the alert."""
        if self.rejects:
            return _UNRECOGNIZED_NAME
        if self.context is not None and self.context is not engine.context:
            engine.switch(self.context)
        return 0

    def problem(self, engine: Engine) -> int:
        """What is wrong with the client's certificate, X509_V_ERR_…; 0: nothing that this server minds."""
        number = engine.verify_result()
        return 0 if self.verify == OPTIONAL_NO_CA and number in _OF_AN_UNKNOWN_CA else number


def make(conf: TlsConf, objects: Objects, loader: Loader, block: str) -> ServerTls | None:
    """What a server's settings make. Errors: TlsError, whose `about` names the directive without its `ssl_`."""
    if not conf.certificates and not conf.reject_handshake:
        # what it asks of clients holds although the handshake is another server's
        return ServerTls(conf, None) if conf.verify else None
    if len(conf.keys) < len(conf.certificates):
        raise TlsError(f'no "ssl_certificate_key" is defined for certificate "{conf.certificates[-1]!s}"')
    context = Context(server=True, protocols=conf.protocols or DEFAULT_PROTOCOLS)
    made = ServerTls(conf, context)
    tls_callbacks.serve(context)
    context.set_ciphers(conf.ciphers, conf.prefer_server_ciphers)
    if made.varying:
        tls_callbacks.name_certificates(context)
    else:
        for certificate, key in zip(conf.certificates, conf.keys, strict=False):
            context.use(objects.chain(str(certificate)), objects.key(str(key), conf.passwords))
        if conf.certificate_compression and not context.compress_certificates():
            loader.warn(
                f'"ssl_certificate_compression" needs OpenSSL 3.2 with a way to compress, this is {version()}, ignored'
            )
    _verify(conf, context, objects)
    if conf.ocsp:
        if conf.verify == OPTIONAL_NO_CA:
            raise TlsError('"ssl_ocsp" is incompatible with "ssl_verify_client optional_no_ca"', "ocsp")
        if conf.ocsp_responder and not conf.ocsp_responder.lower().startswith("http://"):
            words = f'invalid URL prefix in OCSP responder "{conf.ocsp_responder}" in "ssl_ocsp_responder"'
            raise TlsError(words, "ocsp_responder")
        from gateway.core.client_ocsp import ClientOcsp

        made.ocsp = ClientOcsp(conf, context)
    if conf.dhparam:
        context.set_dh(conf.dhparam)
    if conf.ecdh_curve != "auto":
        context.set_curves(conf.ecdh_curve)
    _keep_sessions(conf, context, block)
    if conf.stapling and not made.varying:
        if conf.certificate_compression:
            raise TlsError('"ssl_stapling" is incompatible with "ssl_certificate_compression"', "stapling")
        from gateway.core import stapling

        made.staples = stapling.make(conf, context, loader.warn)
    if getattr(conf, "early_data", False):
        context.set_early_data()
    context.command(list(conf.conf_commands), lambda name: loader.path(name, conf=True))
    return made


def _verify(conf: TlsConf, context: Context, objects: Objects) -> None:
    if conf.verify:
        if conf.verify != OPTIONAL_NO_CA and not conf.client_certificate and not conf.trusted_certificate:
            words = "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client"
            raise TlsError(words, "verify_client")
        context.verify_peer(conf.verify_depth)
        if conf.client_certificate:
            context.trust(objects.authorities(conf.client_certificate), tell_clients=True)
    else:
        context.set_verify_depth(conf.verify_depth)
    if conf.trusted_certificate:
        context.trust(objects.authorities(conf.trusted_certificate))
    if conf.crl:
        context.revoke(objects.revoked(conf.crl))


def _keep_sessions(conf: TlsConf, context: Context, block: str) -> None:
    context.set_session_timeout(conf.session_timeout)
    context.set_session_context(block.upper().encode(), [str(name) for name in conf.certificates])
    builtin: int = conf.builtin
    if builtin in (NO_CACHE, NONE_CACHE):
        context.keep_no_sessions(pretend=builtin == NONE_CACHE)
    else:
        context.keep_sessions(-1 if builtin == NO_BUILTIN else 0 if builtin == DEFAULT_BUILTIN else builtin)
    if conf.zone is not None:
        cache = conf.zone.used_by(SessionCache)
        assert cache is not None
        if builtin not in (NO_CACHE, NONE_CACHE):
            tls_callbacks.share_sessions(context, cache)
        if not conf.ticket_keys:
            tls_callbacks.use_tickets(context, SharedTickets(cache, conf.session_timeout))
    if not conf.session_tickets:
        context.without_tickets()
    if conf.ticket_keys:
        tls_callbacks.use_tickets(context, FileTickets([read_ticket_key(path) for path in conf.ticket_keys]))


def of_server(conf: TlsConf, server: Any, cycle: Any, loader: Loader, block: str) -> ServerTls | None:
    """make() for a server block, of any kind. Errors: ConfigError, with the place of the directive."""

    def where(*names: str) -> Where | None:
        statement = server.scope.set_by(*names)
        return statement.where if statement is not None else server.where  # type: ignore[no-any-return]

    try:
        made = make(conf, objects_of(loader), loader, block)
        for asking in (made.staples, made.ocsp) if made is not None else ():
            if asking is not None:
                asking.resolver = server.resolver
                asking.resolver_timeout = server.resolver_timeout
        if made is not None and made.staples is not None:
            cycle.on_worker_start.append(made.staples.begin)
        return made
    except TlsError as error:
        about = [f"ssl_{name}" for name in error.about] or ["ssl_certificate", "ssl_certificate_key"]
        raise ConfigError(str(error), _naming(str(error), server.scope, about) or where(*about)) from None
    except OpenSslError as error:
        raise ConfigError(str(error), where("ssl_certificate", "ssl_reject_handshake")) from None


def _naming(message: str, scope: Any, names: Sequence[str]) -> Where | None:
    """The statement, of the innermost block that has any of these, whose file the message quotes."""
    while scope is not None:
        found = [each for each in scope.statements if each.name in names]
        for each in found:
            if f'{each.args[0]}"' in message:
                return each.where  # type: ignore[no-any-return]
        scope = scope.parent if not found else None
    return None
