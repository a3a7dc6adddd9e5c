from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.fakes import answer, farm


@pytest.mark.parametrize("method", ["random", "random two", "random two least_conn"])
async def test_all_peers_are_asked(method: str, tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        lines = " ".join([f"server {await peers.tcp(answer())};" for _ in range(2)])
        text = f"""upstream u {{ {method}; {lines} }}
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u; }} }}"""
        async with serving(text) as engine:
            for _ in range(30):
                assert (await engine.get("/")).status == 200
            assert all(peers.hits.values())


@pytest.mark.parametrize("method", ["random one", "random two x"])
def test_refused(method: str) -> None:
    with pytest.raises(ConfigError, match="invalid parameter"):
        load_http(f"upstream u {{ {method}; server 127.0.0.1:1; }}")
