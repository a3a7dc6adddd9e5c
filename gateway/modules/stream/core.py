"""stream_core: the settings of sessions that the engine itself reads, and the variables that all of them have."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway import NGINX_VERSION
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import (
    FLAG,
    Command,
    Context,
    Directive,
    at_least,
    flag,
    size,
    take,
    time_s,
)
from gateway.core.logs import LOG, Log
from gateway.core.networks import parse_address
from gateway.core.variables import Getter, PrefixVariable, Variable
from gateway.http.core_variables import local_time
from gateway.modules.http import error_log
from gateway.serving.resolver_directive import connect_resolvers, set_resolver
from gateway.serving.tlv_variables import tlv
from gateway.stream.module import StreamModule

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.core.resolver import Resolver
    from gateway.stream.cycle import StreamCycle
    from gateway.stream.session import Session

_HOSTNAME: Final = socket.gethostname().lower().encode()


@dataclass(slots=True)
class ServerConf(Conf):
    error_log: Log | None = setting(None)
    resolver: Resolver | None = setting(None)
    resolver_timeout: float = setting(30.0)
    proxy_protocol_timeout: float = setting(30.0)
    tcp_nodelay: bool = setting(True)
    # of what looks at a session's first bytes
    preread_buffer_size: int = setting(16384)
    preread_timeout: float = setting(30.0)


def set_error_log(conf: ServerConf, command: Command) -> None:
    """A block with an error_log of its own has only its own."""
    if conf.error_log is UNSET or conf.error_log is None:
        conf.error_log = Log()
    conf.error_log.add(error_log.sink(command))


def prepare(scope: Scope, loader: Loader) -> None:
    cycle: StreamCycle = scope.owner
    connect_resolvers(cycle, loader)
    for server in cycle.servers:
        if server.core.error_log is None:
            server.core.error_log = loader.parts.get(LOG)


# -- variables


def _binary_remote_addr(session: Session) -> bytes:
    text = session.remote()[0]
    address = parse_address(text)
    if address is None or text.startswith(b"unix:"):
        return text
    return socket.inet_pton(socket.AF_INET6 if b":" in text else socket.AF_INET, text.decode("ascii"))


def _port(number: int) -> bytes:
    return b"%d" % number if number else b""


def _proxy(part: str) -> Getter:
    def get(session: Session) -> bytes | None:
        header = session.proxy
        if header is None or not header.source:
            return None  # UNKNOWN, LOCAL: as if there were no header
        value: bytes | int = getattr(header, part)
        return value if isinstance(value, bytes) else _port(value)

    return get


def _seconds(value: float) -> bytes:
    ms = max(0, int(value * 1000))
    return b"%d.%03d" % (ms // 1000, ms % 1000)


VARIABLES: Final = (
    Variable("binary_remote_addr", _binary_remote_addr),
    Variable("remote_addr", lambda s: s.remote()[0]),
    Variable("remote_port", lambda s: _port(s.remote()[1])),
    Variable("proxy_protocol_addr", _proxy("source")),
    Variable("proxy_protocol_port", _proxy("source_port")),
    Variable("proxy_protocol_server_addr", _proxy("destination")),
    Variable("proxy_protocol_server_port", _proxy("destination_port")),
    PrefixVariable("proxy_protocol_tlv_", tlv),
    Variable("server_addr", lambda s: s.local_address()[0]),
    Variable("server_port", lambda s: _port(s.local_address()[1])),
    Variable("bytes_sent", lambda s: b"%d" % s.stream.sent),
    Variable("bytes_received", lambda s: b"%d" % s.received),
    Variable("session_time", lambda s: _seconds(s.lane.now - s.started)),
    Variable("status", lambda s: b"%03d" % s.status),
    Variable("connection", lambda s: b"%d" % s.number),
    Variable("nginx_version", lambda s: NGINX_VERSION.encode()),
    Variable("hostname", lambda s: _HOSTNAME),
    Variable("pid", lambda s: b"%d" % os.getpid()),
    Variable("msec", lambda s: _seconds(s.lane.wall)),
    Variable("time_iso8601", lambda s: local_time.at(int(s.lane.wall)).iso),
    Variable("time_local", lambda s: local_time.at(int(s.lane.wall)).local),
    Variable("protocol", lambda s: s.protocol),
)

_WHERE: Final = Context.STREAM | Context.STREAM_SERVER


def _server(name: str, arguments: Any, setter: Any) -> Directive:
    return Directive(name, _WHERE, arguments, setter, level="server")


module = StreamModule(
    name="stream_core",
    server=ServerConf,
    prepare=prepare,
    variables=VARIABLES,
    directives=(
        _server("error_log", at_least(1), set_error_log),
        _server("resolver", at_least(1), set_resolver),
        _server("resolver_timeout", take(1), time_s("resolver_timeout")),
        _server("proxy_protocol_timeout", take(1), time_s("proxy_protocol_timeout")),
        _server("tcp_nodelay", FLAG, flag("tcp_nodelay")),
        _server("preread_buffer_size", take(1), size("preread_buffer_size")),
        _server("preread_timeout", take(1), time_s("preread_timeout")),
    ),
)
