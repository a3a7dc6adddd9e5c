"""The witness: it stands where the upstreams are, shows what was sent to them, and answers 200."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import tempfile
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from gateway.dev.explain.packets import ALL, READERS, Packet
from gateway.dev.explain.packets_h2 import is_http2, read_http2

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

_BEGINNINGS: Final = {
    "memcached": re.compile(rb"get "),
    "fastcgi": re.compile(rb"\x01\x01\x00\x01\x00\x08"),  # version 1, a request begins, and 8 bytes follow
    "scgi": re.compile(rb"\d+:CONTENT_"),
    "grpc": re.compile(rb"PRI \*"),
    "proxy": re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+ "),
}
_ENOUGH: Final = 32  # longer than any of these, but for a method that nobody uses
# More than the head of any request.
_MOST: Final = 4 << 20


class Witness:
    """A listener on a unix socket that only this user can reach; `expected`: the protocols of the exchanges so far."""

    def __init__(self, arrived: Callable[[Packet], None]) -> None:
        self.arrived = arrived
        self.expected: set[str] = set()
        self.answer: list[tuple[str, str]] = []  # fields of the next answer, which it has not from us
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

        incoming = Incoming(self.expected, self.answer)
        async with stream:
            with contextlib.suppress(trio.BrokenResourceError):
                async for part in stream:
                    packet = incoming.feed(bytes(part))
                    if packet is not None:
                        self.arrived(packet)
                        await stream.send_all(packet.answer)
                    elif incoming.too_much:
                        return


# Of these one request comes on a connection; its body may be of a length that no parameter tells.
_ONE_ONLY: Final = ("grpc", "http2", "uwsgi", "scgi")


class Incoming:
    """What comes on one connection to an upstream, request by request; it speaks one of the `expected` protocols.

    The fields of `answer` are taken for the first request that comes to any of them.
    """

    def __init__(self, expected: set[str], answer: list[tuple[str, str]] | None = None) -> None:
        self.expected = expected
        self.answer = [] if answer is None else answer
        self.protocol = ""
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
        packet = self._read(bytes(data)) if data and not self._body else None
        if packet is not None:
            self.answer.clear()
            behind = len(data) - packet.size
            self._body = ALL if packet.body == ALL else max(0, packet.body - behind)
            data.clear()
            if packet.protocol in _ONE_ONLY:
                self._body = ALL  # what else comes on this connection is no request
        return packet

    def _read(self, data: bytes) -> Packet | None:
        """A request of this connection's protocol; None as long as it is not whole."""
        if not self.protocol:
            self.protocol = next(iter(self.expected)) if len(self.expected) == 1 else _spoken(self.expected, data)
        if self.protocol in ("proxy", "grpc") and is_http2(data):
            return read_http2(data, self.answer)
        read = READERS.get(self.protocol)
        if read is not None:
            return read(data, self.answer)
        return Packet(self.protocol, len(data), note="not shown") if self.protocol else None


def _spoken(expected: set[str], data: bytes) -> str:
    """Which of several protocols this is the beginning of; empty as long as too little is there."""
    for protocol in ("memcached", "fastcgi", "scgi", "grpc", "proxy"):
        if protocol in expected and _BEGINNINGS[protocol].match(data):
            return protocol
    if len(data) < _ENOUGH:
        return ""
    # uwsgi begins with any byte; of the others, which READERS does not know, nothing is shown
    return "uwsgi" if "uwsgi" in expected else min(expected - READERS.keys(), default="proxy")
