"""geo: a variable whose value depends on an address.

nginx can write large range bases to `.bin` files to load them faster; here they are read as text each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.config.directive import HTTP, Command, Directive, take
from gateway.config.errors import ConfigError
from gateway.config.parser import Statement
from gateway.config.text import to_bytes, to_str
from gateway.core.networks import (
    IPV4,
    IPV6,
    UNIX_ADDRESS,
    IpAddress,
    Network,
    NetworkTable,
    Overlap,
    RangeTable,
    dotted,
    find_forwarded,
    parse_address,
    parse_ipv4,
    parse_network,
    remembered,
)
from gateway.core.variables import Getter, cached
from gateway.http.module import HttpModule
from gateway.http.setters import cycle_of, variable_name

if TYPE_CHECKING:
    from gateway.http.request import Request

_EVERYTHING: Final = (Network(IPV4, 0, 0), Network(IPV6, 0, 0))
# what has no address (a unix socket, a text that is none) is looked up as this one
_NONE: Final = IpAddress(IPV4, 0xFFFFFFFF)


class Geo:
    """The lines of one block."""

    def __init__(self) -> None:
        self.networks = NetworkTable()
        self.ranges: RangeTable | None = None
        self.default: bytes | None = None  # with ranges
        self.proxies: list[Network] = []
        self.proxy_recursive = False
        self.volatile = False

    def getter(self, variable: Getter | None) -> Getter:
        ranges, networks, default = self.ranges, self.networks, self.default or b""
        proxies, recursive = tuple(self.proxies), self.proxy_recursive

        def address_of(text: bytes | None, fields: tuple[bytes, ...]) -> IpAddress:
            address = parse_address(text) if text is not None else None
            if address is None:
                return _NONE
            found = find_forwarded(address, fields, proxies, recursive) if fields else None
            if found is not None:
                address = found[0]
            return _NONE if address == UNIX_ADDRESS else address.plain

        def find(text: bytes | None, fields: tuple[bytes, ...]) -> bytes:
            address = address_of(text, fields)
            value: bytes | None
            if ranges is None:
                value = networks.find(address)
                return value if value is not None else b""
            value = ranges.find(address.number if address.version == IPV4 else _NONE.number)
            return value if value is not None else default

        remembering = remembered(find)

        def get(request: Request) -> bytes:
            text = request.connection.remote()[0] if variable is None else variable(request)
            return remembering(text, tuple(request.head.get_all(b"x-forwarded-for")) if proxies else ())

        return get


def set_geo(conf: Any, command: Command) -> None:
    """geo [$address] $variable { ... }"""
    *source, target = [variable_name(command, text) for text in command.args]
    registry = cycle_of(command).variables
    variable = registry.reference(source[0], command.where) if source else None
    geo = Geo()
    for statement in command.lines():
        _line(geo, statement, Command(statement, command.directive, command.scope, command.loader))
    name = target.lower()
    get = geo.getter(variable)
    registry.define(name, get if geo.volatile else cached(name, get), command.where)


def _line(geo: Geo, statement: Statement, line: Command) -> None:
    key, args = statement.name, statement.args
    if not args:
        if key == "ranges":
            if geo.networks:
                line.fail('the "ranges" directive must be the first directive inside "geo" block')
            geo.ranges = geo.ranges or RangeTable()
            return
        if key == "proxy_recursive":
            geo.proxy_recursive = True
            return
        if key == "volatile":
            geo.volatile = True
            return
    if len(args) != 1:
        raise ConfigError("invalid number of the geo parameters", statement.where)
    value = args[0]
    if key == "proxy":
        geo.proxies.append(_network(value, line))
    elif geo.ranges is not None:
        _range(geo, geo.ranges, key, value, line)
    elif key == "default":
        for network in _EVERYTHING:
            _put(geo.networks, network, value, key, line)
    elif key == "delete":
        if not geo.networks.delete(_network(value, line)):
            line.warn(f'no network "{value}" to delete')
    else:
        _put(geo.networks, _network(key, line), value, key, line)


def _network(text: str, line: Command) -> Network:
    if text == "255.255.255.255":
        return Network(IPV4, _NONE.number, 32)
    try:
        network, exact = parse_network(text)
    except ValueError:
        line.fail(f'invalid network "{text}"')
    if not exact:
        line.warn(f"low address bits of {text} are meaningless")
    return network


def _put(networks: NetworkTable, network: Network, value: str, text: str, line: Command) -> None:
    old: bytes | None = networks.get(network)
    if old is not None:
        line.warn(
            f'duplicate network "{text}", value: "{value}", old value: "{old.decode("utf-8", "surrogateescape")}"'
        )
    networks.put(network, to_bytes(value))


def _range(geo: Geo, ranges: RangeTable, key: str, value: str, line: Command) -> None:
    if key == "default":
        if geo.default is not None:
            old = to_str(geo.default)
            line.warn(f'duplicate default geo range value: "{value}", old value: "{old}"')
        geo.default = to_bytes(value)
        return
    text = value if key == "delete" else key
    first, dash, last = to_bytes(text).partition(b"-")
    start, end = parse_ipv4(first), parse_ipv4(last)
    if not dash or start is None or end is None or start > end:
        line.fail(f'invalid range "{text}"')
    if key == "delete":
        if not ranges.delete(start, end):
            line.warn(f'no address range "{text}" to delete')
        return
    try:
        replaced = ranges.add(start, end, to_bytes(value))
    except Overlap as other:
        line.fail(f'range "{text}" overlaps "{dotted(other.start)}-{dotted(other.end)}"')
    if replaced is not None:
        line.warn(f'duplicate range "{text}", value: "{value}", old value: "{to_str(replaced)}"')


module = HttpModule(
    name="geo",
    directives=(Directive("geo", HTTP, take(1, 2), set_geo, block=True),),
)
