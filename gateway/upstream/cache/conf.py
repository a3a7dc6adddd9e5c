"""What the `*_cache…` directives say of a location."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.config.conf import Conf, setting
from gateway.http.setters import holds
from gateway.upstream.exchange.next_upstream import Condition

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.core.zones import Zone
    from gateway.http.request import Request
    from gateway.upstream.cache.file_cache import FileCache

_FOR_EVER: Final = (1 << 63) - 1
ANY: Final = 0  # in place of a status


class CacheUse:
    """What a `*_cache` names: a zone, or by variables one of `caches`, those of the same protocol."""

    __slots__ = ("caches", "template", "warn", "zone")

    def __init__(
        self, zone: Zone | None, template: Template | None, caches: list[FileCache], warn: Callable[[str], None]
    ) -> None:
        self.zone = zone
        self.template = template
        self.caches = caches
        self.warn = warn  # about the directive

    def find(self, request: Request) -> FileCache | None:
        """None: no cache for this request. Errors: LookupError, with the name of one that is not there."""
        if self.zone is not None:
            return self.zone.data  # type: ignore[no-any-return]
        assert self.template is not None
        name = self.template(request)
        if name in (b"", b"off"):
            return None
        for cache in self.caches:
            if cache.name.encode() == name:
                return cache
        raise LookupError(name)


@dataclass(slots=True)
class CacheConf(Conf):
    """Times are seconds."""

    cache: CacheUse | None = setting(None)  # CacheUse; None: off
    cache_key: Template | None = setting(None)
    cache_valid: tuple[tuple[int, int], ...] = setting(())  # (status or ANY, seconds)
    cache_methods: frozenset[bytes] = setting(frozenset())
    cache_min_uses: int = setting(1)
    cache_bypass: tuple[Template, ...] = setting(())
    no_cache: tuple[Template, ...] = setting(())
    cache_purge: tuple[Template, ...] = setting(())
    cache_use_stale: int = setting(int(Condition.OFF))
    cache_revalidate: bool = setting(False)
    cache_background_update: bool = setting(False)
    cache_lock: bool = setting(False)
    cache_lock_age: float = setting(5.0)
    cache_lock_timeout: float = setting(5.0)
    cache_max_range_offset: int = setting(_FOR_EVER)
    cache_convert_head: bool = setting(False)  # True in proxy

    def settle_cache(self) -> None:
        """What follows from the merged settings."""
        if self.cache_use_stale & Condition.OFF:
            self.cache_use_stale = int(Condition.OFF)
        if self.cache_use_stale & Condition.ERROR:
            self.cache_use_stale |= Condition.NO_LIVE
        self.cache_methods |= {b"GET", b"HEAD"}

    def valid_for(self, status: int) -> int:
        """How long an answer of this status is good that does not say so itself; 0: it is not kept."""
        for wanted, seconds in self.cache_valid:
            if wanted in (ANY, status):
                return seconds
        return 0

    def bypasses(self, request: Request) -> bool:
        return bool(self.cache_bypass) and holds(self.cache_bypass, request)

    def purges(self, request: Request) -> bool:
        return bool(self.cache_purge) and holds(self.cache_purge, request)

    def refuses_to_keep(self, request: Request) -> bool:
        return bool(self.no_cache) and holds(self.no_cache, request)
