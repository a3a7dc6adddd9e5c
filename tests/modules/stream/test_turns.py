"""However much goes through a session: the others have their turn (gateway._fast.stream)."""

from __future__ import annotations

import pytest
import trio

from tests.floods import Rounds, flooding, upstream
from tests.stream_engine import serving


@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_session_without_end(way: str) -> None:
    # the peer that floods first reads what the client says; one that is flooded takes nothing
    with upstream(b"", bytes(4096)) as address:
        async with serving(f"server {{ listen 127.0.0.1:1; proxy_pass {address}; }}") as engine:
            client = engine.connect()
            async with trio.open_nursery() as nursery:
                if way == "down":
                    await client.send_all(b"go on")
                    nursery.start_soon(read_on, client)
                    rounds = Rounds(engine.worker.lane)
                    await rounds.grown_by(1 << 20)
                else:
                    nursery.start_soon(read_on, client)
                    with flooding(client.socket.fileno(), b"go on", bytes(4096)):
                        rounds = Rounds(engine.worker.lane)
                        await rounds.grown_by(1 << 20)
                assert rounds.fair(2) and rounds.rounds > 3
                nursery.cancel_scope.cancel()
            await client.aclose()


async def read_on(client: trio.SocketStream) -> None:
    while await client.receive_some(1 << 20):
        pass
