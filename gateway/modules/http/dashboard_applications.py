"""The dashboard's applications: what their stats sockets say of their workers, asked for once, whoever looks on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from gateway.config.units import number_of
from gateway.modules.http import dashboard_gunicorn

if TYPE_CHECKING:
    import trio

    Told = dict[str, Any] | str

_WITHIN_S: Final = 0.5
# A page looks anew each second, and many pages may: what was said lately is said again.
_FRESH_S: Final = 0.9
_MOST: Final = 4 << 20


class Applications:
    """The sockets that a location names, each for its upstream; in each worker for itself."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._sockets = {upstream: _Socket(address) for upstream, address in addresses.items()}

    async def told(self) -> dict[str, Told]:
        """What they say, by the upstream's name; all are asked at once. Awaited in a Trio task."""
        import trio

        found: dict[str, Told] = dict.fromkeys(self._sockets, "")

        async def ask(upstream: str, socket: _Socket) -> None:
            found[upstream] = await socket.told()

        async with trio.open_nursery() as nursery:
            for upstream, socket in self._sockets.items():
                nursery.start_soon(ask, upstream, socket)
        return found


class _Socket:
    """One of them, which has one question at a time."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._said: Told = ""
        self._until = 0.0
        self._asking: trio.Event | None = None

    async def told(self) -> Told:
        import trio

        while self._asking is not None:
            await self._asking.wait()
        if trio.current_time() >= self._until:
            self._asking = trio.Event()
            try:
                self._said = await stats_of(self.address)
                self._until = trio.current_time() + _FRESH_S
            finally:
                self._asking.set()
                self._asking = None
        return self._said


def is_address(address: str) -> bool:
    """Whether it is `unix:PATH` or `HOST:PORT`, perhaps behind `gunicorn:`."""
    target = address.removeprefix(dashboard_gunicorn.PREFIX)
    if target.startswith("unix:"):
        return len(target) > 5
    host, colon, port = target.rpartition(":")
    return bool(host and colon and port.isascii() and port.isdigit() and 1 <= number_of(port) <= 65535)


async def stats_of(address: str) -> Told:
    """What uWSGI's stats socket or gunicorn's control socket says; a text when it does not, or not in time."""
    import trio

    data = b""
    target = address.removeprefix(dashboard_gunicorn.PREFIX)
    try:
        with trio.fail_after(_WITHIN_S):
            if target.startswith("unix:"):
                stream = await trio.open_unix_socket(target[5:])
            else:
                host, _, port = target.rpartition(":")
                stream = await trio.open_tcp_stream(host.strip("[]"), int(port))
            async with stream:
                if target != address:
                    return await dashboard_gunicorn.workers(stream)
                async for part in stream:
                    data += part
                    if len(data) > _MOST:
                        return f"{address} says too much"
        if not data:
            return f"{address} closed the connection without a word"
        found = json.loads(data)
    except trio.TooSlowError:
        return f"{address} does not answer within {_WITHIN_S} s"
    except (OSError, ValueError, RecursionError, trio.BrokenResourceError) as error:
        return f"{address}: {error}"
    workers = found.get("workers", []) if isinstance(found, dict) else None
    if not isinstance(workers, list) or not all(isinstance(worker, dict) for worker in workers):
        return f"{address} is no stats socket of uWSGI"
    return dict(found)
