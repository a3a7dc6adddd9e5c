"""The witness: it stands where the upstreams are, shows what was sent to them, and answers 200."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from gateway.dev.explain.packets import READERS, Packet

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

# More than any request of one client; what goes on after that is a body.
_MOST: Final = 4 << 20


class Witness:
    """A listener on a unix socket that only this user can reach; `expected` is the protocol of the latest exchange."""

    def __init__(self, arrived: Callable[[Packet], None]) -> None:
        self.arrived = arrived
        self.expected = "proxy"
        self.address = b""

    @contextlib.asynccontextmanager
    async def listening(self, nursery: trio.Nursery) -> AsyncIterator[None]:
        import trio

        with tempfile.TemporaryDirectory(prefix="gateway-explain-") as folder:
            path = os.path.join(folder, "upstream")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(path)
                listener.listen(64)
                self.address = socket.AF_UNIX.to_bytes(2, "little") + path.encode() + b"\0"
                listener.setblocking(False)
                accepting = trio.CancelScope()
                nursery.start_soon(self._accept, trio.socket.from_stdlib_socket(listener.dup()), nursery, accepting)
                try:
                    yield
                finally:
                    accepting.cancel()

    async def _accept(self, listener: trio.socket.SocketType, nursery: trio.Nursery, scope: trio.CancelScope) -> None:
        import trio

        with scope, listener:
            while True:
                connection, _ = await listener.accept()
                nursery.start_soon(self._serve, trio.SocketStream(connection), scope)

    async def _serve(self, stream: trio.SocketStream, scope: trio.CancelScope) -> None:
        import trio

        read = READERS.get(self.expected)
        data = b""
        async with stream:
            with contextlib.suppress(trio.BrokenResourceError):
                async for part in stream:
                    data += part
                    packet = read(data) if read is not None else Packet(self.expected, len(data), note="not shown")
                    if packet is not None:
                        self.arrived(packet)
                        await stream.send_all(packet.answer)
                        data = b""
                    elif len(data) > _MOST:
                        return
