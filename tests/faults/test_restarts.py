"""Peers are killed and started again at random while requests go on: with next_upstream no idempotent one may fail.

GATEWAY_FAULTS=10000 asks that often in each protocol, GATEWAY_FAULTS_SEED=n repeats a run.
"""

from __future__ import annotations

import os
import random
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.faults.site import site
from tests.ports import free_port
from tests.speeches import ALL, Speech

REQUESTS = int(os.environ.get("GATEWAY_FAULTS", "400"))
SEED = int(os.environ.get("GATEWAY_FAULTS_SEED", random.randrange(1 << 30)))
CLIENTS = 8
# Each request has three peers to ask, as in nginx each of them once, whether it was asked on a kept connection or not:
# before another peer is killed, requests that met a death must be over, and only one peer closes what it kept.
APART = 2 * CLIENTS


class Mortal:
    """A peer at one address that can be killed, in the middle of whatever it does, and started again."""

    def __init__(self, nursery: trio.Nursery, speech: Speech, chance: random.Random, closes: bool) -> None:
        """`closes`: now and then it ends a kept connection without a word, which may meet a request on its way."""
        self.nursery = nursery
        self.speech = speech
        self.chance = chance
        self.closes = closes
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.scope = trio.CancelScope()
        self.answers = 0
        self.ended = trio.Event()

    async def start(self) -> None:
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        await self.nursery.start(self._live)

    async def kill(self) -> None:
        self.scope.cancel()
        await self.ended.wait()

    async def _live(self, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED) -> None:
        listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        with self.scope:
            await trio.serve_listeners(self._serve, listeners, task_status=task_status)
        self.ended.set()

    async def _serve(self, stream: trio.SocketStream) -> None:
        try:
            while await self.speech.read(stream) is not None:
                for _ in range(self.chance.randrange(3)):
                    await trio.lowlevel.checkpoint()  # in which it may die
                # in one piece: once a part has gone to the client, nobody else can be asked
                await stream.send_all(self.speech.ok)
                self.answers += 1
                if not self.speech.keeps or (self.closes and not self.chance.randrange(20)):
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            if self.scope.cancel_called and self.chance.randrange(2):
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.socket.close()


@pytest.mark.timeout(max(60, REQUESTS // 10))
@pytest.mark.parametrize("speech", ALL, ids=lambda speech: speech.name)
async def test_no_request_fails(speech: Speech, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    done = 0
    deaths = 0
    failed: list[Any] = []
    async with trio.open_nursery() as nursery:
        mortals = [Mortal(nursery, speech, chance, closes=number == 0) for number in range(3)]
        for mortal in mortals:
            await mortal.start()

        async with site(speech, [mortal.address for mortal in mortals], tmp_path, speech.keeps) as engine:

            async def client() -> None:
                nonlocal done
                while done < REQUESTS:
                    reply = await engine.get("/")
                    done += 1
                    if (reply.status, reply.body) != (200, b"ok\n"):
                        failed.append(reply)

            async def reaper() -> None:
                nonlocal deaths
                while done < REQUESTS:
                    mortal = chance.choice(mortals)
                    await mortal.kill()
                    deaths += 1
                    await wait_for(done + chance.randrange(1, APART))
                    await mortal.start()
                    await wait_for(done + APART)

            async def wait_for(count: int) -> None:
                while done < min(count, REQUESTS):
                    await trio.sleep(0.0005)

            async with trio.open_nursery() as clients:
                for _ in range(CLIENTS):
                    clients.start_soon(client)
                clients.start_soon(reaper)
            assert not failed, (SEED, failed[:3], engine.log.lines[-20:])
            assert deaths > REQUESTS // (4 * APART)
            assert any("[error]" in line for line in engine.log.lines)  # deaths were met
        assert all(mortal.answers for mortal in mortals)
        nursery.cancel_scope.cancel()
