from __future__ import annotations

from pathlib import Path

from gateway.upstream.exchange.next_upstream import Condition
from tests.engine import load_http
from tests.http_peers import answering
from tests.upstream.cache.caching import cached, page, state

SERVER = """proxy_cache_path /nowhere keys_zone=one:1m; proxy_cache one; %s
    server { listen 127.0.0.1:8080; location / { proxy_pass http://127.0.0.1:1; %s } }"""


def conf_of(outside: str = "", inside: str = ""):  # type: ignore[no-untyped-def]
    location = load_http(SERVER % (outside, inside)).servers[0].locations.find(None, b"/")  # type: ignore[arg-type]
    assert location is not None
    return next(conf for module, conf in location.confs.items() if module.name == "proxy")


def test_defaults() -> None:
    conf = conf_of()
    assert conf.cache is not None and conf.cache_methods == {b"GET", b"HEAD"}
    assert conf.cache_use_stale == Condition.OFF and conf.valid_for(200) == 0
    assert conf.cache_convert_head and conf.cache_min_uses == 1


def test_what_an_inner_block_takes_back() -> None:
    assert conf_of("", "proxy_cache off;").cache is None
    conf = conf_of("", "proxy_store on;")
    assert conf.cache is None and conf.store is True
    assert conf_of("proxy_cache_methods POST;").cache_methods == {b"GET", b"HEAD", b"POST"}


def test_stale() -> None:
    wanted = Condition.ERROR | Condition.NO_LIVE | Condition.TIMEOUT
    assert conf_of("proxy_cache_use_stale error timeout;").cache_use_stale == wanted
    assert conf_of("proxy_cache_use_stale error off;").cache_use_stale == Condition.OFF


def test_valid() -> None:
    conf = conf_of("", "proxy_cache_valid 200 10; proxy_cache_valid 404 any 1m; proxy_cache_valid 301 1d;")
    assert [conf.valid_for(status) for status in (200, 404, 301, 500)] == [10, 60, 60, 60]
    conf = conf_of("", "proxy_cache_valid 1h;")
    assert [conf.valid_for(status) for status in (200, 301, 302, 404)] == [3600, 3600, 3600, 0]


async def test_conditions(tmp_path: Path) -> None:
    inside = "proxy_cache_bypass $arg_a $arg_b; proxy_no_cache $arg_n;"
    async with cached(answering(page()), tmp_path, inside + "proxy_cache_key k;") as engine:
        assert state(await engine.get("/?b=1")) == "BYPASS"
        assert state(await engine.get("/?a=0")) == "HIT"
