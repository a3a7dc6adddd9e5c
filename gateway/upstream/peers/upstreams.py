"""The upstreams of one configuration: `upstream` blocks, and those that a `*_pass host:port` makes by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gateway.config.errors import ConfigError, Where
from gateway.upstream.exchange.keepalive import Keepalive
from gateway.upstream.peers.address import Address, Target, parse_target, resolve
from gateway.upstream.peers.peers import Choice, Group, UpstreamServer, make_groups

if TYPE_CHECKING:
    from gateway.core.resolver import Resolver
    from gateway.upstream.health.checks import HealthCheck
    from gateway.upstream.peers.queue import Queue
    from gateway.upstream.peers.sticky import Sticky
    from gateway.upstream.peers.zone import SharedPeers

RESOLVER_TIMEOUT_S: Final = 30.0  # resolver_timeout's default

# Gets a Request, or a Session of stream.
Balancer = Callable[[Any, Group], Choice]


def round_robin(request: Any, group: Group) -> Choice:
    return Choice(group)


class Upstream:
    """Peers under one name, and how one is chosen for a request.

    Compiled with the types of upstreams.pxd: an attribute has its line there too.
    """

    def __init__(self, name: bytes, *, port: int = 0, explicit: bool = False, where: Where | None = None) -> None:
        self.name = name
        self.port = port
        self.explicit = explicit  # an upstream block, not a *_pass
        self.where = where
        self.seen: set[str] = set()  # directives that may stand in a block once
        self.servers: list[UpstreamServer] = []
        self.without_backup = False  # the balancer has no use for backup servers
        self.group: Group = Group(name, ())
        self.zoned = False
        self.shared: SharedPeers | None = None  # with `zone`, when it has its memory
        self.keepalive: Keepalive | None = None
        self.resolver: Resolver | None = None  # of names that are resolved at run time
        self.health_checks: list[HealthCheck] = []
        self.resolver_timeout = -1.0  # -1: as in the http block
        self.state = ""  # the file where the API keeps the servers
        self.sticky: Sticky | None = None
        self.queue: Queue | None = None
        # What the group's peers are chosen by; a balancing directive gives what makes it, once the peers are known.
        self.make_balancer: Callable[[Group], Balancer] | None = None
        self.balancer: Balancer = round_robin

    @property
    def kind_and_name(self) -> bytes:
        return b'upstream "%b"' % self.name

    def off_duty(self) -> None:
        """This worker ends: another one may take its duties."""
        if self.shared is not None:
            self.shared.off_duty()

    def finish(self) -> None:
        """All `server` lines are read: make the peers. Errors: ConfigError."""
        if not self.servers and not self.state:
            if not self.port:
                raise ConfigError(f'no port in upstream "{_text(self.name)}"', self.where)
            try:
                addresses = resolve(self.name.strip(b"[]"), self.port)
            except ValueError as error:
                raise ConfigError(f'{error} in upstream "{_text(self.name)}"', self.where) from None
            self.servers = [UpstreamServer(self.name, addresses)]
        if not self.state and all(server.backup for server in self.servers):
            raise ConfigError(f'no servers in upstream "{_text(self.name)}"', self.where)
        self.group = make_groups(self.name, self.servers)
        if self.make_balancer is not None:
            self.balancer = self.make_balancer(self.group)

    def resolve_by(self, resolver: Resolver | None, timeout_s: float) -> None:
        """With these of the block outside, where it has none of its own. Errors: ConfigError, names without a way."""
        self.resolver = self.resolver or resolver
        if self.resolver_timeout < 0:
            self.resolver_timeout = timeout_s
        if not any(server.resolve for server in self.servers):
            return
        name = _text(self.name)
        if not self.zoned:
            raise ConfigError(
                f'resolving names at run time requires upstream "{name}" in {self.where} to be in shared memory'
            )
        if self.resolver is None:
            raise ConfigError(f'no resolver defined to resolve names at run time in upstream "{name}"', self.where)

    def choose(self, request: Any) -> Choice:
        balancer = self.balancer
        choice = Choice(self.group) if balancer is round_robin else balancer(request, self.group)
        if self.sticky is not None:
            self.sticky.begin(request, choice)
        return choice


def single(address: Address) -> Upstream:
    """An upstream of one address that only the run time knows."""
    upstream = Upstream(address.name)
    upstream.group = Group(address.name, make_groups(address.name, [UpstreamServer(address.name, [address])]).peers)
    return upstream


def several(name: bytes, addresses: list[Address]) -> Upstream:
    """An upstream of what a name was resolved to at run time."""
    upstream = Upstream(name)
    upstream.group = make_groups(name, [UpstreamServer(name, addresses)])
    return upstream


class Upstreams:
    """The table of one http block."""

    def __init__(self) -> None:
        self.all: list[Upstream] = []
        self._explicit: dict[bytes, Upstream] = {}
        self._implicit: dict[tuple[bytes, int], Upstream] = {}
        self.finished = False

    def define(self, name: bytes, where: Where) -> Upstream:
        """An `upstream` block opens. Errors: ConfigError."""
        key = name.lower()
        if key in self._explicit:
            raise ConfigError(f'duplicate upstream "{_text(name)}"', where)
        upstream = None
        for (host, port), earlier in list(self._implicit.items()):
            if host == key:
                if port:
                    raise ConfigError(f'upstream "{_text(name)}" may not have port {port}', earlier.where)
                # a *_pass before this block named it
                upstream = earlier
                upstream.explicit, upstream.where, upstream.name = True, where, name
                upstream.servers.clear()
                del self._implicit[host, port]
        if upstream is None:
            upstream = Upstream(name, explicit=True, where=where)
            self.all.append(upstream)
        self._explicit[key] = upstream
        return upstream

    def refer(self, target: Target, where: Where) -> Upstream:
        """What a `*_pass` without variables names: an upstream block, before or after it, or a host. ConfigError."""
        key = target.host.lower()
        upstream = self._explicit.get(key)
        if upstream is not None and not (target.address is not None and target.address.is_unix):
            if not target.no_port:
                raise ConfigError(f'upstream "{_text(target.host)}" may not have port {target.port}', where)
            return upstream
        port = 0 if target.no_port else target.port
        upstream = self._implicit.get((key, port))
        if upstream is None:
            upstream = self._implicit[key, port] = Upstream(target.host, port=target.port, where=where)
            if target.address is not None and (target.port or target.address.is_unix):
                upstream.servers = [UpstreamServer(target.text, [target.address])]
            self.all.append(upstream)
        return upstream

    def finish(self, resolver: Resolver | None = None, timeout_s: float = RESOLVER_TIMEOUT_S) -> None:
        """The block is read, and these are its own. Errors: ConfigError, nginx's first one."""
        if not self.finished:
            self.finished = True
            for upstream in self.all:
                upstream.resolve_by(resolver, timeout_s)
                upstream.finish()

    def find(self, target: Target) -> Upstream | None:
        """What a `*_pass` with variables came to at run time: an upstream of this configuration, or None."""
        key = target.host.lower()
        if target.no_port:
            found = self._explicit.get(key)
            if found is not None:
                return found
        return self._implicit.get((key, 0 if target.no_port else target.port))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


__all__ = ["RESOLVER_TIMEOUT_S", "Balancer", "Upstream", "Upstreams", "parse_target", "several", "single"]
