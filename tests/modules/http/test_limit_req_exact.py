"""limit_req with `exact`: two nodes that ask a store for each request."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from gateway.config.errors import ConfigError
from tests.cluster.redis import Redis, needs_redis
from tests.engine import Engine, load_http, serving

ZONES = """limit_req_zone $arg_a zone=a:64k rate=1r/m sync; limit_req_zone $arg_b zone=b:64k rate=1r/m sync;
    limit_req_zone $arg_c zone=c:64k rate=1r/m; limit_req_zone $arg_s zone=s:64k rate=1r/m sync;"""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


def site(redis: Redis, more: str = "exact_timeout=20s timeout=20s") -> str:
    """A node whose rounds are too rare to matter."""
    return f"""{ZONES} zone_sync_store {redis.url} interval=1h {more};
        server {{ listen 127.0.0.1:80; add_header X-Limit $limit_req_status always;
            location / {{ limit_req zone=a burst=4 nodelay exact; return 204; }}
            location /login {{ limit_req zone=a burst=4 nodelay exact; empty_gif; }}
            location /two {{ limit_req zone=c burst=9 nodelay; limit_req zone=a burst=9 nodelay exact;
                             limit_req zone=b burst=1 nodelay exact; empty_gif; }}
            location /quick {{ limit_req zone=s burst=9 nodelay exact; empty_gif; }}
            location /slow {{ limit_req zone=s burst=9 exact; empty_gif; }}
            location /dry {{ limit_req zone=a exact; limit_req_dry_run on; empty_gif; }}
            location /api/ {{ api; }} }}"""


@asynccontextmanager
async def node(redis: Redis, more: str = "exact_timeout=20s timeout=20s") -> AsyncIterator[Engine]:
    async with serving(site(redis, more)) as engine:
        await until(lambda: all(ready() for ready in engine.cycle.ready))
        yield engine


async def until(true: object) -> None:
    with trio.fail_after(60):
        while not true():  # type: ignore[operator]
            await trio.sleep(0.01)


async def statuses(engine: Engine, target: str, times: int) -> list[int]:
    """So many at once."""
    found: list[int] = []

    async def ask() -> None:
        found.append((await engine.get(target)).status)

    async with trio.open_nursery() as nursery:
        for _ in range(times):
            nursery.start_soon(ask)
    return found


async def shown(engine: Engine) -> dict[str, int]:
    found: dict[str, int] = json.loads((await engine.get("/api/9/http/zone_sync")).body)
    return found


@needs_redis
@pytest.mark.parametrize("key", ["x", "y" * 60])
async def test_not_one_more_over_two_nodes(redis: Redis, key: str) -> None:
    async with node(redis) as one, node(redis) as other:
        found: list[int] = []

        async def ask(engine: Engine) -> None:
            found.extend(await statuses(engine, f"/login?a={key}", 10))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, one)
            nursery.start_soon(ask, other)
        assert sorted(found) == [200] * 5 + [503] * 15
        assert sum("limiting requests, excess: " in line for line in one.log.lines + other.log.lines) == 15
        asked = [(await shown(engine))["exact_asked"] for engine in (one, other)]
        assert 5 <= sum(asked) <= 20 and (await shown(one))["exact_local"] == 0
        # what the store has said counts here too: nobody asks it again for what is full
        assert (await one.get(f"/login?a={key}")).header("x-limit") == b"REJECTED"
        assert (await other.get(f"/login?a={key}")).header("x-limit") == b"REJECTED"
        assert [(await shown(engine))["exact_asked"] for engine in (one, other)] == asked


@needs_redis
async def test_who_is_refused_by_one_zone_does_not_count_in_the_others(redis: Redis) -> None:
    async with node(redis) as one, node(redis) as other:
        target = "/two?a=x&b=x&c=x"
        assert await statuses(one, target, 2) == [200, 200]
        assert [(await other.get(target)).status for _ in range(3)] == [503] * 3
        assert "by zone \"b\"" in " ".join(other.log.lines)
        # 9 and the first, without the two of b: neither the store nor the node has the three
        assert sorted(await statuses(other, "/two?a=x&b=y&c=x", 2)) == [200, 200]
        assert sorted(await statuses(one, "/two?a=z&b=z&c=x", 2)) == [200, 200], "c is each node's own"


@needs_redis
async def test_delayed_by_what_all_nodes_let_in(redis: Redis) -> None:
    async with node(redis) as one, node(redis) as other:
        assert await statuses(one, "/quick?s=x", 3) == [200] * 3
        stream = other.connect()
        await stream.send_all(b"GET /slow?s=x HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: any('delaying request, excess: ' in line for line in other.log.lines))
        assert not any("limiting requests" in line for line in other.log.lines)
        await stream.aclose()
        reply = await one.get("/dry?a=dry")
        assert reply.header("x-limit") == b"PASSED"
        assert (await other.get("/dry?a=dry")).header("x-limit") == b"REJECTED_DRY_RUN"


@needs_redis
async def test_a_store_that_is_slow_or_gone_is_nobodys_error(redis: Redis) -> None:
    async with node(redis, "exact_timeout=2s timeout=20s") as one, node(redis, "exact_timeout=300ms") as other:
        redis.pause()
        began = trio.current_time()
        assert sorted(await statuses(one, "/login?a=x", 10)) == [200] * 5 + [503] * 5, "as one node alone"
        assert trio.current_time() - began > 1.5
        assert (await shown(one))["exact_local"] >= 5
        began = trio.current_time()
        assert [(await one.get(f"/login?a={key}")).status for key in "pqrst"] == [200] * 5
        assert trio.current_time() - began < 9, "nobody waits for what does not answer anyway"
        redis.go_on()
        before = (await shown(one))["exact_asked"]
        with trio.fail_after(60):
            while (await shown(one))["exact_asked"] == before:
                await one.get(f"/login?a=q{trio.current_time()}")
                await trio.sleep(0.05)
        redis.kill()
        assert sorted(await statuses(other, "/login?a=y", 10)) == [200] * 5 + [503] * 5
        assert not [line for line in one.log.lines + other.log.lines if "[alert]" in line or "[crit]" in line]


@needs_redis
async def test_a_client_that_does_not_wait(redis: Redis) -> None:
    async with node(redis, "exact_timeout=5s timeout=20s") as one:
        redis.pause()
        stream = one.connect()
        await stream.send_all(b"GET /login?a=x HTTP/1.1\r\nHost: a\r\n\r\n")
        await trio.sleep(0.1)
        await stream.aclose()
        await until(lambda: any("client prematurely closed connection" in line for line in one.log.lines))
        redis.go_on()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{ZONES} limit_req zone=c exact; zone_sync_store redis://a;",
         '"exact" needs "sync" on "limit_req_zone" of "c"'),
        (f"zone_sync_store redis://a; limit_req zone=d exact; {ZONES}",
         '"exact" needs "sync" on "limit_req_zone" of "d"'),
        (f"{ZONES.replace('sync', '')} limit_req zone=a exact;",
         '"exact" needs to know where: "zone_sync_store" is missing'),
        ("zone_sync_store redis://a exact_timeout=x;", 'invalid exact_timeout "x"'),
    ],
)  # fmt: skip
def test_refused_configurations(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(text)
    assert str(caught.value).startswith(message)
