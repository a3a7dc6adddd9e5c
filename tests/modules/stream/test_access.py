from __future__ import annotations

from tests.stream_engine import UNIX_PEER, serving


async def test_allow_and_deny() -> None:
    conf = """
        server { listen 1; deny 127.0.0.0/8; return hi; }
        server { listen 2; allow 127.0.0.1; deny all; return hi; }
        server { listen 3; deny unix:; return hi; }
    """
    async with serving(conf) as engine:
        assert await engine.talk() == b""
        assert len(engine.logged("access forbidden by rule while initializing session, client: 127.0.0.1")) == 1
        assert await engine.talk(listening=1) == b"hi"
        assert await engine.talk(listening=1, peer=UNIX_PEER) == b""
        assert await engine.talk(listening=2) == b"hi"
        assert await engine.talk(listening=2, peer=UNIX_PEER) == b""
