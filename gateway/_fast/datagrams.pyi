"""Sockets of datagrams in the lane: what arrives, with its sender, and where it was sent to; replies from there."""

from collections.abc import Callable

from gateway._fast.poller import Poller, Source

class Datagrams(Source):
    """A socket of datagrams; arrived(data, raw sender, packed local address or None), failed(errno).

    A shared one is a listening socket, which stays the caller's; another is closed with this.
    """

    def __init__(
        self,
        lane: Poller,
        fd: int,
        arrived: Callable[[bytes, bytes, bytes | None], object],
        failed: Callable[[int], object],
        *,
        shared: bool = False,
        exclusive: bool = False,
    ) -> None: ...
    @property
    def paused(self) -> bool: ...
    @property
    def received(self) -> int: ...
    @property
    def sent(self) -> int: ...
    def send(self, data: bytes, peer: bytes | None = None, source: bytes | None = None) -> int:
        """Send one datagram, to `peer` unless the socket is connected, from this local address; 0 or errno."""
    @property
    def calls(self) -> int: ...
    def send_all(
        self, datagrams: list[tuple[bytes, bytes]], source: bytes | None = None, segments: bool = False
    ) -> None: ...
    def pause(self) -> None:
        """Take nothing until resume(): it waits in the socket."""
    def resume(self) -> None: ...
    def close(self) -> None: ...

def open_datagrams(
    lane: Poller,
    address: bytes,
    arrived: Callable[[bytes, bytes, bytes | None], object],
    failed: Callable[[int], object],
    *,
    local: bytes | None = None,
    transparent: bool = False,
    rcvbuf: int = 0,
    sndbuf: int = 0,
) -> Datagrams:
    """A socket of datagrams that is connected to this raw sockaddr.

    OSError when it cannot be; its `filename` is the call that failed where that was not connect().
    """
