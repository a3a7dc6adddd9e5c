"""The witness: it stands where the upstreams are, shows what was sent to them, and answers 200."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from gateway.dev.explain.packets import ALL, READERS, Packet
from gateway.dev.explain.packets_h2 import is_http2, read_http2

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

# More than the head of any request.
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

        incoming = Incoming(self.expected)
        async with stream:
            with contextlib.suppress(trio.BrokenResourceError):
                async for part in stream:
                    packet = incoming.feed(bytes(part))
                    if packet is not None:
                        self.arrived(packet)
                        await stream.send_all(packet.answer)
                    elif incoming.too_much:
                        return


class Incoming:
    """What comes on one connection to an upstream, request by request."""

    def __init__(self, expected: str) -> None:
        self.expected = expected
        self._data = bytearray()
        self._body = 0  # of the last request: so much of it is still to come

    @property
    def too_much(self) -> bool:
        """Whether this is no head any more."""
        return len(self._data) > _MOST

    def feed(self, part: bytes) -> Packet | None:
        """A request, when it is whole; its body is passed over."""
        data = self._data
        data += part
        if self._body:
            passed = len(data) if self._body == ALL else min(self._body, len(data))
            del data[:passed]
            self._body -= passed if self._body != ALL else 0
        packet = _read(self.expected, bytes(data)) if data and not self._body else None
        if packet is not None:
            behind = len(data) - packet.size
            self._body = ALL if packet.body == ALL else max(0, packet.body - behind)
            data.clear()
            if packet.protocol in ("grpc", "http2"):
                self.expected = "nothing"  # what else comes on this connection is no request
        return packet


def _read(expected: str, data: bytes) -> Packet | None:
    """A request of this protocol; None as long as it is not whole."""
    if expected in ("proxy", "grpc") and is_http2(data):
        return read_http2(data)
    if expected == "nothing":
        return None
    read = READERS.get(expected)
    return read(data) if read is not None else Packet(expected, len(data), note="not shown")
