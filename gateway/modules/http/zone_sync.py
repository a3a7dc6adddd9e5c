"""zone_sync: `zone_sync_store`, where zones with `sync` meet those of other nodes (cluster/)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from gateway.cluster.address import parse_address
from gateway.cluster.exact import EXACT, Exact
from gateway.cluster.maps import Map
from gateway.cluster.purges import Purges
from gateway.cluster.store import MISSING, NEEDED, StoreSettings, available
from gateway.cluster.sync import SIZE, SYNCED, Sync, Synced
from gateway.cluster.tickets import Sealer, TicketKeys
from gateway.config import units
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import HTTP, Directive, at_least
from gateway.config.errors import ConfigError
from gateway.core.logs import LOG
from gateway.core.tls_sessions import SessionCache
from gateway.core.zones import ZONES
from gateway.http.module import HttpModule
from gateway.serving.cycle import LATE_IMPORTS
from gateway.upstream.cache.cache_directives import SYNCED_CACHES
from gateway.upstream.duties import Duties

if TYPE_CHECKING:
    from gateway.config.directive import Command
    from gateway.config.loader import Loader, Scope

_INTERVAL_MS: Final = 100
_TIMEOUT_MS: Final = 1000
_EXACT_TIMEOUT_MS: Final = 50
_MOST_CERTIFICATES: Final = 1 << 20


@dataclass(slots=True)
class MainConf(Conf):
    sync: Any = setting(None)  # Sync | None
    sealer: Sealer | None = setting(None)  # what the keys of TLS tickets are sealed with, if they are shared


def set_store(conf: MainConf, command: Command) -> None:
    """zone_sync_store URL [prefix=NAME] [interval=TIME] [timeout=TIME] [exact_timeout=TIME] [trusted_certificate=FILE]
    [password_file=FILE] [ticket_key=FILE]."""
    if conf.sync is not UNSET:
        command.duplicate()
    if not available():
        command.fail(f'"{command.name}": {MISSING}')
    url, *parameters = command.args
    prefix, trusted = "gateway", None
    times = {"interval": _INTERVAL_MS, "timeout": _TIMEOUT_MS, "exact_timeout": _EXACT_TIMEOUT_MS}
    password = None
    for word in parameters:
        name, _, value = word.partition("=")
        if name == "prefix" and value:
            prefix = value
        elif name == "trusted_certificate" and value:
            trusted = _trusted(command, value)
        elif name in times and value:
            try:
                times[name] = units.parse_time_ms(value)
            except ValueError:
                times[name] = 0
            if times[name] <= 0:
                command.fail(f'invalid {name} "{value}"')
        elif name == "password_file" and value:
            password = _read(command, value).partition(b"\n")[0].strip(b"\r").decode("utf-8", "surrogateescape")
        elif name == "ticket_key" and value:
            try:
                conf.sealer = Sealer(_read(command, value))
            except ValueError as error:
                command.fail(f'"{value}" {error}')
        else:
            command.fail(f'invalid parameter "{word}"')
    try:
        address = parse_address(url)
    except ValueError as error:
        command.fail(f'invalid URL in "{command.name}": {error}')
    if password is not None:
        address = replace(address, password=password)
    timeout, exact_timeout = times["timeout"] / 1000, times["exact_timeout"] / 1000
    settings = StoreSettings(address, prefix, timeout, exact_timeout, trusted)
    conf.sync = Sync(settings, times["interval"] / 1000, command.loader.parts.get(LOG))


def _trusted(command: Command, name: str) -> str:
    """Certificates in PEM, as they are now: a worker may not be allowed to read the file."""
    import ssl

    text = _read(command, name, _MOST_CERTIFICATES).decode("ascii", "replace")
    try:
        ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError):
        command.fail(f'no certificates in "{name}"')
    return text


def _read(command: Command, name: str, most: int = 4096) -> bytes:
    path = command.loader.path(name, conf=True)
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        command.fail(f'cannot read "{path}": {error}')


def prepare(scope: Scope, loader: Loader) -> None:
    """The configuration is read: whatever has `sync` takes part."""
    caches = loader.parts.get(SYNCED_CACHES)
    synced = loader.parts.get(SYNCED) + [Synced(where, partial(Purges, cache)) for where, cache in caches]
    conf = scope.conf(module, "main")
    sync: Sync | None = conf.sync
    exacted = loader.parts.get(EXACT)
    if sync is None:
        for word, which in (("sync", synced), ("exact", exacted)):
            if which:
                raise ConfigError(f'"{word}" needs to know where: "zone_sync_store" is missing', which[0].where)
        return
    sync.sealer = conf.sealer
    sync.members += [each.join(sync) for each in synced]
    if conf.sealer is not None:
        for zone in loader.parts.get(ZONES):
            if isinstance(zone.user, SessionCache):
                keys = TicketKeys(zone.name, zone.user, conf.sealer, loader.parts.get(LOG))
                sync.members.append(Map("tickets", keys, sync))
    loader.parts.get(ZONES).add("zone sync", SIZE, "zone_sync").user = sync
    loader.parts.get(LATE_IMPORTS).update(NEEDED)
    duties = Duties(scope.owner, loader.parts.get(LOG))
    duties.add(sync, sync.run)
    if exacted:
        exact = Exact(sync)
        for each in exacted:
            each.use(exact)
        duties.add(exact, exact.run)
        scope.owner.ready.append(lambda: exact.tried)
    for member in sync.members:
        if isinstance(member, Purges):
            duties.add(member, member.run)
            loader.parts.get(LATE_IMPORTS).add("trio._threads")


module = HttpModule(
    name="zone_sync",
    main=MainConf,
    directives=(Directive("zone_sync_store", HTTP, at_least(1), set_store, level="main"),),
    prepare=prepare,
)
