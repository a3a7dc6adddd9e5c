from __future__ import annotations

import pytest

from gateway.cluster.maps import Map
from gateway.cluster.tickets import Sealer, TicketKeys, Unsealed
from gateway.core.logs import Log
from gateway.core.tls_sessions import SessionCache, SharedTickets
from tests.cluster.nodes import connected, mapped, sync_with
from tests.cluster.redis import Redis, needs_redis
from tests.engine import MemorySink


def test_sealed() -> None:
    one, same, other = Sealer(b"x" * 32), Sealer(b"x" * 32), Sealer(b"y" * 32)
    text = bytes(range(256)) + b"end"
    sealed = one.seal(text)
    assert same.open(sealed) == text and one.seal(text) != sealed
    assert text[:16] not in sealed
    flipped = sealed[:20] + bytes((sealed[20] ^ 1,)) + sealed[21:]
    for wrong in (sealed[:-1], sealed[1:], b"", flipped):
        with pytest.raises(Unsealed):
            one.open(wrong)
    with pytest.raises(Unsealed):
        other.open(sealed)
    with pytest.raises(ValueError, match="at least 32 bytes"):
        Sealer(b"short")


class Node:
    def __init__(self, redis: Redis, secret: bytes = b"x" * 32) -> None:
        self.cache = SessionCache()
        mapped("ssl", self.cache)
        self.sink = MemorySink()
        self.keys = TicketKeys("ssl", self.cache, Sealer(secret), Log(self.sink))
        self.map = Map("tickets", self.keys, sync_with(redis))
        self.worker = SharedTickets(self.cache, 300)


@needs_redis
async def test_a_ticket_of_one_node_is_opened_by_another(redis: Redis) -> None:
    one, other = Node(redis), Node(redis)
    async with connected(redis) as store:
        sealing = one.worker.current()
        assert other.worker.current() != sealing, "each begins with its own"
        for node in (one, other, one, other):
            await node.map.round(store)
        assert other.worker.current() == one.worker.current()
        name, aes, mac = one.worker.current()
        assert other.worker.find(name) == (aes, mac, False)
        late = Node(redis)
        await late.map.round(store)
        assert late.worker.current() == (name, aes, mac)
        assert await one.map.round(store) == await other.map.round(store) == 0, "they do not go round for ever"


@needs_redis
async def test_another_secret(redis: Redis) -> None:
    one, other = Node(redis), Node(redis, b"y" * 32)
    async with connected(redis) as store:
        one.worker.current()
        await one.map.round(store)
        for _ in range(2):
            await other.map.round(store)
            other.worker.current()
        assert sum('sealed with another "ticket_key"' in line for line in other.sink.lines) == 1
        assert one.worker.current() != other.worker.current()
