"""realip: the client's address from a field or the PROXY protocol, behind proxies that are trusted.

`set_real_ip_from`, `real_ip_header`, `real_ip_recursive`. The connection has the address found until its request ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import Conf, setting
from gateway.config.directive import FLAG, HTTP, LOCATION, SERVER, Command, Directive, flag, take
from gateway.core.networks import Network, address_text, find_forwarded, parse_address
from gateway.core.variables import Variable
from gateway.http.module import NOTHING, Contribution, HttpModule, Phase, Result
from gateway.http.part import Part
from gateway.serving.realip import set_from

if TYPE_CHECKING:
    from gateway.http.client import Client
    from gateway.http.locations import Location
    from gateway.http.request import Request

_PROXY_PROTOCOL: Final = "proxy_protocol"
_REMEMBERED: Final = 1024
_LONGEST: Final = 256  # of the values that are remembered, so that nobody fills the memory with them


@dataclass(slots=True)
class LocationConf(Conf):
    proxies: list[Network] = setting(factory=list)
    header: str = setting("x-real-ip")
    recursive: bool = setting(False)


def set_header(conf: LocationConf, command: Command) -> None:
    command.once(conf.header)
    # nginx has this word in lower case only, and field names in any
    text = command.args[0]
    conf.header = text if text == _PROXY_PROTOCOL else text.lower()


class Replace(Part):
    """The handler of a server or a location. It remembers what was found: clients ask again and again."""

    def __init__(self, settings: LocationConf) -> None:
        self.proxies: tuple[Network, ...] = tuple(settings.proxies)
        self.recursive: bool = settings.recursive
        self.by_proxy_protocol: bool = settings.header == _PROXY_PROTOCOL
        self.header = settings.header.encode("utf-8", "surrogateescape")
        self.all_fields: bool = self.header == b"x-forwarded-for"
        self.peers: dict[bytes, bool] = {}  # whether they are proxies that are trusted
        self.known: dict[bytes, tuple[bytes, int]] = {}  # what one of these means by its field's value

    def run(self, request: Request) -> Result:
        main = request.get_main()
        if _replaced(main) is not None:
            return None
        client: Client = request.connection
        before: tuple[bytes, int] = client.remote()
        peer = before[0]
        trusted = self.peers.get(peer)
        if trusted is None:
            trusted = self._trusts(peer)
        if not trusted:
            return None
        value: bytes | None
        if self.by_proxy_protocol:
            value = client.proxy.source if client.proxy is not None else None
        elif self.all_fields:
            value = request.head.combined(self.header)
        else:
            value = request.head.get(self.header)
        if value is None:
            return None
        found = self.known.get(value)
        if found is None:
            found = self._find(peer, value)
            if found is None:
                return None
        if self.by_proxy_protocol:
            found = found[0], client.proxy.source_port
        main.cleanups.append(Replaced(client, before))
        client.lane.settle()  # an earlier request of the connection may wait for its record: with its own address
        client.peer = found
        return None

    def _trusts(self, peer: bytes) -> bool:
        address = parse_address(peer)
        trusted = address is not None and any([network.holds(address.plain) for network in self.proxies])
        if len(self.peers) >= _REMEMBERED:
            self.peers.clear()
        self.peers[peer] = trusted
        return trusted

    def _find(self, peer: bytes, value: bytes) -> tuple[bytes, int] | None:
        address = parse_address(peer)
        assert address is not None
        last = find_forwarded(address, (value,), self.proxies, self.recursive)
        if last is None:
            return None
        found = address_text(last[0]), last[1]
        if len(value) <= _LONGEST:
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[value] = found
        return found


def plan(settings: LocationConf, location: Location) -> Contribution:
    if not settings.proxies:
        return NOTHING
    replace = Replace(settings)
    return Contribution(handlers={Phase.POST_READ: replace, Phase.PREACCESS: replace})


class Replaced:
    """The address that the connection has; a clean-up of the request, where internal redirects do not lose it."""

    def __init__(self, connection: Client, before: tuple[bytes, int]) -> None:
        self.connection = connection
        self.before = before

    def __call__(self) -> None:
        self.connection.peer = self.before


def _replaced(main: Request) -> Replaced | None:
    cleanups = main.cleanups
    for cleanup in cleanups:
        if isinstance(cleanup, Replaced):
            return cleanup
    return None


def _original(request: Request) -> tuple[bytes, int]:
    replaced = _replaced(request.get_main())
    if replaced is not None:
        return replaced.before
    client: Client = request.connection
    return client.remote()


def _original_address(request: Request) -> bytes | None:
    return _original(request)[0]


def _original_port(request: Request) -> bytes | None:
    port = _original(request)[1]
    return b"%d" % port if port else b""


_EVERYWHERE: Final = HTTP | SERVER | LOCATION

module = HttpModule(
    name="realip",
    location=LocationConf,
    directives=(
        Directive("set_real_ip_from", _EVERYWHERE, take(1), set_from),
        Directive("real_ip_header", _EVERYWHERE, take(1), set_header),
        Directive("real_ip_recursive", _EVERYWHERE, FLAG, flag("recursive")),
    ),
    variables=(
        Variable("realip_remote_addr", _original_address),
        Variable("realip_remote_port", _original_port),
    ),
    plan=plan,
)
