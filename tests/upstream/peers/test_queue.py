from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from tests.engine import Engine, Reply, serving
from tests.fakes import OK, Peer, farm, read_packet


class Gate:
    """A peer that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.tickets = trio.Semaphore(0)

    def peer(self) -> Peer:
        async def peer(stream: trio.SocketStream) -> None:
            if await read_packet(stream) is not None:
                self.asked += 1
                await self.tickets.acquire()
                await stream.send_all(OK)

        return peer


async def until(condition: object) -> None:
    with trio.fail_after(10):
        while not condition():  # type: ignore[operator]
            await trio.sleep(0.005)


def configuration(server: str, queue: str) -> str:
    return (
        f"upstream u {{ zone u 64k; server {server} max_conns=1; {queue} }}"
        "server { listen 127.0.0.1:8080; location / { uwsgi_pass u; } }"
    )


async def ask(engine: Engine, replies: list[Reply]) -> None:
    replies.append(await engine.get("/"))


async def test_requests_wait_in_turn(tmp_path: Path) -> None:
    gate = Gate()
    async with farm(tmp_path) as peers:
        text = configuration(await peers.tcp(gate.peer()), "queue 2;")
        async with serving(text) as engine, trio.open_nursery() as nursery:
            queue = engine.cycle.upstreams.all[0].queue
            replies: list[Reply] = []
            nursery.start_soon(ask, engine, replies)
            await until(lambda: gate.asked == 1)
            nursery.start_soon(ask, engine, replies)
            nursery.start_soon(ask, engine, replies)
            await until(lambda: len(queue) == 2)
            assert (await engine.get("/")).status == 502
            assert [line for line in engine.log.lines if "upstream queue is full" in line] and queue.overflows == 1
            for count in (1, 2, 3):
                await until(lambda: gate.asked == count)  # noqa: B023
                assert len(replies) == count - 1
                gate.tickets.release()
                await until(lambda: len(replies) == count)  # noqa: B023
            assert [reply.status for reply in replies] == [200] * 3 and len(queue) == 0


async def test_the_time_ends(tmp_path: Path) -> None:
    gate = Gate()
    async with farm(tmp_path) as peers:
        text = configuration(await peers.tcp(gate.peer()), "queue 2 timeout=30ms;")
        async with serving(text) as engine, trio.open_nursery() as nursery:
            replies: list[Reply] = []
            nursery.start_soon(ask, engine, replies)
            await until(lambda: gate.asked == 1)
            assert (await engine.get("/")).status == 502
            assert [line for line in engine.log.lines if "upstream queue timed out" in line]
            gate.tickets.release()


async def test_other_workers_and_the_clock_are_looked_at(tmp_path: Path) -> None:
    gate = Gate()
    async with farm(tmp_path) as peers:
        text = configuration(await peers.tcp(gate.peer()), "queue 2;")
        async with serving(text) as engine, trio.open_nursery() as nursery:
            upstream = engine.cycle.upstreams.all[0]
            (peer,) = upstream.shared.members()
            peer.conns = 1  # another worker's
            replies: list[Reply] = []
            nursery.start_soon(ask, engine, replies)
            await until(lambda: len(upstream.queue) == 1)
            gate.tickets.release()
            peer.conns = 0
            await until(lambda: replies)
            assert replies[0].status == 200


async def test_a_client_that_goes_leaves_the_queue(tmp_path: Path) -> None:
    gate = Gate()
    async with farm(tmp_path) as peers:
        text = configuration(await peers.tcp(gate.peer()), "queue 1;")
        async with serving(text) as engine:
            upstream = engine.cycle.upstreams.all[0]
            (peer,) = upstream.shared.members()
            peer.conns = 1
            async with engine.connect() as client:
                await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await until(lambda: len(upstream.queue) == 1)
            await until(lambda: len(upstream.queue) == 0)
            assert peer.conns == 1


async def test_another_worker_wakes_who_waits_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.upstream.peers.queue.POLL_S", 1000.0)
    gate = Gate()
    async with farm(tmp_path) as peers:
        text = configuration(await peers.tcp(gate.peer()), "queue 2;")
        async with serving(text) as engine, trio.open_nursery() as nursery:
            upstream = engine.cycle.upstreams.all[0]
            (peer,) = upstream.shared.members()
            peer.conns = 1  # another worker's
            replies: list[Reply] = []
            nursery.start_soon(ask, engine, replies)
            await until(lambda: len(upstream.queue) == 1)
            gate.tickets.release()
            pid = os.fork()
            if pid == 0:
                peer.conns = 0
                upstream.queue._waiting.clear()
                upstream.queue.wake()
                os._exit(0)
            os.waitpid(pid, 0)
            await until(lambda: replies)
            assert replies[0].status == 200
