"""`server NAME resolve` and `service=`: the peers of a name follow what DNS says, without a reload.

One worker asks for all (SharedPeers.on_duty). It keeps a task for each TEMPLATE in the zone, which asks again when an
answer's time is over. Peers that stay keep their state; where DNS fails, all stay. A name that does not exist any more,
or has no addresses, has no peers. Of a service, records of the best priority are primary peers, the others backup ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from gateway.core.logs import ALERT, ERROR, Log
from gateway.core.resolver import Lookup, Resolver, words_of
from gateway.protocol.dns import NXDOMAIN, Service
from gateway.upstream.peers.address import Address, inet_address, parse_target
from gateway.upstream.peers.peers import Peer, UpstreamServer

if TYPE_CHECKING:
    from gateway.upstream.peers.upstreams import Upstream
    from gateway.upstream.peers.zone import SharedPeers

# How often a worker looks for new templates, and whether the duty is its own.
_LOOK_S: Final = 1.0
# No name is asked for more often, whatever its TTL.
_LEAST_S: Final = 1.0
_HTTP_PORT: Final = 80


@dataclass(frozen=True, slots=True)
class Found:
    """An address that a name stands for now; `name` and `weight` are of its SRV record."""

    address: Address
    name: bytes
    weight: int = 0  # 0: as the template says
    backup: bool = False


async def resolve_names(upstream: Upstream, resolver: Resolver, timeout_s: float, log: Log) -> None:
    """Keep the peers of an upstream's templates as DNS says while the duty is ours. Runs until cancelled."""
    shared = upstream.shared
    assert shared is not None
    running: dict[int, trio.CancelScope] = {}
    waiting: set[int] = set()  # templates that have not been asked for yet

    def asked(number: int) -> None:
        waiting.discard(number)
        if not waiting:
            shared.all_asked()

    async with trio.open_nursery() as nursery:
        while True:
            templates = shared.templates() if shared.on_duty() else {}
            for number in running.keys() - templates.keys():
                running.pop(number).cancel()
                waiting.discard(number)
            for number in templates.keys() - running.keys():
                running[number] = trio.CancelScope()
                waiting.add(number)
                follower = _Follower(upstream, shared, templates[number], resolver, timeout_s, log)
                nursery.start_soon(follower.run, running[number], asked)
            await trio.sleep(_LOOK_S)


class _Follower:
    """The peers of one template."""

    def __init__(
        self,
        upstream: Upstream,
        shared: SharedPeers,
        template: Peer,
        resolver: Resolver,
        timeout_s: float,
        log: Log,
    ) -> None:
        self.upstream = upstream
        self.shared = shared
        self.template = template
        self.resolver = resolver
        self.timeout_s = timeout_s
        self.log = log
        target = parse_target(template.server, _HTTP_PORT)
        self.host = target.host
        self.port = target.port

    async def run(self, scope: trio.CancelScope, asked: Callable[[int], None]) -> None:
        with scope:
            while True:
                try:
                    pause_s = await self.follow()
                except Exception as error:
                    # a bug, or a zone that is full: the peers stay as they are
                    self.log.write(ALERT, b"resolving %b failed: %b" % (self.host, repr(error).encode()))
                    pause_s = self.timeout_s
                asked(self.template.number)
                await trio.sleep(max(pause_s, _LEAST_S))

    async def follow(self) -> float:
        """Ask once, and change what has changed; the seconds until it is to be asked again."""
        if self.template.service:
            lookup, found = await self._services()
            what = b"service %b of %b" % (self.template.service, self.host)
        else:
            lookup = await self.resolver.wait(self.host, self.timeout_s)
            found = [Found(inet_address(host, self.port), self.template.server) for host in lookup.hosts]
            what = self.host
        if lookup.code:
            self._say(b"%b could not be resolved (%b)" % (what, words_of(lookup.code).encode()))
            if lookup.code != NXDOMAIN:
                return self.timeout_s
            found = []
        self._apply(found)
        return lookup.until - self.resolver.now

    def _say(self, message: bytes) -> None:
        self.log.write(ERROR, message)

    async def _services(self) -> tuple[Lookup, list[Found]]:
        """The addresses of all hosts that the SRV records name, and the lookup that has the code for all of them."""
        template = self.template
        label = template.service if b"." in template.service else b"_%b._tcp" % template.service
        lookup = await self.resolver.wait(b"%b.%b" % (label, self.host), self.timeout_s, service=True)
        if lookup.code:
            return lookup, []
        answers: dict[int, Lookup] = {}

        async def ask(index: int, service: Service) -> None:
            answers[index] = await self.resolver.wait(service.target, self.timeout_s)

        async with trio.open_nursery() as nursery:
            for index, service in enumerate(lookup.services):
                nursery.start_soon(ask, index, service)
        found: list[tuple[Service, str]] = []
        codes: list[int] = []
        for index, service in enumerate(lookup.services):
            answer = answers[index]
            if answer.code:
                codes.append(answer.code)
                self._say(
                    b"%b could not be resolved (%b) while resolving service %b of %b"
                    % (service.target, words_of(answer.code).encode(), template.service, self.host)
                )
            found += [(service, host) for host in answer.hosts]
            lookup.until = min(lookup.until, answer.until)
        if not found:
            lookup.code = NXDOMAIN if NXDOMAIN in codes else codes[0]
        best = min((service.priority for service, _ in found), default=0)
        return lookup, [
            Found(inet_address(host, service.port), service.target, service.weight, service.priority != best)
            for service, host in found
        ]

    # -- what DNS says becomes peers -------------------------------------------------------------------------------

    def _apply(self, found: list[Found]) -> None:
        """Peers whose address is still there stay, each for one record; the others go, and new ones come."""
        template, shared = self.template, self.shared
        spare = shared.is_backup(template)
        if spare or self.upstream.without_backup:
            # there is no group for what is second
            found = [one for one in found if not one.backup]
        left = list(found)
        for peer in shared.members():
            if peer.parent == template.id:
                same = next((one for one in left if self._is(peer, one)), None)
                if same is None:
                    shared.remove(peer.id)
                else:
                    left.remove(same)
        for one in left:
            try:
                shared.add(self._server(one, spare), one.address, parent=template.id, name=one.name)
            except MemoryError:
                self._say(b'cannot add new server to upstream "%b", memory exhausted' % self.upstream.name)
                return

    def _is(self, peer: Peer, found: Found) -> bool:
        if peer.address.sockaddr != found.address.sockaddr:
            return False
        if not self.template.service:
            return True
        return (
            peer.server == found.name
            and (self.template.weight != 1 or peer.weight == found.weight)
            and self.shared.is_backup(peer) == (found.backup or self.shared.is_backup(self.template))
        )

    def _server(self, found: Found, spare: bool) -> UpstreamServer:
        """What the template says of its peers, as it is now."""
        template = self.template
        return UpstreamServer(
            template.server,
            weight=template.weight if template.weight != 1 else found.weight or 1,
            max_conns=template.max_conns,
            max_fails=template.max_fails,
            fail_timeout=template.fail_timeout,
            slow_start=template.slow_start,
            backup=spare or found.backup,
            down=template.down,
            route=template.route,
        )
