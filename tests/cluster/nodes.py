"""Several nodes in one process: each has a zone of its own and takes part in rounds of its own."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from gateway.cluster.address import parse_address
from gateway.cluster.store import Store, StoreSettings, opened
from gateway.cluster.sync import SIZE, Sync
from gateway.core.logs import Log
from gateway.core.zones import Zone, ZoneUser
from tests.cluster.redis import Redis
from tests.engine import MemorySink


def sync_with(redis: Redis, interval: float = 0.1, timeout: float = 1.0) -> Sync:
    """A node's part, with its memory."""
    made = Sync(StoreSettings(parse_address(redis.url), timeout=timeout), interval, Log(MemorySink()))
    mapped("sync", made, SIZE)
    return made


def mapped(name: str, user: ZoneUser, size: int = 65536) -> Zone:
    zone = Zone(name, size, "test")
    zone.user = user
    zone.map()
    return zone


def connected(redis: Redis) -> AbstractAsyncContextManager[Store]:
    return opened(StoreSettings(parse_address(redis.url)))
