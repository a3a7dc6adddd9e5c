from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.fakes import close_at_once, farm
from tests.stream_engine import load_stream, serving


async def test_round_robin_by_weight(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        one, two = await peers.tcp(close_at_once()), await peers.unix(close_at_once())
        conf = f"upstream u {{ server {one} weight=2; server {two}; }} server {{ listen 1; proxy_pass u; }}"
        async with serving(conf) as engine:
            for _ in range(6):
                await engine.talk()
            await engine.ended()
        assert peers.hits == {one: 4, two: 2}


async def test_backup(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        down, spare = await peers.refusing(), await peers.tcp(close_at_once())
        conf = f"upstream u {{ server {down}; server {spare} backup; }} server {{ listen 1; proxy_pass u; }}"
        async with serving(conf) as engine:
            await engine.talk()
            await engine.ended()
            assert len(engine.logged("upstream server temporarily disabled")) == 1
        assert peers.hits[spare] == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("server 127.0.0.1;", 'no port in upstream "127.0.0.1"'),
        ("server 127.0.0.1:1 route=a;", 'invalid parameter "route=a"'),
        ("server 127.0.0.1:1 drain;", 'invalid parameter "drain"'),
        ("", "no servers are inside upstream"),
    ],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_stream(f"upstream u {{ {line} }} server {{ listen 1; proxy_pass u; }}")
