"""limit_conn: counts of requests under way, refusals, what a dead worker leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio
import trio.testing

from gateway.config.errors import ConfigError
from gateway.core.template import Template
from gateway.core.zones import Zones
from gateway.modules.http.limit_conn import Connections, Full
from tests.engine import Engine, load_http, serving
from tests.modules.loading import load_text


def connections(size: int = 65536) -> Connections:
    zones = Zones()
    made = Connections("z", Template("$k", [b"k"]))
    zones.add("z", size, "test").user = made
    zones.map()
    return made


def test_enter_and_leave() -> None:
    zone = connections()
    held = [zone.enter(b"a", 2), zone.enter(b"a", 2)]
    with pytest.raises(Full) as caught:
        zone.enter(b"a", 2)
    assert not caught.value.no_memory
    zone.enter(b"a", 3)
    zone.enter(b"b" * 255, 1)
    zone.leave(held[0])
    zone.leave(held[1])
    zone.enter(b"a", 2)
    assert len(zone.table) == 4


def test_what_is_left_is_removed() -> None:
    zone = connections()
    for key in (b"a", b"b"):
        zone.leave(zone.enter(key, 1))
    assert len(zone.table) == 0


def test_a_full_zone() -> None:
    zone = connections(8192)
    with pytest.raises(Full) as caught:
        for number in range(zone.table.count):
            zone.enter(b"%d" % number, 1)
    assert caught.value.no_memory
    assert number >= zone.table.count // 2 - 1


def test_a_dead_worker_leaves_nothing() -> None:
    zone = connections()
    alive = zone.enter(b"a", 9)
    zone.become(12345)
    for _ in range(3):
        zone.enter(b"a", 9)
    zone.enter(b"b" * 200, 1)
    zone.bury(12345)
    assert len(zone.table) == 2
    zone.become(os.getpid())
    zone.enter(b"b" * 200, 1)
    zone.enter(b"a", 2)
    zone.leave(alive)


CONF = """
limit_conn_zone $arg_key zone=one:32k;
limit_conn_zone $arg_other zone=two:32k;
server {
    listen 127.0.0.1:80;
    add_header X-Limit $limit_conn_status always;
    location / { limit_conn one 1; root /dev; }
    location /slow { limit_conn one 1; limit_rate 1000; root %s; }
    location /two { limit_conn one 2; limit_conn two 1; root /dev; }
    location /dry { limit_conn one 1; limit_conn_dry_run on; root /dev; }
    location /status { limit_conn one 1; limit_conn_status 429; limit_conn_log_level info; root /dev; }
    location /api { api; }
}
"""


class Holding:
    """A request under way that does not end."""

    def __init__(self, engine: Engine, target: str) -> None:
        self.stream = engine.connect()
        self.target = target

    async def __aenter__(self) -> None:
        await self.stream.send_all(f"GET {self.target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await self.stream.receive_some(1)

    async def __aexit__(self, *exc: object) -> None:
        await self.stream.aclose()
        await trio.testing.wait_all_tasks_blocked(0.05)


@pytest.fixture
def conf(tmp_path: Path) -> str:
    (tmp_path / "slow").write_bytes(bytes(100_000))
    return CONF % tmp_path


async def answer(engine: Engine, target: str) -> tuple[int, bytes | None]:
    reply = await engine.get(target)
    return reply.status, reply.header("x-limit")


async def test_refused(conf: str) -> None:
    async with serving(conf) as engine:
        async with Holding(engine, "/slow?key=a"):
            assert await answer(engine, "/?key=a") == (503, b"REJECTED")
            assert await answer(engine, "/?key=b") == (403, b"PASSED")
            assert await answer(engine, "/") == (403, None)
            assert await answer(engine, "/status?key=a") == (429, b"REJECTED")
            assert await answer(engine, "/dry?key=a") == (404, b"REJECTED_DRY_RUN")
        assert await answer(engine, "/?key=a") == (403, b"PASSED")
        lines = "\n".join(engine.log.lines)
        assert 'limiting connections by zone "one"' in lines
        assert 'limiting connections, dry run, by zone "one"' in lines
        shown = (await engine.get("/api/9/http/limit_conns/one")).body
        assert shown == b'{"passed":3,"rejected":2,"rejected_dry_run":1}'


async def test_a_refusal_counts_nowhere(conf: str) -> None:
    async with serving(conf) as engine:
        async with Holding(engine, "/slow?key=a"):
            assert await answer(engine, "/two?key=a&other=x") == (404, b"PASSED")
            assert await answer(engine, "/two?key=a&other=x") == (404, b"PASSED")
        long = "k" * 256
        assert await answer(engine, f"/?key={long}") == (403, None)
        assert [line for line in engine.log.lines if "is more than 255 bytes" in line]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limit_conn_zone $uri foo;", 'invalid parameter "foo"'),
        ("limit_conn_zone $uri zone=a;", 'invalid zone size "zone=a"'),
        ("limit_conn_zone $uri zone=a:x;", 'invalid zone size "zone=a:x"'),
        ("limit_conn_zone $uri zone=a:8k;", 'zone "zone=a:8k" is too small'),
        ("limit_conn_zone $uri zone=:1m;", '"limit_conn_zone" must have "zone" parameter'),
        ("limit_conn a 0;", 'invalid number of connections "0"'),
        ("limit_conn a 65536;", "connection limit must be less 65536"),
        ("limit_conn a 1; limit_conn a 2;", '"limit_conn" directive is duplicate'),
        (
            "limit_conn_zone $uri zone=a:1m; limit_conn_zone $host zone=a:1m;",
            'limit_conn_zone "a" is already bound to key "$uri"',
        ),
    ],
)
def test_refused_configurations(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(text)
    assert str(caught.value).startswith(message + " in ")


def test_zones_go_on_after_a_reload_if_the_key_is_the_same(tmp_path: Path) -> None:
    text = "events { } http { limit_conn_zone $uri zone=a:32k; }"
    old = load_text(tmp_path, text)
    old.share(None)
    new = load_text(tmp_path, text)
    new.share(old)
    zones = [loaded.zones.get("a") for loaded in (old, new)]
    assert zones[0] is not None
    assert zones[1] is not None
    assert zones[1].data.table is zones[0].data.table
    other = load_text(tmp_path, text.replace("$uri", "$host"))
    with pytest.raises(ConfigError, match='"a" uses the "\\$host" key while previously it used the "\\$uri" key'):
        other.share(new)
