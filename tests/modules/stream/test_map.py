from __future__ import annotations

from tests.stream_engine import UNIX_PEER, serving


async def test_by_a_variable_of_the_session() -> None:
    conf = "map $remote_addr $who { 127.0.0.1 me; ~^un(.)x $1; } server { listen 1; return $who; }"
    async with serving(conf) as engine:
        assert await engine.talk() == b"me"
        assert await engine.talk(peer=UNIX_PEER) == b"i"
