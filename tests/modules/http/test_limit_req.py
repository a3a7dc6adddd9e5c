"""limit_req: the bucket, refusals, delays, several zones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import Engine, load_http, serving
from tests.modules.loading import load_text

CONF = """
limit_req_zone $arg_key zone=one:32k rate=1r/m;
limit_req_zone $arg_other zone=two:32k rate=20r/s;
server {
    listen 127.0.0.1:80;
    add_header X-Limit $limit_req_status always;
    location / { limit_req zone=one; return 204; }
    location /burst { limit_req zone=one burst=1 nodelay; return 204; }
    location /slow { limit_req zone=two burst=5; root /dev; }
    location /dry { limit_req zone=one; limit_req_dry_run on; root /dev; }
    location /status { limit_req zone=one; limit_req_status 429; limit_req_log_level info; root /dev; }
    location /both { limit_req zone=two; limit_req zone=one; root /dev; }
    location /redirect { limit_req zone=one; error_page 404 = /status; root /dev; }
}
"""


def messages(engine: Engine) -> list[str]:
    return [
        match[0]
        for line in engine.log.lines
        if (match := re.search(r"\[\w+\] .*(?=, client)|\[\w+\] .*", line)) and "req" in match[0]
    ]


async def answers(engine: Engine, *targets: str) -> list[tuple[int, bytes | None]]:
    replies = [await engine.get(target) for target in targets]
    return [(reply.status, reply.header("x-limit")) for reply in replies]


async def test_refused() -> None:
    async with serving(CONF) as engine:
        assert await answers(engine, "/status?key=a", "/status?key=a", "/status?key=b", "/status") == [
            (404, b"PASSED"), (429, b"REJECTED"), (404, b"PASSED"), (404, None),
        ]  # fmt: skip
        assert len(messages(engine)) == 1
        assert re.search(r'\[info\] .*limiting requests, excess: (1\.000|0\.\d{3}) by zone "one"', messages(engine)[0])


async def test_delayed() -> None:
    async with serving(CONF) as engine:
        assert (await answers(engine, "/slow?other=a"))[0] == (404, b"PASSED")
        lane = engine.worker.lane
        began = lane.now
        assert (await answers(engine, "/slow?other=a"))[0] == (404, b"DELAYED")
        assert 0.02 < lane.now - began < 2
        assert re.search(r'\[warn\] .*delaying request, excess: (1\.000|0\.\d{3}), by zone "two"', messages(engine)[0])


async def test_dry_run() -> None:
    async with serving(CONF) as engine:
        assert await answers(engine, "/dry?key=a", "/dry?key=a") == [(404, b"PASSED"), (404, b"REJECTED_DRY_RUN")]
        assert "limiting requests, dry run, excess: " in messages(engine)[0]


async def test_two_zones_count_only_what_both_allow() -> None:
    async with serving(CONF) as engine:
        assert await answers(engine, "/both?key=a&other=x", "/both?key=a&other=y", "/both?other=y&key=b") == [
            (404, b"PASSED"), (503, b"REJECTED"), (404, b"PASSED"),
        ]  # fmt: skip


async def test_once_for_a_request() -> None:
    async with serving(CONF) as engine:
        # The error page's location has the same limit, which the request has passed.
        assert await answers(engine, "/redirect?key=a") == [(404, b"PASSED")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limit_req_zone $uri zone=a rate=1r/s;", 'invalid zone size "zone=a"'),
        ("limit_req_zone $uri zone=a:x rate=1r/s;", 'invalid zone size "zone=a:x"'),
        ("limit_req_zone $uri zone=a:8k rate=1r/s;", 'zone "zone=a:8k" is too small'),
        ("limit_req_zone $uri zone=a:1m rate=0r/s;", 'invalid rate "rate=0r/s"'),
        ("limit_req_zone $uri zone=a:1m foo;", 'invalid parameter "foo"'),
        ("limit_req_zone $uri rate=1r/s rate=1r/s;", '"limit_req_zone" must have "zone" parameter'),
        ("limit_req zone=a burst=x;", 'invalid burst value "burst=x"'),
        ("limit_req zone=a delay=0;", 'invalid delay value "delay=0"'),
        ("limit_req zone=a foo;", 'invalid parameter "foo"'),
        ("limit_req burst=5;", '"limit_req" must have "zone" parameter'),
        ("limit_req zone=a; limit_req zone=a;", '"limit_req" directive is duplicate'),
        (
            "limit_req_zone $uri zone=a:1m rate=1r/s; limit_req_zone $host zone=a:1m rate=1r/s;",
            'limit_req_zone "a" is already bound to key "$uri"',
        ),
    ],
)
def test_refused_configurations(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(text)
    assert str(caught.value).startswith(message + " in ")


def test_zones_go_on_after_a_reload_if_the_key_is_the_same(tmp_path: Path) -> None:
    text = "events { } http { limit_req_zone $uri zone=a:32k rate=%s; }"
    old = load_text(tmp_path, text % "1r/s")
    old.share(None)
    new = load_text(tmp_path, text % "5r/s")
    new.share(old)
    zones = [loaded.zones.get("a") for loaded in (old, new)]
    assert zones[0] is not None
    assert zones[1] is not None
    assert zones[1].data.table is zones[0].data.table
    assert zones[1].data.rate == 5000
    other = load_text(tmp_path, (text % "1r/s").replace("$uri", "$host"))
    with pytest.raises(ConfigError, match='"a" uses the "\\$host" key while previously it used the "\\$uri" key'):
        other.share(new)


def test_a_zone_that_nobody_declares(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "events { } http { limit_req zone=a; }")
    with pytest.raises(ConfigError, match='zero size shared memory zone "a"'):
        loaded.share(None)
