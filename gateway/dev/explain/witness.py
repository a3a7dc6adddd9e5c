"""The witness: it stands where the upstreams are, shows what was sent to them, and answers 200."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from gateway.dev.explain.packets import READERS, Packet
from gateway.dev.explain.packets_h2 import is_http2, read_http2

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

        expected = self.expected
        data = b""
        async with stream:
            with contextlib.suppress(trio.BrokenResourceError):
                async for part in stream:
                    data += part
                    packet = _read(expected, data)
                    if packet is not None:
                        self.arrived(packet)
                        await stream.send_all(packet.answer)
                        data = b""
                        if packet.protocol in ("grpc", "http2"):
                            expected = "nothing"  # what else comes on this connection is no request
                    elif len(data) > _MOST:
                        return


def _read(expected: str, data: bytes) -> Packet | None:
    """A request of this protocol; None as long as it is not whole."""
    if expected in ("proxy", "grpc") and is_http2(data):
        return read_http2(data)
    if expected == "nothing":
        return None
    read = READERS.get(expected)
    return read(data) if read is not None else Packet(expected, len(data), note="not shown")
