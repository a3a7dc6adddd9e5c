from __future__ import annotations

from gateway.cluster.maps import Map
from gateway.cluster.servers import Servers
from gateway.core.logs import Log
from gateway.upstream.peers import api_objects
from tests.cluster.nodes import connected, sync_with
from tests.cluster.redis import Redis, needs_redis
from tests.engine import MemorySink
from tests.upstream.peers.test_zone import mapped, upstream
from tests.upstream.recorded import server

pytestmark = needs_redis


def node(redis: Redis) -> tuple[Servers, Map]:
    made = upstream(b"up", server("1"), server("2"))
    mapped(made)
    servers = Servers(made, Log(MemorySink()))
    return servers, Map("servers", servers, sync_with(redis))


def shown(servers: Servers) -> dict[str, tuple[int, bool]]:
    assert servers.upstream.shared is not None
    return {
        each["server"]: (each["weight"], each.get("drain", False))
        for each in api_objects.servers(servers.upstream.shared)
    }


async def test_what_the_api_changes_is_changed_everywhere(redis: Redis) -> None:
    (one, ones), (other, others) = node(redis), node(redis)
    async with connected(redis) as store:
        for part in (ones, others):
            assert await part.round(store) == 0, "a configuration is each node's own"
        assert one.upstream.shared is not None and other.upstream.shared is not None
        first = one.upstream.shared.members()[0]
        api_objects.change(one.upstream, first, {"drain": True})
        api_objects.add(one.upstream, {"server": "127.0.0.3:80", "weight": 4})
        for part in (ones, others):
            await part.round(store)
        assert shown(other) == {"127.0.0.1:80": (1, True), "127.0.0.2:80": (1, False), "127.0.0.3:80": (4, False)}

        added = next(peer for peer in other.upstream.shared.members() if peer.weight == 4)
        api_objects.remove(other.upstream, added)
        api_objects.change(other.upstream, other.upstream.shared.members()[0], {"drain": False})
        for part in (others, ones):
            await part.round(store)
        assert shown(one) == {"127.0.0.1:80": (1, False), "127.0.0.2:80": (1, False)}
        assert await ones.round(store) == await others.round(store) == 0, "nothing goes round for ever"


async def test_a_change_here_is_not_lost_to_one_that_arrives(redis: Redis) -> None:
    (one, ones), (other, others) = node(redis), node(redis)
    async with connected(redis) as store:
        for part in (ones, others):
            await part.round(store)
        assert one.upstream.shared is not None and other.upstream.shared is not None
        api_objects.change(one.upstream, one.upstream.shared.members()[0], {"weight": 7})
        await ones.round(store)
        api_objects.change(other.upstream, other.upstream.shared.members()[1], {"weight": 9})
        for part in (others, ones):
            await part.round(store)
        assert shown(one) == shown(other) == {"127.0.0.1:80": (7, False), "127.0.0.2:80": (9, False)}


def test_one_that_did_not_arrive_is_told_again() -> None:
    made = upstream(b"up", server("1"), server("2"))
    mapped(made)
    servers = Servers(made, Log(MemorySink()))
    assert servers.take_changed() == []
    assert made.shared is not None
    api_objects.change(made, made.shared.members()[0], {"weight": 7})
    api_objects.remove(made, made.shared.members()[1])
    changed = servers.take_changed()
    assert [bool(payload) for _, payload, _ in changed] == [True, False]
    servers.give_back(changed)
    assert servers.take_changed() == changed
