"""The `resolver` directive, of every block and of upstreams: its servers and parameters, and its part in a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.config import units
from gateway.config.directive import Command
from gateway.config.parts import Part
from gateway.core.addresses import AddressError, parse_server
from gateway.core.listening import address_text
from gateway.core.logs import ERROR, LOG
from gateway.core.resolver import NameServer, Resolver
from gateway.core.resolver_counts import ResolverCounts, counts_of

if TYPE_CHECKING:
    from gateway.config.loader import Loader

_DNS_PORT: Final = 53
_RESOLVERS: Part[list[Resolver]] = Part("resolvers", list)
RESOLVER_COUNTS: Part[dict[str, ResolverCounts]] = Part("counts of resolvers", dict)
_SWITCH: Final = {"on": True, "off": False}


def make_resolver(command: Command) -> Resolver:
    """The resolver that this directive describes; ready when its worker has started."""
    servers: list[NameServer] = []
    counts: ResolverCounts | None = None
    valid, families = 0, {"ipv4": True, "ipv6": True}
    for word in command.args:
        key, equals, value = word.partition("=")
        if equals and key == "valid":
            try:
                valid = units.parse_seconds(value)
            except ValueError:
                command.fail(f"invalid parameter: {word}")
        elif equals and key in families:
            if value not in _SWITCH:
                command.fail(f"invalid parameter: {word}")
            families[key] = _SWITCH[value]
        elif equals and key == "status_zone":
            if not value:
                command.fail(f"invalid parameter: {word}")
            counts = command.loader.parts.get(RESOLVER_COUNTS)[value] = counts_of(value)
        else:
            servers += _servers(word, command)
    if not any(families.values()):
        command.fail('"ipv4" and "ipv6" cannot both be "off"')
    if not servers:
        command.fail("no name servers defined")
    resolver = Resolver(servers, valid=valid, ipv4=families["ipv4"], ipv6=families["ipv6"], counts=counts)
    command.loader.parts.get(_RESOLVERS).append(resolver)
    return resolver


def _servers(word: str, command: Command) -> list[NameServer]:
    try:
        return [
            NameServer(family, address, address_text(family, address))
            for family, address in parse_server(word, _DNS_PORT)
        ]
    except AddressError as error:
        command.fail(f'{error} in resolver "{word}"')


def set_resolver(conf: Any, command: Command) -> None:
    """resolver ADDRESS ... [valid=TIME] [ipv4=on|off] [ipv6=on|off] [status_zone=NAME], in http, server or location."""
    command.once(conf.resolver)
    conf.resolver = make_resolver(command)


def connect_resolvers(cycle: Any, loader: Loader) -> None:
    """A block is read: its resolvers log where it logs, and work in each worker's nursery."""
    resolvers = loader.parts.get(_RESOLVERS)
    log = loader.parts.get(LOG)

    def start(worker: Any) -> None:
        for resolver in resolvers:
            resolver.nursery = worker.nursery

    for resolver in resolvers:
        resolver.log = lambda message: log.write(ERROR, message)
    if resolvers:
        cycle.on_worker_start.append(start)
