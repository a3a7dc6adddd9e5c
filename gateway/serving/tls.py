"""TLS of a block's servers: their contexts, which are made before the fork, and that each `listen … ssl` has some."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from gateway.config.errors import ConfigError
from gateway.core.tls_objects import TLS_OBJECTS
from gateway.serving.cycle import LATE_IMPORTS

if TYPE_CHECKING:
    from gateway.config.loader import Loader
    from gateway.core.tls_server import ServerTls
    from gateway.core.tls_settings import TlsConf

# What a worker asks a responder with: its user may have no right to read where they are.
_FOR_RESPONDERS: Final = (
    "encodings.idna",
    "gateway.core.ocsp_client",
    "h11",
    "trio._highlevel_open_tcp_stream",
    "trio._threads",
)


def make_contexts(
    servers: Iterable[tuple[Any, TlsConf]], cycle: Any, loader: Loader, block: str, besides: Container[str] = ()
) -> bool:
    """Give each of these servers its `tls`, one for all with the same settings; True: there is some.

    Those that ask a responder have the server's resolver, too. `besides`: settings that do not count, since contexts
    have nothing of them. Errors: ConfigError.
    """
    made: dict[Any, ServerTls | None] = {}
    for server, conf in servers:
        key = tuple([getattr(conf, field.name) for field in fields(conf) if field.name not in besides])
        if conf.stapling or conf.ocsp:
            key += (server.resolver, server.resolver_timeout)
        if key not in made:
            from gateway.core.tls_server import of_server  # which the binding comes with

            made[key] = of_server(conf, server, cycle, loader, block)
            if conf.stapling or conf.ocsp:
                loader.parts.get(LATE_IMPORTS).update(_FOR_RESPONDERS)
        server.tls = made[key]
    objects = loader.parts.find(TLS_OBJECTS)
    if objects is not None:
        objects.finish()
    return bool(made)


def check_certificates(default: Any, servers: Iterable[Any], module: Any, name: str = "ssl") -> None:
    """An address with TLS: its default server has a certificate, or rejects handshakes and all others have one.

    Errors: ConfigError.
    """
    message = f'no "ssl_certificate" is defined for the "listen ... {name}" directive'
    conf: Any = default.confs[module]
    if conf.certificates:
        return
    if not conf.reject_handshake:
        raise ConfigError(message, default.where)
    for server in servers:
        conf = server.confs[module]
        if not conf.certificates and not conf.reject_handshake:
            raise ConfigError(message, server.where)
