"""stream_health_check: active checks of an upstream's peers, over TCP or UDP, in the syntax of NGINX Plus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import Command, Context, Directive, at_least, take, time_s
from gateway.config.errors import ConfigError, Where
from gateway.config.loader import Loader, Scope
from gateway.config.text import to_bytes
from gateway.core.logs import LOG
from gateway.http.setters import regex
from gateway.modules.stream import proxy
from gateway.serving.cycle import LATE_IMPORTS
from gateway.stream.module import StreamModule
from gateway.upstream.duties import Duties, Task
from gateway.upstream.health.checks import HealthCheck, match_block
from gateway.upstream.health.stream_match import StreamMatch, begins_with, with_bytes

if TYPE_CHECKING:
    from gateway.core.logs import Log
    from gateway.serving.worker import Worker
    from gateway.stream.cycle import StreamCycle
    from gateway.stream.servers import Server
    from gateway.upstream.health.probes import Probe
    from gateway.upstream.peers.upstreams import Upstream

_WHERE: Final = Context.STREAM | Context.STREAM_SERVER


@dataclass(slots=True)
class MainConf(Conf):
    matches: dict[str, StreamMatch] = setting(factory=dict)


@dataclass(slots=True)
class _Directive:
    """What a health_check directive says."""

    where: Where
    check: HealthCheck
    match: str = ""
    datagram: bool = False


@dataclass(slots=True)
class ServerConf(Conf):
    check: Any = setting(None, inherit=False)  # a _Directive
    timeout: float = setting(5.0)


def set_check(conf: ServerConf, command: Command) -> None:
    if conf.check is not UNSET:
        command.duplicate()
    found = _Directive(command.where, HealthCheck())
    for word in command.args:
        try:
            if found.check.set_parameter(word):
                continue
            key, _, value = word.partition("=")
            if word == "udp":
                found.datagram = True
            elif key == "match" and value:
                found.match = value
            else:
                raise ValueError(word)
        except ValueError:
            command.fail(f'invalid parameter "{word}"')
    if found.check.persistent and not found.check.mandatory:
        command.fail('the "persistent" parameter requires "mandatory"')
    conf.check = found


set_match = match_block(Context.STREAM_MATCH, StreamMatch)


def set_send(conf: None, command: Command) -> None:
    match: StreamMatch = command.scope.owner
    if match.send:
        command.duplicate()
    match.send = with_bytes(to_bytes(command.args[0]))


def set_expect(conf: None, command: Command) -> None:
    """expect STRING | ~ REGEX | ~* REGEX."""
    match: StreamMatch = command.scope.owner
    if match.expect is not None:
        command.duplicate()
    if len(command.args) == 1:
        match.expect = begins_with(with_bytes(to_bytes(command.args[0])))
        return
    operator, text = command.args
    if operator not in ("~", "~*"):
        command.invalid(operator)
    match.expect = regex(command, text, caseless=operator == "~*").test


# -- what is checked, and by which probe ---------------------------------------------------------------------------


def prepare(scope: Scope, loader: Loader) -> None:
    cycle: StreamCycle = scope.owner
    matches: dict[str, StreamMatch] = scope.conf(module, "main").matches
    found: dict[Upstream, list[tuple[HealthCheck, Server, StreamMatch]]] = {}
    for server in cycle.servers:
        directive: _Directive | None = server.confs[module].check
        if directive is None:
            continue
        match = _find_match(directive, matches)
        upstream = _upstream_of(server, directive)
        directive.check.name = match.name
        upstream.health_checks.append(directive.check)
        found.setdefault(upstream, []).append((directive.check, server, match))
    if found:
        duties = Duties(cycle, loader.parts.get(LOG))
        loader.parts.get(LATE_IMPORTS).update(
            ("gateway.upstream.health.health", "gateway.upstream.health.stream_probe")
        )
        for upstream, checks in found.items():
            duties.add(upstream, _checking(upstream, checks, loader.parts.get(LOG)))


def _find_match(directive: _Directive, matches: dict[str, StreamMatch]) -> StreamMatch:
    if not directive.match:
        return StreamMatch()
    if directive.match not in matches:
        raise ConfigError(f'unknown match "{directive.match}"', directive.where)
    return matches[directive.match]


def _upstream_of(server: Server, directive: _Directive) -> Upstream:
    """Where the server's sessions go."""
    relaying = server.confs[proxy.module].relaying
    if relaying is None or relaying.upstream is None:
        raise ConfigError('"health_check" needs a proxy_pass without variables', directive.where)
    upstream: Upstream = relaying.upstream
    if not upstream.zoned:
        name = upstream.name.decode("utf-8", "surrogateescape")
        raise ConfigError(f'health checks require upstream "{name}" to be in shared memory', directive.where)
    return upstream


def _checking(upstream: Upstream, checks: list[tuple[HealthCheck, Server, StreamMatch]], log: Log) -> Task:
    async def check(worker: Worker) -> None:
        from gateway.upstream.health.health import check_peers  # late: it needs Trio

        for one, server, match in checks:
            one.probe = _make_probe(server, match, upstream)
        await check_peers(upstream, log)

    return check


def _make_probe(server: Server, match: StreamMatch, upstream: Upstream) -> Probe:
    from gateway.upstream.health.probe_wire import ProbeTls
    from gateway.upstream.health.stream_probe import StreamProbe

    own: ServerConf = server.confs[module]
    conf: proxy.ServerConf = server.confs[proxy.module]
    local = conf.local.constant if conf.local is not None else None
    nobody: Any = None  # of whom a variable could tell
    tls = ProbeTls(conf.client_tls, upstream.name, lambda: nobody) if conf.client_tls is not None else None
    return StreamProbe(match, own.timeout, own.check.datagram, local, tls)


module = StreamModule(
    name="stream_health_check",
    main=MainConf,
    server=ServerConf,
    directives=(
        Directive("health_check", Context.STREAM_SERVER, at_least(0), set_check, level="server"),
        Directive("health_check_timeout", _WHERE, take(1), time_s("timeout"), level="server"),
        Directive("match", Context.STREAM, take(1), set_match, level="main", block=True),
        Directive("send", Context.STREAM_MATCH, take(1), set_send, level=""),
        Directive("expect", Context.STREAM_MATCH, take(1, 2), set_expect, level=""),
    ),
    prepare=prepare,
)
