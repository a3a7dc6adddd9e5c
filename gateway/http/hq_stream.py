"""One request of hq-interop, HTTP/0.9 over a stream of QUIC (`http3_hq on`): a line comes, and the body goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway._fast.errors import HeadError
from gateway._fast.http1 import parse_head
from gateway._fast.request_head import RequestHead
from gateway.http.h1_head import render_head
from gateway.http.h2_head import decide_end
from gateway.http.h3_stream import Http3Stream
from gateway.protocol.http3_frames import DATA, REQUEST_INCOMPLETE

if TYPE_CHECKING:
    from gateway.http.h3_head import Fields
    from gateway.http.request import Request
    from gateway.http.servers import AddressServers, Server

_HTTP_1_0 = 10


class HqStream(Http3Stream):
    http3_name = b"hq"
    version = 9

    def _frames(self) -> None:
        """The head, as HTTP/1 has it; what follows it is nothing."""
        if not self.headed:
            self._read_head()
        buffer = self.buffer
        if self.headed and buffer:
            self.http3.consumed(self.id, len(buffer))
            buffer.clear()
        if self.fin:
            self.in_closed = True
            if not self.headed and not self.lost:
                self.http3.log("client prematurely closed stream")
                self.reset(REQUEST_INCOMPLETE)
                self._gone()
            else:
                self.tell()

    def _read_head(self) -> None:
        servers: AddressServers = self.listening.servers_for(self)
        default = self.server
        limits = default.limits
        try:
            head = parse_head(bytes(self.buffer), 0, limits, None if servers.single else servers.limits_of)
            if head is None:
                # what is not read yet has its bound in the parser, and not in the stream's window
                self.http3.widen(self.id, limits.large_buffers * limits.large_buffer_size)
                return
            server: Server = head.server or default
            if server.http3 is None or not server.http3.hq:
                raise HeadError(421, "client attempted to request the server name for which HTTP/3 is disabled")
        except HeadError as error:
            self.headed = self.in_closed = True
            self.wait_for(0.0)
            self._refuse(error.head or RequestHead(), default, 9, error)
            return
        self.http3.consumed(self.id, head.pos)
        del self.buffer[: head.pos]
        self.headed = self.in_closed = self.skip_data = True  # no request of it has a body
        self.wait_for(0.0)
        request = self._make_request(head, server)
        request.keepalive = False
        request.http_version = min(request.http_version, _HTTP_1_0)
        self.head_read(request, head, servers)
        request.start()

    def send_head(self, request: Request) -> None:
        ends = decide_end(request)
        if self.lost:
            return
        if request.http_version >= _HTTP_1_0:
            self._write(DATA, render_head(request, self.lane.date_text()), ends, True)
        elif ends:
            self._write(DATA, b"", True, False)
        if not ends:
            self._set_pace(request)

    def _write(self, kind: int, payload: bytes, last: bool, framing: bool) -> None:
        self.http3.give(self.id, payload, last)
        self.sent_bytes += len(payload)
        if framing and self.request is not None:
            self.request.head_size += len(payload)
        self.out_closed = last

    def send_early_hints(self, request: Request, fields: Fields) -> None:
        pass

    def check_length(self, request: Request) -> None:
        pass
