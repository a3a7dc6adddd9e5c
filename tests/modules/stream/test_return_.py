from __future__ import annotations

from tests.stream_engine import UNIX_PEER, serving


async def test_text_with_variables() -> None:
    async with serving("server { listen 127.0.0.1:7777; return '$remote_addr $protocol'; }") as engine:
        assert await engine.talk() == b"127.0.0.1 TCP"


async def test_no_text() -> None:
    async with serving("server { listen 1; return $realip_remote_port$proxy_protocol_addr; }") as engine:
        assert await engine.talk(peer=UNIX_PEER) == b""
        await engine.ended()
