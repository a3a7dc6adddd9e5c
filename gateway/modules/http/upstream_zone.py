"""upstream_zone: `zone NAME [SIZE]`, the peers of an upstream in memory that all workers share."""

from __future__ import annotations

from functools import partial
from typing import Final

from gateway.cluster.maps import Map
from gateway.cluster.servers import Servers
from gateway.cluster.sync import SYNCED, Synced
from gateway.config import units
from gateway.config.directive import UPSTREAM, Command, Directive, Setter, take
from gateway.core.logs import LOG
from gateway.core.zone_directives import add_zone
from gateway.core.zones import LEAST_SIZE
from gateway.http.module import HttpModule
from gateway.http.setters import cycle_of
from gateway.modules.http.upstream import upstream_of
from gateway.upstream.peers.zone import PeersZone

_OWNER: Final = "upstream"  # of http's


def zone_setter(owner: str) -> Setter:
    """`owner`: whose zone of that name it is; http's and stream's are not the same."""

    def set_zone(conf: None, command: Command) -> None:
        _set_zone(command, owner)

    return set_zone


def _set_zone(command: Command, owner: str) -> None:
    upstream = upstream_of(command)
    upstream.zoned = True
    name, *words = command.args
    if not name:
        command.fail(f'invalid zone name "{name}"')
    size = 0
    if words[-1:] == ["sync"] and owner == _OWNER:
        del words[-1]
        servers = Servers(upstream, command.loader.parts.get(LOG))
        command.loader.parts.get(SYNCED).append(Synced(command.where, partial(Map, "servers", servers)))
    if len(words) > 1:
        command.fail(f'invalid number of arguments in "{command.name}" directive')
    if words:
        try:
            size = units.parse_size(words[0])
        except ValueError:
            command.fail(f'invalid zone size "{words[0]}"')
        if size < LEAST_SIZE:
            command.fail(f'zone "{name}" is too small')
    zone = add_zone(command, name, size, owner, reuse=False)
    peers = zone.used_by(PeersZone)
    if peers is None:
        made = peers = zone.user = PeersZone(name)
        cycle = cycle_of(command)
        cycle.on_worker_start.append(lambda worker: made.begin_worker())
        cycle.on_worker_death.append(made.bury)
    if upstream not in peers.upstreams:
        peers.upstreams.append(upstream)


module = HttpModule(
    name="upstream_zone",
    directives=(Directive("zone", UPSTREAM, take(1, 2, 3), zone_setter(_OWNER)),),
)
