"""A watcher is told of a stream's events, of its deadline and of the lane's end."""

from __future__ import annotations

from gateway._fast.watcher import Watcher
from tests.lanes import Crashes, pair, running, until


class Told(Watcher):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def happened(self) -> None:
        self.calls.append("happened")

    def late(self) -> None:
        self.calls.append("late")

    def stopped(self) -> None:
        self.calls.append("stopped")


async def test_events_of_a_stream() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        watcher = stream.handler = Told()
        peer.send(b"one")
        await until(lambda: watcher.calls)
        assert watcher.calls == ["happened"]
        assert stream.recv() == b"one"
        stream.close()
        peer.close()
    assert watcher.calls == ["happened"]  # closed by its owner: nobody has to be told


async def test_a_deadline_without_a_callback() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        watcher = stream.handler = Told()
        stream.deadline = lane.now + 0.01
        await until(lambda: watcher.calls)
        assert watcher.calls == ["late"]
        assert not stream.closed  # that is for the watcher to do
        watcher.calls.clear()
        seen: list[str] = []
        stream.on_deadline = lambda: seen.append("deadline")
        stream.deadline = lane.now + 0.01
        await until(lambda: seen)
        assert not watcher.calls
        stream.close()
        peer.close()


async def test_the_end_of_the_lane() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        watcher = stream.handler = Told()
    assert watcher.calls == ["stopped"]
    assert stream.closed
    peer.close()


async def test_a_crash_ends_the_stream() -> None:
    class Crashing(Told):
        def happened(self) -> None:
            raise ValueError

    async with running() as lane:
        assert isinstance(lane.on_crash, Crashes)
        stream, peer = pair(lane)
        stream.handler = Crashing()
        peer.send(b"one")
        await until(lambda: stream.closed)
        ((error, where),) = lane.on_crash
        assert isinstance(error, ValueError) and where is stream
        lane.on_crash.clear()
        peer.close()


def test_it_can_be_called() -> None:
    watcher = Told()
    watcher()
    assert watcher.calls == ["happened"]
