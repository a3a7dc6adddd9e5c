"""HTTP/1's framing: what a connection receives as a request's body, and how a response's body goes out on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.pieces import Piece, total
from gateway.http.body import BodyDecoder, BodyError, ClientEnded
from gateway.http.client import Client
from gateway.http.final_head import rate_limit
from gateway.http.module import Count, Status

if TYPE_CHECKING:
    from gateway.http.request import Request


class Http1Framing(Client):
    """The half of a connection that knows bodies; compiled with the types of h1_framing.pxd."""

    def begin_framing(self) -> None:
        self.buffer = b""  # received and not yet used
        self.request: Request | None = None
        self.decoder: BodyDecoder | None = None
        self.limited = False  # the stream has the rate of a request that was slowed

    # -- responses -----------------------------------------------------------------------------------------------

    def send_early_hints(self, request: Request, fields: list[tuple[bytes, bytes]]) -> None:
        if request.http_version >= 11 and fields and not request.head_sent:
            lines = b"".join([b"%b: %b\r\n" % field for field in fields])
            self.stream.send(b"HTTP/1.1 103 Early Hints\r\n" + lines + b"\r\n")

    def _limit_rate(self, request: Request) -> None:
        if request.limit_rate is None and request.location.core.limit_rate is None:
            rate = after = 0
        else:
            rate, after = rate_limit(request)
        if rate:
            self.stream.limit_rate(rate, after)
            self.limited = True
        elif self.limited:
            self.stream.limit_rate(0, 0)
            self.limited = False

    def send(self, request: Request, pieces: list[Piece], last: bool, flush: bool) -> None:
        stream = self.stream
        if request.header_only:
            if flush:
                stream.flush()
            return
        if request.chunked:
            size = total(pieces)
            if size:
                stream.write(b"%x\r\n" % size)
                for piece in pieces:
                    stream.write(piece)
                stream.write(b"\r\n" if not last else b"\r\n0\r\n" + self._trailers(request) + b"\r\n")
            elif last:
                stream.write(b"0\r\n" + self._trailers(request) + b"\r\n")
        else:
            for piece in pieces:
                stream.write(piece)
        if flush and not last:
            stream.flush()

    def _trailers(self, request: Request) -> bytes:
        trailers = request.response.trailers
        if not trailers:
            return b""
        return b"".join([b"%s: %s\r\n" % field for field in trailers])

    # -- bodies of requests --------------------------------------------------------------------------------------

    def send_continue(self) -> None:
        stream = self.stream
        stream.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        stream.flush()

    def body_begins(self, whole: bool) -> None:
        """A chunk that does not fit into what is left of the limit is refused as soon as its size is known."""
        decoder = self.decoder
        if decoder is not None and decoder.chunked is not None and self.request is not None:
            decoder.chunked.limit(self.request.location.core.client_max_body_size)

    def body_preread(self, request: Request) -> Count:
        return min(len(self.buffer), request.head.room_left())

    def body_done(self) -> bool:
        decoder = self.decoder
        return decoder is None or decoder.done

    def body_received(self) -> Count:
        decoder = self.decoder
        return decoder.received if decoder is not None else 0

    def receive_body(self, request: Request) -> bytes | None:
        decoder = self.decoder
        if decoder is None or decoder.done:
            return b""
        while True:
            if self.buffer:
                data, self.buffer = decoder.feed(self.buffer)
                if data or decoder.done:
                    return data
            data_or_none = self.stream.recv(decoder.wanted())
            if data_or_none is None:
                return None
            if not data_or_none:
                raise ClientEnded
            self.buffer = data_or_none

    def discard_body(self, request: Request) -> Status:
        decoder = self.decoder
        if decoder is None or decoder.done:
            return 0
        try:
            while not decoder.done:
                if self.receive_body(request) is None:
                    return 0
        except ClientEnded:
            decoder.done = True  # nobody wanted it: the answer goes out, and then the end is met
        except BodyError as error:
            request.keepalive = False
            request.log(error.level, error.message)
            decoder.done = True
            return error.status if error.level == "error" else 0
        except OSError:
            request.keepalive = False
            decoder.done = True
        return 0
