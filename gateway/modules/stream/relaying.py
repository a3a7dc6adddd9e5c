"""Where the sessions of a server with `proxy_pass` go: its upstream, or the one that variables name."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from gateway.core.lane import current_fibre, park
from gateway.core.resolver import words_of
from gateway.modules.stream.datagram_relay import DatagramRelay
from gateway.modules.stream.relay import Relay
from gateway.stream.datagrams import DatagramSession
from gateway.stream.module import INTERNAL_ERROR
from gateway.upstream.peers.address import inet_address, parse_target
from gateway.upstream.peers.upstreams import Upstream, several, single

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.modules.stream.relay import RelaySettings
    from gateway.stream.session import Session
    from gateway.upstream.peers.upstreams import Upstreams


class Relaying:
    """The `proxy_pass` of one server: where its sessions go. Compiled with the types of relaying.pxd."""

    def __init__(self, upstreams: Upstreams, upstream: Upstream | None, template: Template | None) -> None:
        self.upstreams = upstreams
        self.upstream = upstream
        self.template = template  # with variables; then `upstream` is None

    def run(self, session: Session, settings: RelaySettings) -> int | Awaitable[int]:
        """A session's content: the choice of its upstream, and the way there."""
        if isinstance(session, DatagramSession):
            relay: Relay = DatagramRelay(session, settings, self.upstream)
        else:
            relay = Relay(session, settings, self.upstream)
        return relay.begin() if relay.upstream is not None else self._run_found(relay)

    async def _run_found(self, relay: Relay) -> int:
        relay.upstream = await self._find(relay.session)
        if relay.upstream is None:
            return INTERNAL_ERROR
        result = relay.begin()
        return result if isinstance(result, int) else await result

    async def _find(self, session: Session) -> Upstream | None:
        """The upstream that the variables name for this session."""
        assert self.template is not None
        text = self.template(session)
        try:
            target = parse_target(text)
        except ValueError as error:
            session.log("error", b'%b in upstream "%b"' % (str(error).encode(), text))
            return None
        upstream = self.upstreams.find(target)
        if upstream is not None:
            return upstream
        address = target.address
        if not target.port and not (address is not None and address.is_unix):
            session.log("error", b'no port in upstream "%b"' % target.host)
            return None
        if address is not None:
            return single(address)
        core = session.server.core
        if core.resolver is None:
            session.log("error", b"no resolver defined to resolve %b" % target.host)
            return None
        fibre = current_fibre()
        assert fibre is not None
        lookup = core.resolver.look_up(target.host, fibre.wake)
        deadline = session.lane.now + core.resolver_timeout if core.resolver_timeout else 0.0
        try:
            while not lookup.done and await park(deadline):
                pass
            lookup.time_out()
        finally:
            lookup.cancel()
        if lookup.code:
            words = words_of(lookup.code).encode()
            session.log("error", b"%b could not be resolved (%b)" % (target.host, words))
            return None
        return several(target.host, [inet_address(host, target.port) for host in lookup.hosts])
