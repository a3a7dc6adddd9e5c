"""access: `allow` and `deny` by the client's address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, LIMIT_EXCEPT, Command, Directive, take
from gateway.core.networks import IPV4, IPV6, UNIX, UNIX_NETWORK, IpAddress, Network, parse_address, parse_network
from gateway.http.module import NOTHING, OK, Contribution, HttpModule, Phase, Result

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

_ALL: Final = (Network(IPV4, 0, 0), Network(IPV6, 0, 0), UNIX_NETWORK)
_FORBIDDEN: Final = 403


@dataclass(slots=True)
class LocationConf(Conf):
    rules: list[tuple[Network, bool]] = setting(factory=list)  # and whether it is denied


def set_rule(conf: LocationConf, command: Command) -> None:
    text = command.args[0]
    networks: tuple[Network, ...]
    if text == "all":
        networks = _ALL
    elif text == "unix:":
        networks = (UNIX_NETWORK,)
    else:
        try:
            network, exact = parse_network(text)
        except ValueError:
            command.fail(f'invalid parameter "{text}"')
        if not exact:
            command.warn(f"low address bits of {text} are meaningless")
        networks = (network,)
    if conf.rules is UNSET:
        conf.rules = []
    conf.rules += [(network, command.name == "deny") for network in networks]


def plan(conf: LocationConf, location: Location) -> Contribution:
    if not conf.rules:
        return NOTHING
    decide = decision(conf.rules)
    quiet = location.core.satisfy_any

    def check(request: Request) -> Result:
        result = decide(request.connection.remote()[0])
        if result == _FORBIDDEN and not quiet:
            request.log("error", b"access forbidden by rule")
        return result

    return Contribution(handlers={Phase.ACCESS: check})


def decision(rules: list[tuple[Network, bool]]) -> Callable[[bytes], Result]:
    """The first rule that holds an address decides; what was decided is remembered for some addresses."""
    by_version = {
        version: [(network, denied) for network, denied in rules if network.version == version]
        for version in (IPV4, IPV6, UNIX)
    }

    @lru_cache(maxsize=1024)
    def decide(text: bytes) -> int | None:
        address: IpAddress | None = parse_address(text)
        if address is None:
            return None
        if by_version[IPV4]:
            address = address.plain
        for network, denied in by_version[address.version]:
            if network.holds(address):
                return _FORBIDDEN if denied else OK
        return None

    return decide


_WHERE: Final = EVERYWHERE | LIMIT_EXCEPT

module = HttpModule(
    name="access",
    location=LocationConf,
    directives=(
        Directive("allow", _WHERE, take(1), set_rule),
        Directive("deny", _WHERE, take(1), set_rule),
    ),
    plan=plan,
)
