"""type=grpc: a gRPC server says of itself, or of one of its services, whether it serves (grpc.health.v1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import HeadError
from gateway.config.units import number_of
from gateway.upstream.exchange.attempt import Stage
from gateway.upstream.exchange.http2 import Http2Reader
from gateway.upstream.exchange.http2_fields import Fields, request_block
from gateway.upstream.health.checks import GRPC_CHECK
from gateway.upstream.health.matching import BODY_LIMIT
from gateway.upstream.health.probe_wire import ProbeFailed, ProbeTls, Wire
from gateway.upstream.health.probes import Probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.http.request import Request
    from gateway.upstream.exchange.conf import UpstreamConf
    from gateway.upstream.peers.address import Address

_READING: Final = Stage.READING_HEAD.value
_CHECKING: Final = b"checking gRPC health"
# What HealthCheckResponse.status may say: field 1, a varint.
_STATES: Final = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")


def message(service: bytes) -> bytes:
    """A HealthCheckRequest in its frame; the service is its field 1."""
    field = b""
    if service:
        length = len(service)
        size = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
        field = b"\x0a" + size + service
    return b"\0" + len(field).to_bytes(4, "big") + field


def problem(head: Fields, body: bytes, trailers: Fields, accepted: int) -> bytes | None:
    """Why the peer is not well; None if it is. `accepted`: another grpc-status than 0 that is good as well."""
    told = {name.lower(): value for name, value in (*head, *trailers)}
    status = told.get(b"grpc-status")
    if status is None or not status.isdigit():
        return b"no grpc-status"
    if number_of(status) == accepted and accepted:
        return None
    if number_of(status):
        said = told.get(b"grpc-message")
        return b"grpc-status %b%b" % (status, b": " + said if said else b"")
    state = 0
    if len(body) >= 7 and body[:1] == b"\0" and body[5:6] == b"\x08":
        state = body[6]
    if state == 1:
        return None
    return (_STATES[state] if state < len(_STATES) else str(state)).encode()


class _Conversation:
    """The connection and the socket that an Http2Reader writes to; what it wrote is sent when it returns."""

    def __init__(self) -> None:
        self.link: Any = None
        self.carrier = None  # nobody else has streams on it
        self.stream = self
        self.pending = 0
        self.data = b""

    def send(self, data: bytes) -> None:
        self.data += data

    async def flush(self, wire: Wire) -> None:
        data, self.data = self.data, b""
        if data:
            await wire.send(data)


class GrpcProbe(Probe):
    def __init__(
        self,
        conf: UpstreamConf,
        codec: Any,
        make_request: Callable[[], Request],
        service: bytes = b"",
        accepted: int = 0,
        tls: ProbeTls | None = None,
    ) -> None:
        """`codec`: a GrpcCodec, which knows what the location adds to a request of `make_request`."""
        super().__init__(conf, tls)
        self.codec = codec
        self.make_request = make_request
        self.service = service
        self.accepted = accepted

    async def __call__(self, address: Address) -> None:
        request = self.make_request()
        authority, own = self.codec.own_fields(request)
        made = [(b"content-type", b"application/grpc"), (b"te", b"trailers")]
        names = {name for name, _ in made}
        fields = made + [field for field in own if field[0].lower() not in names]
        block = request_block(b"POST", self.tls is not None, GRPC_CHECK, authority, fields)
        wire = await Wire.open(self.conf, address, self.local, self.tls)
        try:
            head, body, trailers = await self._ask(wire, block)
        except HeadError as error:
            raise ProbeFailed(_READING, error.message.encode("utf-8", "surrogateescape")) from None
        finally:
            wire.close()
        found = problem(head, body, trailers, self.accepted)
        if found is not None:
            raise ProbeFailed(_CHECKING, found)

    async def _ask(self, wire: Wire, block: bytes) -> tuple[Fields, bytes, Fields]:
        conversation: Any = _Conversation()
        reader = Http2Reader()
        reader.begin(conversation, block, [message(self.service)])
        await conversation.flush(wire)
        head = None
        body = b""
        while not reader.done and len(body) < BODY_LIMIT:
            data = await wire.receive(_READING)
            if not data:
                raise ProbeFailed(_READING, b"upstream prematurely closed connection")
            if head is None:
                head = reader.receive_head(data)
                if head is None:
                    await conversation.flush(wire)
                    continue
                if head.status != 200:
                    raise ProbeFailed(_CHECKING, b"status %d" % head.status)
                body = reader.begin_body(b"POST", head.status, -1, chunked=False, close=False)
            else:
                body += reader.receive_body(data)
            await conversation.flush(wire)
        return [] if head is None else head.fields, body, reader.trailers
