from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import trio
import trio.testing

from gateway.core.logs import Log
from gateway.upstream.duties import Duties
from gateway.upstream.peers.upstreams import Upstream
from tests.engine import MemorySink
from tests.upstream.peers.test_zone import mapped, shared_of, upstream
from tests.upstream.recorded import server


async def test_from_a_worker_s_start_to_its_end(autojump_clock: trio.testing.MockClock) -> None:
    cycle: Any = SimpleNamespace(on_worker_start=[], on_worker_stop=[])
    sink = MemorySink()
    duties = Duties(cycle, Log(sink))
    made: Upstream = upstream(b"u", server("1"))
    mapped(made)
    seen: list[str] = []

    async def works(worker: Any) -> None:
        assert shared_of(made).on_duty()
        try:
            seen.append(worker.name)
            await trio.sleep_forever()
        finally:
            seen.append("over")

    async def fails(worker: Any) -> None:
        seen.append("again")
        raise KeyError("x")

    duties.add(made, works)
    duties.add(made, fails)
    async with trio.open_nursery() as nursery:
        (start,), (stop,) = cycle.on_worker_start, cycle.on_worker_stop
        start(SimpleNamespace(nursery=nursery, name="worker"))
        await trio.sleep(2.5)
        assert sorted(seen) == ["again", "again", "again", "worker"]
        assert len(sink.lines) == 3 and """[alert]""" in sink.lines[0]
        assert """task of upstream "u" failed: KeyError('x')""" in sink.lines[0]
        stop()
        assert shared_of(made)._head[2] == 0
    assert seen[-1] == "over"
