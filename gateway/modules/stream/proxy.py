"""stream_proxy: `proxy_pass` of the stream block, and how sessions are passed on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from gateway.config import units
from gateway.config.conf import Conf, setting
from gateway.config.directive import (
    FLAG,
    Arguments,
    Command,
    Context,
    Directive,
    Setter,
    enum_,
    flag,
    number,
    size,
    take,
    time_s,
)
from gateway.http.setters import Number
from gateway.modules.stream.relay import RelaySettings
from gateway.modules.stream.relaying import Relaying
from gateway.stream.module import NOTHING, Contribution, StreamModule
from gateway.stream.setters import cycle_of, template
from gateway.upstream.exchange.shared_directives import set_bind
from gateway.upstream.exchange.tls_settings import ClientTlsConf, merge_with_tls, tls_family
from gateway.upstream.peers.address import parse_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.errors import Where
    from gateway.stream.servers import Server
    from gateway.upstream.exchange.conf import Local

_WHERE: Final = Context.STREAM | Context.STREAM_SERVER


@dataclass(slots=True)
class ServerConf(Conf):
    relaying: Relaying | None = setting(None, inherit=False)
    connect_timeout: float = setting(60.0)
    timeout: float = setting(600.0)
    buffer_size: int = setting(16384)
    next_upstream: bool = setting(True)
    next_upstream_tries: int = setting(0)
    next_upstream_timeout: float = setting(0.0)
    upload_rate: Callable[[Any], int] | None = setting(None)
    download_rate: Callable[[Any], int] | None = setting(None)
    proxy_protocol: int = setting(0)
    half_close: bool = setting(False)
    requests: int = setting(0)
    responses: int | None = setting(None)
    socket_rcvbuf: int = setting(0)
    socket_sndbuf: int = setting(0)
    socket_keepalive: bool = setting(False)
    local: Local | None = setting(None)
    transparent: bool = setting(False)
    ssl: bool = setting(False)
    tls: ClientTlsConf = setting(factory=ClientTlsConf)
    # made when settings are merged
    client_tls: Any = None  # a ClientTls, with `proxy_ssl on`
    places: dict[str, Where] = field(default_factory=dict)  # of the proxy_ssl_ directives, for errors

    def merge(self, outer: Self | None, nameless: bool = False) -> None:
        merge_with_tls(self, outer, nameless)
        if self.ssl and self.relaying is not None:
            self.client_tls = self.tls.client("proxy", self.places)


def set_pass(conf: ServerConf, command: Command) -> None:
    command.once(conf.relaying)
    command.scope.owner.content_by = module
    upstreams = cycle_of(command).upstreams
    compiled = template(command, command.args[0])
    if compiled.constant is None:
        conf.relaying = Relaying(upstreams, None, compiled)
        return
    try:
        target = parse_target(compiled.constant)
    except ValueError as error:
        command.fail(f'{error} in upstream "{command.args[0]}"')
    conf.relaying = Relaying(upstreams, upstreams.refer(target, command.where), None)


def _rate(field_name: str) -> Setter:
    def set_rate(conf: Any, command: Command) -> None:
        command.once(getattr(conf, field_name))
        try:
            value = Number(template(command, command.args[0]), units.parse_size)
        except ValueError:
            command.refuse("invalid value")
        setattr(conf, field_name, value)

    return set_rate


def set_old_buffer(conf: ServerConf, command: Command) -> None:
    """The buffers of both directions had a directive each once."""
    size("buffer_size")(conf, command)
    command.warn(f'the "{command.name}" directive is deprecated, use the "proxy_buffer_size" directive instead')


def set_local(conf: ServerConf, command: Command) -> None:
    set_bind(conf, command, template)


def plan(conf: ServerConf, server: Server) -> Contribution:
    relaying: Relaying | None = conf.relaying
    if relaying is None:
        return NOTHING
    settings = RelaySettings(conf)
    return Contribution(content=lambda session: relaying.run(session, settings))


def _proxy(name: str, arguments: Arguments, setter: Setter) -> Directive:
    return Directive("proxy_" + name, _WHERE, arguments, setter, level="server")


module = StreamModule(
    name="stream_proxy",
    server=ServerConf,
    directives=(
        Directive("proxy_pass", Context.STREAM_SERVER, take(1), set_pass, level="server"),
        _proxy("bind", take(1, 2), set_local),
        _proxy("socket_keepalive", FLAG, flag("socket_keepalive")),
        _proxy("connect_timeout", take(1), time_s("connect_timeout")),
        _proxy("timeout", take(1), time_s("timeout")),
        _proxy("buffer_size", take(1), size("buffer_size")),
        _proxy("downstream_buffer", take(1), set_old_buffer),
        _proxy("upstream_buffer", take(1), set_old_buffer),
        _proxy("upload_rate", take(1), _rate("upload_rate")),
        _proxy("download_rate", take(1), _rate("download_rate")),
        _proxy("next_upstream", FLAG, flag("next_upstream")),
        _proxy("next_upstream_tries", take(1), number("next_upstream_tries")),
        _proxy("next_upstream_timeout", take(1), time_s("next_upstream_timeout")),
        _proxy("protocol", take(1), enum_("proxy_protocol", {"off": 0, "on": 1, "v2": 2})),
        _proxy("half_close", FLAG, flag("half_close")),
        _proxy("requests", take(1), number("requests")),
        _proxy("responses", take(1), number("responses")),
        _proxy("socket_rcvbuf", take(1), size("socket_rcvbuf")),
        _proxy("socket_sndbuf", take(1), size("socket_sndbuf")),
        _proxy("ssl", FLAG, flag("ssl")),
        *tls_family("proxy", _WHERE, "server"),
    ),
    plan=plan,
)
