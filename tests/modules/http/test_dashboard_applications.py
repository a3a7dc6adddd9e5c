"""dashboard_applications: stats sockets that hang, say nothing or too much, and many who ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from gateway.modules.http.dashboard_applications import Applications, stats_of

SAYS = b'{"version": "2.0", "workers": []}'


@asynccontextmanager
async def socket(say: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[str]:
    """A stats socket that does this with each connection."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, say, [listener])
        yield f"127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def _hang(_: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def _drip(stream: trio.SocketStream) -> None:
    try:
        while True:
            await stream.send_all(b" ")
            await trio.sleep(0.05)
    except trio.BrokenResourceError:
        pass


async def _flood(stream: trio.SocketStream) -> None:
    try:
        while True:
            await stream.send_all(b" " * 65536)
    except trio.BrokenResourceError:
        pass


def _once(data: bytes) -> Callable[[trio.SocketStream], Awaitable[None]]:
    async def say(stream: trio.SocketStream) -> None:
        await stream.send_all(data)
        await stream.aclose()

    return say


async def test_stats_that_do_not_come(tmp_path: Path) -> None:
    for say, words in (
        (_hang, "does not answer within 0.5 s"), (_drip, "does not answer within 0.5 s"), (_flood, "says too much"),
        (_once(b""), "closed the connection without a word"), (_once(b"HTTP/1.1 400"), "Expecting value"),
        (_once(SAYS[:-9]), "Unterminated"), (_once(b"{\xff}"), "can't decode"),
    ):  # fmt: skip
        async with socket(say) as address:
            said = await stats_of(address)
            assert isinstance(said, str) and said.startswith(address) and words in said, said
    assert "No such file" in await stats_of(f"unix:{tmp_path}/none")


async def test_sockets_that_hang_do_so_at_the_same_time() -> None:
    async with socket(_hang) as address, socket(_once(SAYS)) as good:
        applications = Applications({**{f"app{number}": address for number in range(20)}, "good": good})
        begun = trio.current_time()
        told = await applications.told()
        assert trio.current_time() - begun < 2
    assert len(told) == 21 and told["good"] == {"version": "2.0", "workers": []}
    assert all(address in str(said) for name, said in told.items() if name != "good")


async def test_whoever_looks_on_a_socket_is_asked_once() -> None:
    asked = 0

    async def say(stream: trio.SocketStream) -> None:
        nonlocal asked
        asked += 1
        await trio.sleep(0.05)
        await stream.send_all(SAYS)
        await stream.aclose()

    async with socket(say) as address:
        applications = Applications({"app": address})
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(applications.told)
        assert asked == 1
        await trio.sleep(1)
        left = trio.CancelScope()

        async def leave() -> None:
            with left:
                await applications.told()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave)
            await trio.sleep(0.02)
            nursery.start_soon(applications.told)
            await trio.sleep(0.01)
            left.cancel()  # one who asks and leaves does not keep the other waiting
        assert await applications.told() == {"app": {"version": "2.0", "workers": []}}
        assert asked == 3
