"""http_v2: HTTP/2 towards clients; the protocol itself is in http/h2_connection.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.config.conf import Conf, setting
from gateway.config.directive import FLAG, HTTP, LOCATION, SERVER, Command, Directive, flag, number, size, take
from gateway.core.variables import Variable
from gateway.http.h2_settings import Http2Settings
from gateway.http.module import NOTHING, Contribution, HttpModule
from gateway.protocol.http2_frames import LARGEST_FRAME_SIZE, MAX_WINDOW
from gateway.serving.cycle import LATE_IMPORTS

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.http.cycle import HttpCycle
    from gateway.http.locations import Location
    from gateway.http.request import Request


@dataclass(slots=True)
class ServerConf(Conf):
    enabled: bool = setting(False)
    concurrent_streams: int = setting(128)
    preread_size: int = setting(65536)


@dataclass(slots=True)
class LocationConf(Conf):
    chunk_size: int = setting(8192)


_set_preread_size = size("preread_size")
_set_chunk_size = size("chunk_size")


def set_preread_size(conf: ServerConf, command: Command) -> None:
    _set_preread_size(conf, command)
    if conf.preread_size > MAX_WINDOW:
        command.fail(f"the maximum body preread buffer size is {MAX_WINDOW}")


def set_chunk_size(conf: LocationConf, command: Command) -> None:
    _set_chunk_size(conf, command)
    if not conf.chunk_size:
        command.fail("the http2 chunk size cannot be zero")
    conf.chunk_size = min(conf.chunk_size, LARGEST_FRAME_SIZE)


def set_obsolete(conf: Any, command: Command) -> None:
    """Directives that nginx takes, and no longer obeys."""
    instead = _OBSOLETE[command.name]
    if instead:
        command.warn(f'the "{command.name}" directive is obsolete, use the "{instead}" directive instead')
    else:
        command.warn(f'the "{command.name}" directive is obsolete, ignored')


_OBSOLETE = {
    "http2_idle_timeout": "keepalive_timeout",
    "http2_max_concurrent_pushes": "",
    "http2_max_field_size": "large_client_header_buffers",
    "http2_max_header_size": "large_client_header_buffers",
    "http2_max_requests": "keepalive_requests",
    "http2_push": "",
    "http2_push_preload": "",
    "http2_recv_timeout": "client_header_timeout",
}


def prepare(scope: Scope, loader: Loader) -> None:
    cycle: HttpCycle = scope.owner
    for server in cycle.servers:
        conf: ServerConf = server.confs[module]
        server.http2 = conf.enabled
        server.http2_settings = Http2Settings(conf.concurrent_streams, conf.preread_size)
    if any(server.http2 for server in cycle.servers) or any(
        servers.http2 for listening in cycle.listenings for servers in listening.servers.values()
    ):
        loader.parts.get(LATE_IMPORTS).add("gateway.http.h2_connection")


def plan(settings: LocationConf, location: Location) -> Contribution:
    location.http2_chunk_size = settings.chunk_size
    return NOTHING


def http2(request: Request) -> bytes | None:
    """h2 over TLS, h2c without; empty for HTTP/1."""
    if request.http_version != 20:
        return b""
    return b"h2" if request.scheme == b"https" else b"h2c"


module = HttpModule(
    name="http_v2",
    server=ServerConf,
    location=LocationConf,
    directives=(
        Directive("http2", HTTP | SERVER, FLAG, flag("enabled"), level="server"),
        Directive("http2_max_concurrent_streams", HTTP | SERVER, take(1), number("concurrent_streams"), level="server"),
        Directive("http2_body_preread_size", HTTP | SERVER, take(1), set_preread_size, level="server"),
        Directive("http2_chunk_size", HTTP | SERVER | LOCATION, take(1), set_chunk_size),
        *(
            Directive(name, HTTP | SERVER, take(1), set_obsolete, level="server")
            for name in _OBSOLETE
            if not name.startswith("http2_push")
        ),
        Directive("http2_push", HTTP | SERVER | LOCATION, take(1), set_obsolete),
        Directive("http2_push_preload", HTTP | SERVER | LOCATION, FLAG, set_obsolete),
    ),
    variables=(Variable("http2", http2),),
    plan=plan,
    prepare=prepare,
)
