"""The directives of the cache, declared once for all protocols by their prefix."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any, Final

from gateway.config import units
from gateway.config.conf import UNSET
from gateway.config.directive import (
    FLAG,
    Arguments,
    Command,
    Setter,
    at_least,
    bitmask,
    flag,
    number,
    offset,
    take,
    time_s,
)
from gateway.config.errors import Where
from gateway.config.parts import Part
from gateway.core.logs import LOG
from gateway.core.shared_map import SharedMap
from gateway.core.temp_files import TempPath
from gateway.core.zone_directives import add_zone
from gateway.core.zones import ZONES
from gateway.http.setters import cycle_of, predicates, template, template_setting, to_be_made
from gateway.serving.cycle import LATE_IMPORTS
from gateway.serving.worker import Worker
from gateway.upstream.cache.conf import ANY, CacheUse
from gateway.upstream.cache.file_cache import FileCache
from gateway.upstream.duties import Duties

_WITHOUT_STATUS: Final = (200, 301, 302)
_LEAST_PAGES: Final = 2
_MOST_LEVELS: Final = 3

Declared = tuple[str, Arguments, str, Setter]


def declared(prefix: str, conditions: dict[str, Any]) -> list[Declared]:
    """(name without prefix, arguments, field, setter) of what stands in http, server and location."""
    background = flag("cache_background_update")
    use_stale = bitmask("cache_use_stale", conditions)
    lines: list[Declared] = [
        ("cache", take(1), "cache", set_cache(prefix)),
        ("cache_key", take(1), "cache_key", template_setting("cache_key")),
        ("cache_valid", at_least(1), "cache_valid", add_valid),
        ("cache_methods", at_least(1), "cache_methods", add_methods),
        ("cache_min_uses", take(1), "cache_min_uses", number("cache_min_uses")),
        ("cache_bypass", at_least(1), "cache_bypass", predicates("cache_bypass")),
        ("no_cache", at_least(1), "no_cache", predicates("no_cache")),
        ("cache_purge", at_least(1), "cache_purge", predicates("cache_purge")),
        ("cache_use_stale", at_least(1), "cache_use_stale", use_stale),
        ("cache_revalidate", FLAG, "cache_revalidate", flag("cache_revalidate")),
        # nginx declares uwsgi's as any other argument
        ("cache_background_update", take(1) if prefix == "uwsgi" else FLAG, "cache_background_update", background),
        ("cache_lock", FLAG, "cache_lock", flag("cache_lock")),
        ("cache_lock_age", take(1), "cache_lock_age", time_s("cache_lock_age")),
        ("cache_lock_timeout", take(1), "cache_lock_timeout", time_s("cache_lock_timeout")),
        ("cache_max_range_offset", take(1), "cache_max_range_offset", offset("cache_max_range_offset")),
    ]
    return lines


_CACHES: Part[dict[str, list[FileCache]]] = Part("caches by prefix", dict)
_DUTIES: Part[Duties] = Part("duties of caches")
# Caches whose purges go to all nodes, and where that was said.
SYNCED_CACHES: Part[list[tuple[Where, FileCache]]] = Part("caches with sync", list)
# Purges that wait for the next round: some 1000 keys.
_PURGES_SIZE: Final = 256 * 1024


def caches_of(command: Command, prefix: str) -> list[FileCache]:
    """Those that `*_cache_path` of this prefix has declared so far, and will."""
    return command.loader.parts.get(_CACHES).setdefault(prefix, [])


def set_cache(prefix: str) -> Setter:
    """`*_cache off | ZONE`, with variables or without."""

    def set_use(conf: Any, command: Command) -> None:
        command.once(conf.cache)
        text = command.args[0]
        if text == "off":
            conf.cache = None
            return
        if conf.store is not UNSET and conf.store:
            command.refuse(f'is incompatible with "{prefix}_store"')
        caches = caches_of(command, prefix)
        compiled = template(command, text)
        if compiled.constant is None:
            conf.cache = CacheUse(None, compiled, caches, command.warn)
            return
        zone = add_zone(command, text, 0, f"{prefix}_cache")
        conf.cache = CacheUse(zone, None, caches, command.warn)

    return set_use


def add_valid(conf: Any, command: Command) -> None:
    """`*_cache_valid [status | any]… time`."""
    *statuses, text = command.args
    try:
        seconds = units.parse_seconds(text)
    except ValueError:
        command.fail(f'invalid time value "{text}"')
    valid = list(() if conf.cache_valid is UNSET else conf.cache_valid)
    if not statuses:
        valid += ((status, seconds) for status in _WITHOUT_STATUS)
    for word in statuses:
        status = ANY
        if word != "any":
            status = int(word) if word.isascii() and word.isdigit() and len(word) < 10 else -1
            if not 100 <= status <= 599:
                command.fail(f'invalid status "{word}"')
        valid.append((status, seconds))
    conf.cache_valid = tuple(valid)


def add_methods(conf: Any, command: Command) -> None:
    """`*_cache_methods GET | HEAD | POST …`."""
    methods = set() if conf.cache_methods is UNSET else set(conf.cache_methods)
    for word in command.args:
        name = word.upper()
        if name not in ("GET", "HEAD", "POST"):
            command.fail(f'invalid value "{word}"')
        if name.encode() in methods:
            command.warn(f'duplicate value "{word}"')
        methods.add(name.encode())
    conf.cache_methods = frozenset(methods)


# -- *_cache_path --------------------------------------------------------------------------------------------------


def _levels(word: str, text: str, command: Command) -> list[int]:
    parts = text.split(":") if text else []
    if len(parts) > _MOST_LEVELS or any(part not in ("1", "2") for part in parts):
        command.fail(f'invalid "levels" "{word}"')
    return [int(part) for part in parts]


def _milliseconds(text: str) -> float:
    return units.parse_time_ms(text) / 1000


# name=value parameters: the field, how it is read
_VALUES: Final[dict[str, Callable[[str], Any]]] = {
    "inactive": units.parse_seconds,
    "max_size": units.parse_offset,
    "min_free": units.parse_offset,
    "loader_files": units.parse_number,
    "loader_sleep": _milliseconds,
    "loader_threshold": _milliseconds,
    "manager_files": units.parse_number,
    "manager_sleep": _milliseconds,
    "manager_threshold": _milliseconds,
}


# NGINX Plus's purger takes away what a purge left; here a purge leaves nothing.
_PURGER: Final[dict[str, Callable[[str], Any]]] = {
    "purger": {"on": True, "off": False}.__getitem__,
    "purger_files": units.parse_number,
    "purger_sleep": _milliseconds,
    "purger_threshold": _milliseconds,
}


def _check_purger(key: str, word: str, text: str, command: Command) -> None:
    try:
        _PURGER[key](text)
    except (KeyError, ValueError):
        command.fail(f'invalid {key} value "{word}"')


def add_path(prefix: str) -> Setter:
    """`*_cache_path DIRECTORY keys_zone=NAME:SIZE …`; nginx's ngx_http_file_cache_set_slot."""

    def add(conf: Any, command: Command) -> None:
        directory, *words = command.args
        levels: list[int] = []
        name, size = "", 0
        values: dict[str, Any] = {}
        synced = False
        for word in words:
            key, equals, text = word.partition("=")
            if word == "sync":
                synced = True
                continue
            if not equals:
                command.fail(f'invalid parameter "{word}"')
            if key == "levels":
                levels = _levels(word, text, command)
            elif key == "use_temp_path":
                if text not in ("on", "off"):
                    command.fail(f'invalid use_temp_path value "{word}", it must be "on" or "off"')
                values[key] = text == "on"
            elif key in _PURGER:
                _check_purger(key, word, text, command)
            elif key == "keys_zone":
                name, size = _keys_zone(word, text, command)
            elif key in _VALUES:
                try:
                    values[key] = _VALUES[key](text)
                except ValueError:
                    command.fail(f'invalid {key} value "{word}"')
            else:
                command.fail(f'invalid parameter "{word}"')
        if not name or not size:
            command.fail(f'"{command.name}" must have "keys_zone" parameter')
        path = TempPath(command.loader.path(directory.removesuffix("/")), levels)
        cache = FileCache(name, path, command.loader.parts.get(LOG), **values)
        _add(command, prefix, cache, size)
        to_be_made(command.loader, path)
        _have_managed(command, cache)
        if synced:
            _have_synced(command, cache)

    return add


def _have_synced(command: Command, cache: FileCache) -> None:
    """`sync`: what is purged here is purged on all nodes (cluster/purges.py)."""
    cache.purges = SharedMap(cache.name, synced=True)
    zone = command.loader.parts.get(ZONES).add(f"purges of {cache.name}", _PURGES_SIZE, "purges")
    zone.user = cache.purges
    command.loader.parts.get(SYNCED_CACHES).append((command.where, cache))


def _have_managed(command: Command, cache: FileCache) -> None:
    parts = command.loader.parts
    duties = parts.find(_DUTIES)
    if duties is None:
        duties = Duties(cycle_of(command), parts.get(LOG))
        parts.put(_DUTIES, duties)
        parts.get(LATE_IMPORTS).add("gateway.upstream.cache.manager")

    async def manage(worker: Worker) -> None:
        from gateway.upstream.cache import manager  # as late as may be: it needs Trio

        await manager.manage(cache)

    duties.add(cache, manage)


def _keys_zone(word: str, text: str, command: Command) -> tuple[str, int]:
    name, _, size_text = text.partition(":")
    try:
        size = units.parse_size(size_text)
    except ValueError:
        command.fail(f'invalid keys zone size "{word}"')
    if size < _LEAST_PAGES * mmap.PAGESIZE:
        command.fail(f'keys zone "{word}" is too small')
    return name, size


def _add(command: Command, prefix: str, cache: FileCache, size: int) -> None:
    name = cache.name
    directory = cache.path.name
    for others in command.loader.parts.get(_CACHES).values():
        for other in others:
            if other.path.name == directory:
                command.fail(f'the same path name "{directory.decode("utf-8", "surrogateescape")}" is used twice')
    zone = add_zone(command, name, size, f"{prefix}_cache")
    if zone.user is not None:
        command.fail(f'duplicate zone "{name}"')
    zone.user = cache
    caches_of(command, prefix).append(cache)
