"""A request that no client made, for what is evaluated without one: a health check's request, its `require`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.http1 import parse_head
from gateway._fast.request_head import HeadLimits
from gateway._fast.stream import Stream
from gateway.http.client import Client
from gateway.http.module import Count
from gateway.http.output import Output
from gateway.http.request import Request

if TYPE_CHECKING:
    from gateway.http.cycle import HttpCycle
    from gateway.http.locations import Location
    from gateway.serving.worker import Worker

_LIMITS: Final = HeadLimits(large_buffers=(1, 65536))


class _Connection(Client):
    """What variables ask of a connection; the client is this host, and its socket is closed."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.lane = worker.lane
        self.started = worker.lane.now
        self.stream = Stream.__new__(Stream)
        self.number = 0
        self.requests = 1
        self.scheme = b"http"
        self.proxy = None
        self.peer = b"127.0.0.1", 0
        self.local = b"127.0.0.1", 80


class _Nowhere(Output):
    """What such a request has in the place of a client's stream."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def get_connection(self) -> Any:
        return self._connection

    def sent(self) -> Count:
        return 0


def stand_in(
    cycle: HttpCycle, worker: Worker, location: Location, method: bytes, target: bytes, host: bytes
) -> Request:
    """A request in this location, with a Host and nothing else. Errors: HeadError for a target that cannot be one."""
    head: Any = parse_head(b"%b %b HTTP/1.0\r\nHost: %b\r\n\r\n" % (method, target, host), 0, _LIMITS)
    request = Request(_Nowhere(_Connection(worker)), head, location.server, cycle)
    request.location = location
    request.method = method
    request.uri = head.uri
    request.args = head.args
    request.host = head.hostname
    request.internal = True
    request.started = worker.lane.now
    return request
