"""geoip: where an address is at home, from databases of MaxMind's present format (.mmdb); the package is an extra.

nginx reads the format before that, .dat, which nobody publishes any more. The names of its variables stay, but for what
the present databases do not say: codes of three letters and telephone areas. Names are UTF-8, with `utf8` or without.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import FLAG, HTTP, Command, Directive, flag, take
from gateway.config.text import to_bytes
from gateway.core.networks import IPV4, IPV6, Network, find_forwarded, parse_address, parse_network
from gateway.core.variables import Getter, Variable, cached
from gateway.http.module import HttpModule
from gateway.modules.http.content_coding import package

if TYPE_CHECKING:
    from gateway.http.request import Request

# A lookup of a path of keys in a record; a number is a place in a list.
Path = tuple[str | int, ...]


@dataclass(slots=True)
class Databases(Conf):
    """What http and stream have in common."""

    country: Any = setting(None)
    org: Any = setting(None)
    city: Any = setting(None)


@dataclass(slots=True)
class MainConf(Databases):
    proxies: Sequence[Network] = setting(())
    recursive: bool = setting(False)


def database_setter(field_name: str) -> Callable[[Any, Command], None]:
    def set_database(conf: Databases, command: Command) -> None:
        """geoip_country FILE [utf8]."""
        command.once(getattr(conf, field_name))
        name, *rest = command.args
        if rest and rest != ["utf8"]:
            command.fail(f'invalid parameter "{rest[0]}"')
        path = command.loader.path(name, conf=True)
        if path.endswith(".dat"):
            command.refuse(f'cannot read "{path}": the .dat format has had its day, give it the .mmdb file instead')
        maxminddb = package("maxminddb", "geoip", command)
        try:
            found = maxminddb.open_database(path)
        except OSError as error:
            command.fail(f'open() "{path}" failed ({error.errno}: {error.strerror})')
        except Exception as error:
            command.fail(f'"{path}" is no database: {error}')
        setattr(conf, field_name, found)

    return set_database


def set_proxy(conf: MainConf, command: Command) -> None:
    text = command.args[0]
    try:
        network, exact = parse_network(text)
    except ValueError:
        command.fail(f'invalid network "{text}"')
    if not exact:
        command.warn(f"low address bits of {text} are meaningless")
    conf.proxies = [*(() if conf.proxies is UNSET else conf.proxies), network]


def text_at(record: Any, path: Path) -> bytes | None:
    """What stands in a record under this path, as text."""
    for key in path:
        try:
            record = record[key]
        except (KeyError, IndexError, TypeError):
            return None
    if isinstance(record, float):
        return b"%.4f" % record
    return to_bytes(str(record)) if isinstance(record, (str, int)) else None


def _client(request: Request) -> str | None:
    """The address that is looked up: the client's, or what its trusted proxies say."""
    settings: MainConf = request.cycle.scope.conf(module, "main")
    address = parse_address(request.connection.remote()[0])
    if address is None:
        return None
    proxies: tuple[Network, ...] = tuple(settings.proxies)
    fields = request.main.head.get_all(b"x-forwarded-for") if proxies else None
    if fields:
        found = find_forwarded(address, fields, proxies, settings.recursive)
        if found is not None:
            address = found[0]
    address = address.plain
    if address.version not in (IPV4, IPV6):
        return None
    size, family = (4, socket.AF_INET) if address.version == IPV4 else (16, socket.AF_INET6)
    return socket.inet_ntop(family, address.number.to_bytes(size, "big"))


def record_of(database: Any, address: str | None) -> Any:
    if database is None or address is None:
        return None
    try:
        return database.get(address)
    except ValueError:  # an IPv6 address, and a database that has none
        return None


def _getter(name: str, which: str, path: Path) -> Getter:
    def get(request: Request) -> bytes | None:
        settings: MainConf = request.cycle.scope.conf(module, "main")
        return text_at(record_of(getattr(settings, which), _client(request)), path)

    return cached(name, get)


_NAME: Final = ("names", "en")
# (variable, database, where in its records)
FIELDS: Final[tuple[tuple[str, str, Path], ...]] = (
    ("geoip_country_code", "country", ("country", "iso_code")),
    ("geoip_country_code3", "country", ("country", "iso_code3")),
    ("geoip_country_name", "country", ("country", *_NAME)),
    ("geoip_org", "org", ("autonomous_system_organization",)),
    ("geoip_city_continent_code", "city", ("continent", "code")),
    ("geoip_city_country_code", "city", ("country", "iso_code")),
    ("geoip_city_country_code3", "city", ("country", "iso_code3")),
    ("geoip_city_country_name", "city", ("country", *_NAME)),
    ("geoip_region", "city", ("subdivisions", 0, "iso_code")),
    ("geoip_region_name", "city", ("subdivisions", 0, *_NAME)),
    ("geoip_city", "city", ("city", *_NAME)),
    ("geoip_postal_code", "city", ("postal", "code")),
    ("geoip_latitude", "city", ("location", "latitude")),
    ("geoip_longitude", "city", ("location", "longitude")),
    ("geoip_dma_code", "city", ("location", "metro_code")),
    ("geoip_area_code", "city", ("location", "area_code")),
)

module = HttpModule(
    name="geoip",
    main=MainConf,
    directives=(
        Directive("geoip_country", HTTP, take(1, 2), database_setter("country"), level="main"),
        Directive("geoip_org", HTTP, take(1, 2), database_setter("org"), level="main"),
        Directive("geoip_city", HTTP, take(1, 2), database_setter("city"), level="main"),
        Directive("geoip_proxy", HTTP, take(1), set_proxy, level="main"),
        Directive("geoip_proxy_recursive", HTTP, FLAG, flag("recursive"), level="main"),
    ),
    variables=tuple(Variable(name, _getter(name, which, path)) for name, which, path in FIELDS),
)
