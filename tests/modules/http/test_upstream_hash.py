from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.fakes import answer, farm


async def test_a_key_leads_to_one_peer(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        lines = " ".join([f"server {await peers.tcp(answer())};" for _ in range(3)])
        for method in ("hash $arg_k", "hash $arg_k consistent"):
            text = f"""upstream u {{ {method}; {lines} }}
                server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u; add_header A $upstream_addr; }} }}"""
            async with serving(text) as engine:
                picks = {key: (await engine.get(f"/?k={key}")).header("a") for key in range(12)}
                assert len(set(picks.values())) > 1
                for key, picked in picks.items():
                    assert (await engine.get(f"/?k={key}")).header("a") == picked


def test_refused() -> None:
    with pytest.raises(ConfigError, match='invalid parameter "x"'):
        load_http("upstream u { hash $uri x; server 127.0.0.1:1; }")
