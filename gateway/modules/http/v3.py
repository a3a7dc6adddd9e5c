"""http_v3: HTTP/3 over QUIC towards clients (an extra: `pip install 'gateway[http3]'`).

The protocol is in http/h3_connection.py and quic_listener.py, and aioquic does QUIC. Without a `listen … quic` nothing
of it is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.config.conf import Conf, setting
from gateway.config.directive import FLAG, HTTP, SERVER, Command, Directive, flag, number, size, take
from gateway.config.errors import ConfigError
from gateway.core.variables import Variable
from gateway.http.module import HttpModule
from gateway.serving.cycle import LATE_IMPORTS

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.http.cycle import HttpCycle
    from gateway.http.request import Request

_TLS13 = 0x20


@dataclass(slots=True)
class ServerConf(Conf):
    enabled: bool = setting(True)
    hq: bool = setting(False)
    streams: int = setting(128)
    buffer_size: int = setting(65536)
    retry: bool = setting(False)
    gso: bool = setting(False)
    host_key: bytes = setting(b"")
    id_limit: int = setting(2)


def set_host_key(conf: ServerConf, command: Command) -> None:
    """The key of tokens: the same on all machines that share an address."""
    command.once(conf.host_key)
    path = command.loader.path(command.args[0], conf=True)
    try:
        with open(path, "rb") as opened:
            conf.host_key = opened.read()
    except OSError as error:
        call = "pread" if isinstance(error, IsADirectoryError) else "open"
        command.fail(f'{call}() "{path}" failed ({error.errno}: {error.strerror})')
    if not conf.host_key:
        command.fail(f'"{path}" zero key size')


def prepare(scope: Scope, loader: Loader) -> None:
    """Certificates and settings for QUIC, of the servers that have a `listen … quic`."""
    cycle: HttpCycle = scope.owner
    groups = [servers for each in cycle.listenings for servers in each.servers.values() if servers.quic]
    if not groups:
        return
    from gateway.http import quic_sessions, quic_tls, quic_tokens

    loader.parts.get(LATE_IMPORTS).update(("gateway.http.quic_listener", "gateway.http.server_tls"))
    for servers in groups:
        for server in servers.servers:
            if server.http3 is None:
                server.http3 = _settings(server, loader, quic_tokens.Tokens, quic_sessions.Sessions, quic_tls)


def _settings(server: Any, loader: Loader, tokens: Any, sessions: Any, quic: Any) -> Any:
    conf: ServerConf = server.confs[module]
    made = quic.Http3Settings(
        conf.enabled, conf.streams, conf.buffer_size, conf.id_limit, conf.retry, conf.gso, conf.hq
    )
    made.tokens = tokens(conf.host_key)
    tls = server.tls.conf if server.tls is not None else None
    if tls is None:
        return made
    if tls.protocols and not tls.protocols & _TLS13:
        raise ConfigError('"ssl_protocols" must enable TLSv1.3 for the "listen ... quic" directive', server.where)
    kept = sessions(tls)
    made.sessions = kept if kept.kept else None
    made.rejects = tls.reject_handshake
    for chain, key in zip(tls.certificates, tls.keys, strict=False):
        if not isinstance(chain, str) or not isinstance(key, str):
            raise ConfigError('variables in "ssl_certificate" are not supported with "listen ... quic"', server.where)
        try:
            made.pairs.append(quic.load_pair(_pem(chain), _pem(key), list(tls.passwords or ())))
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f'cannot load certificate "{chain}" for QUIC: {error}', server.where) from None
    if tls.verify:
        loader.warn('"ssl_verify_client": certificates are not asked for over QUIC, whose clients have none')
    return made


def _pem(name: str) -> bytes:
    if name.startswith("data:"):
        return name[5:].encode()
    with open(name, "rb") as opened:
        return opened.read()


def http3(request: Request) -> bytes | None:
    """h3, hq, or empty."""
    return getattr(request.connection, "http3_name", b"")


_BOTH = HTTP | SERVER

module = HttpModule(
    name="http_v3",
    server=ServerConf,
    directives=(
        Directive("http3", _BOTH, FLAG, flag("enabled"), level="server"),
        Directive("http3_hq", _BOTH, FLAG, flag("hq"), level="server"),
        Directive("http3_max_concurrent_streams", _BOTH, take(1), number("streams"), level="server"),
        Directive("http3_stream_buffer_size", _BOTH, take(1), size("buffer_size"), level="server"),
        Directive("quic_retry", _BOTH, FLAG, flag("retry"), level="server"),
        Directive("quic_gso", _BOTH, FLAG, flag("gso"), level="server"),
        Directive("quic_host_key", _BOTH, take(1), set_host_key, level="server"),
        Directive("quic_active_connection_id_limit", _BOTH, take(1), number("id_limit"), level="server"),
    ),
    variables=(Variable("http3", http3),),
    prepare=prepare,
)
