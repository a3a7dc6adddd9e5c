from __future__ import annotations

from pathlib import Path

from gateway.modules.http.upstream_ip_hash import packed_address
from tests.engine import serving
from tests.fakes import answer, farm


async def test_a_client_has_one_peer(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        lines = " ".join([f"server {await peers.tcp(answer())};" for _ in range(3)])
        text = f"""upstream u {{ ip_hash; {lines} }}
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u; add_header A $upstream_addr; }} }}"""
        async with serving(text) as engine:
            assert len({(await engine.get("/")).header("a") for _ in range(6)}) == 1


def test_addresses() -> None:
    assert packed_address(b"1.2.3.4") == b"\1\2\3\4"
    assert packed_address(b"::1") == bytes(15) + b"\1"
    assert packed_address(b"unix:") == b""
