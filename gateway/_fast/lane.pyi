from collections.abc import Callable
from typing import Any

from gateway._fast.poller import Poller, Source
from gateway._fast.stream import Stream

class Lane(Poller):
    detour: bytes | None  # where all connections that begin lead instead; None: where they want to
    worker_connections: int
    taken: int
    make_room: Callable[[], object] | None
    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        *,
        linger_s: float = 0.001,
        on_crash: Callable[[BaseException, object], object] | None = None,
    ) -> None: ...
    @property
    def http_date(self) -> bytes: ...
    def has_room(self) -> bool: ...
    def turn(self) -> float: ...
    def end(self) -> None: ...
    def release(self) -> None: ...
    def listen(
        self, fd: int, accepted: Callable[[int, bytes], object], *, exclusive: bool = True
    ) -> Listener: ...
    def _watch_trio(
        self,
        queue: Any,
        count: Callable[[], int] | None,
        epoll: int,
        pause: Callable[[], float],
        deadlines: Any = None,
    ) -> None: ...

class NoRoom(OSError): ...

class Listener(Source):
    on_error: Callable[[int], object] | None
    @property
    def paused(self) -> bool: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def close(self) -> None: ...

def sockaddr_text(raw: bytes) -> tuple[bytes, int]: ...
def local_sockaddr(fd: int) -> bytes: ...
def connect_raw(
    lane: Lane,
    address: bytes,
    local: bytes | None = None,
    *,
    keepalive: bool = False,
    nodelay: bool = False,
    transparent: bool = False,
) -> Stream: ...
def open_stream(
    lane: Lane, address: bytes, local: bytes | None, keepalive: bool, nodelay: bool, transparent: bool
) -> Stream: ...
