"""realip: the client's address from a field or the PROXY protocol, behind proxies that are trusted.

`set_real_ip_from`, `real_ip_header`, `real_ip_recursive`. The connection has the address found until its request ends.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import FLAG, HTTP, LOCATION, SERVER, Command, Directive, flag, take
from gateway.core.networks import (
    IPV4,
    UNIX_NETWORK,
    IpAddress,
    Network,
    find_forwarded,
    parse_address,
    parse_network,
    remembered,
)
from gateway.core.variables import Variable
from gateway.http.module import NOTHING, Contribution, HttpModule, Phase, Result

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

_PROXY_PROTOCOL: Final = "proxy_protocol"


@dataclass(slots=True)
class LocationConf(Conf):
    proxies: list[Network] = setting(factory=list)
    header: str = setting("x-real-ip")
    recursive: bool = setting(False)


def set_from(conf: LocationConf, command: Command) -> None:
    text = command.args[0]
    if conf.proxies is UNSET:
        conf.proxies = []
    if text == "unix:":
        conf.proxies.append(UNIX_NETWORK)
        return
    try:
        network, exact = parse_network(text)
    except ValueError:
        conf.proxies += _resolve(text, command)
        return
    if not exact:
        command.warn(f"low address bits of {text} are meaningless")
    conf.proxies.append(network)


def _resolve(name: str, command: Command) -> list[Network]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        command.fail(f'host not found in set_real_ip_from "{name}"')
    addresses = dict.fromkeys(parse_address(str(entry[4][0]).partition("%")[0].encode()) for entry in found)
    return [Network(*address, 32 if address.version == IPV4 else 128) for address in addresses if address is not None]


def set_header(conf: LocationConf, command: Command) -> None:
    command.once(conf.header)
    # nginx has this word in lower case only, and field names in any
    text = command.args[0]
    conf.header = text if text == _PROXY_PROTOCOL else text.lower()


def plan(settings: LocationConf, location: Location) -> Contribution:
    proxies: tuple[Network, ...] = tuple(settings.proxies)
    if not proxies:
        return NOTHING
    recursive: bool = settings.recursive
    by_proxy_protocol = settings.header == _PROXY_PROTOCOL
    header = settings.header.encode("utf-8", "surrogateescape")

    def find(peer: bytes | None, fields: tuple[bytes, ...]) -> tuple[bytes, int] | None:
        address = parse_address(peer) if peer is not None else None
        found = find_forwarded(address, fields, proxies, recursive) if address is not None else None
        return None if found is None else (address_text(found[0]), found[1])

    remembering = remembered(find)

    def replace(request: Request) -> Result:
        if _replaced(request) is not None:
            return None
        connection = request.connection
        port = -1
        if by_proxy_protocol:
            if connection.proxy is None:
                return None
            fields = [connection.proxy.source]
            port = connection.proxy.source_port
        else:
            fields = request.head.get_all(header)
            if header != b"x-forwarded-for":
                fields = fields[:1]
        if not fields:
            return None
        before: tuple[bytes, int] = connection.remote()
        found = remembering(before[0], tuple(fields))
        if found is not None:
            request.main.cleanups.append(Replaced(connection, before))
            connection.peer = found if port < 0 else (found[0], port)
        return None

    return Contribution(handlers={Phase.POST_READ: replace, Phase.PREACCESS: replace})


class Replaced:
    """The address that the connection has; a clean-up of the request, where internal redirects do not lose it."""

    def __init__(self, connection: Any, before: tuple[bytes, int]) -> None:
        self.connection = connection
        self.before = before

    def __call__(self) -> None:
        self.connection.peer = self.before


def _replaced(request: Request) -> Replaced | None:
    for cleanup in request.main.cleanups:
        if isinstance(cleanup, Replaced):
            return cleanup
    return None


def address_text(address: IpAddress) -> bytes:
    if address.version == IPV4:
        return socket.inet_ntop(socket.AF_INET, address.number.to_bytes(4, "big")).encode()
    return socket.inet_ntop(socket.AF_INET6, address.number.to_bytes(16, "big")).encode()


def _original(request: Request) -> tuple[bytes, int]:
    replaced = _replaced(request)
    return request.connection.remote() if replaced is None else replaced.before


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
        Variable("realip_remote_addr", lambda request: _original(request)[0]),
        Variable("realip_remote_port", _original_port),
    ),
    plan=plan,
)
