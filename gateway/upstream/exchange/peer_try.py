"""One try at one peer: a connection, the request on it, and the head of the answer.

Nothing here waits: begin_try() and ask() do what can be done now, and say until when. The exchange, which watches both
streams, calls ask() again when something has happened.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gateway._fast.errors import HeadError
from gateway._fast.lane import NoRoom, open_stream
from gateway._fast.stream import Stream
from gateway._fast.watcher import Watcher
from gateway.core.transport import ORDINARY
from gateway.http.body import BodyError, read_body_part
from gateway.http.output import CONNECTION_CLOSED
from gateway.upstream.exchange.attempt import Attempt, Stage, error_words, new_attempt
from gateway.upstream.exchange.carrier import MOST_REFUSALS, Carrier
from gateway.upstream.exchange.keepalive import PeerConnection, new_connection
from gateway.upstream.exchange.next_upstream import Condition
from gateway.upstream.exchange.response import UpstreamHead

if TYPE_CHECKING:
    from gateway.core.pieces import Piece
    from gateway.http.client import Client
    from gateway.http.request import Request
    from gateway.protocol.cgi import Reader
    from gateway.upstream.exchange.codec import Codec
    from gateway.upstream.exchange.conf import UpstreamConf
    from gateway.upstream.exchange.http2 import Http2Reader
    from gateway.upstream.exchange.settings import ExchangeSettings
    from gateway.upstream.exchange.tls import ClientTls
    from gateway.upstream.peers.peers import Choice, Peer
    from gateway.upstream.peers.upstreams import Upstream

# Members of an enum, bound: a look-up in an enum costs more than a system call.
_SENDING: Final = Stage.SENDING
_HANDSHAKING: Final = Stage.HANDSHAKING
_READING_HEAD: Final = Stage.READING_HEAD
_NO_LIVE: Final = Condition.NO_LIVE
_ERROR: Final = Condition.ERROR
_TIMEOUT: Final = Condition.TIMEOUT
_INVALID_HEADER: Final = Condition.INVALID_HEADER

# The attempt of an exchange that has asked nobody yet.
_NOT_YET: Final = Attempt(None, 0.0)
_NOT_YET.ended = 0.0


class ClientGone(Exception):
    """The client closed its connection while we worked for it."""


class PeerTry(Watcher):
    """What an exchange holds, and how it asks one peer.

    Compiled with the types of peer_try.pxd (an attribute has its line there too): streams, timers and requests are
    reached without a look-up.
    """

    def __init__(self, request: Request, conf: UpstreamConf, codec: Codec, upstream: Upstream | None) -> None:
        self.begin(request, conf, codec, upstream)

    def begin(self, request: Request, conf: UpstreamConf, codec: Codec, upstream: Upstream | None) -> None:
        """What __init__ does, as a call of C's."""
        self.request = request
        self.conf = conf
        self.settings: ExchangeSettings = conf.hot
        self.codec = codec
        self.upstream: Upstream = upstream  # type: ignore[assignment]  # None: it is found before it is used
        client: Client = request.connection
        self.lane = client.lane
        self.attempts: list[Attempt] = []
        earlier: PeerTry | None = request.upstream
        if earlier is not None and earlier.attempts:
            self.attempts = [*earlier.attempts, Attempt(None, self.lane.fresh())]
        request.upstream = self
        self.asked: Peer | None = None  # of the present or last try, for the error log
        self.choice: Choice | None = None
        self.peer: Peer | None = None
        self.connection: PeerConnection | None = None
        self.attempt = _NOT_YET
        self.packet = b""
        self.asked_uri = b""  # where the protocol has one: for the error log
        self.head: UpstreamHead | None = None
        self.trailers: list[tuple[bytes, bytes]] | None = None
        self.reader: Reader | None = None
        self.streaming = False
        self.pass_body: bool = self.settings.pass_request_body  # False too when the codec puts a body of its own
        self.body: list[Piece] | None = None  # what the codec sends of a body that was read; None: the body as it is
        self.frame: Callable[[bytes], bytes] | None = None  # the codec's framing of a body sent as it comes
        self.sent = False  # something of the request went to the present peer
        self.body_sent = False  # all of the request was given to the present connection
        self.owes_body = False  # more was announced than is sent: what came next would be taken for it
        self.blocked = False  # what is here of the body waits for the peer's windows
        self.refusals = 0  # of streams, by peers
        self.began = 0.0
        self.wake: Any = None  # of the fibre that goes on with this exchange, if there is one
        self.busy = False  # events are only noted
        self.missed = False  # one was
        # of the try under way
        self.failure: Condition | None = None
        self.unprocessed = False  # which is none of the peer's: it did nothing for us
        self.ready = False  # the connection is there, and the request was begun
        self.sending = False  # not all of the request is with the kernel
        self.sent_at_last = 0
        self.deadline = 0.0  # of what we wait for from the peer; 0: nothing
        self.client_deadline = 0.0  # of what we wait for from the client
        self.until = 0.0  # when ask() wants to be called, whatever happens
        self.planned = 0.0  # when the lane will call late(), which looks at `until`; 0: it will not

    def log_target(self) -> bytes | None:
        """The `upstream: "…"` of the error log."""
        peer = self.asked
        if peer is not None:
            return self.codec.schema + peer.name + (b":" if peer.is_unix else b"") + self.asked_uri
        return self.codec.schema + self.upstream.name + self.asked_uri if self.attempt.name is not None else None

    def log(self, level: str, message: bytes, stage: Stage | None = None) -> None:
        """A line with nginx's "while …" behind it."""
        self.request.log(level, message + b" while " + (stage or self.attempt.stage).value)

    def asking(self) -> Stage:
        """The stage as nginx names it where a client is gone: it reads no head before the first byte is there."""
        attempt = self.attempt
        return _SENDING if attempt.stage is _READING_HEAD and not attempt.received else attempt.stage

    def check_client(self) -> None:
        """Errors: ClientGone, if the client is gone and that matters."""
        request = self.request
        state = request.output.client_state()
        if request.aborted or state == CONNECTION_CLOSED:
            request.aborted = True
            raise ClientGone
        if self.streaming and not self.body_sent:
            return  # the end of its input is met when the body is read
        if state and not self.settings.outlives_client:
            raise ClientGone

    # -- one try -------------------------------------------------------------------------------------------------

    def pick(self) -> Peer | None:
        """The peer to ask next, None when none is left."""
        choice = self.choice
        assert choice is not None
        sticky = self.upstream.sticky
        now = int(self.lane.fresh())
        return choice.get(now) if sticky is None else sticky.get(self, choice, now)

    def pick_anew(self) -> Peer | None:
        """A pick from all peers, for a request that waited in the queue."""
        tries = self.choice.tries if self.choice is not None else 0
        self.choice = self.upstream.choose(self.request)
        self.choice.tries = min(self.choice.tries, tries) or 1
        return self.pick()

    def begin_try(self, peer: Peer | None) -> bool:
        """Begin to ask a peer (None: there is none); True if the try is over already, as ask() says it."""
        now = self.lane.fresh()
        attempts = self.attempts
        self.failure = None
        self.unprocessed = False
        self.head = None
        self.ready = False
        self.peer = peer
        self.asked = peer
        if peer is None:
            self.attempt = Attempt(self.upstream.name, now)
            attempts.append(self.attempt)
            self.log("error", b"no live upstreams")
            return self._failed(_NO_LIVE)
        self.attempt = new_attempt(peer.name, now)
        attempts.append(self.attempt)
        if not self._reuse(peer) and not self._connect(peer):
            return True
        self.deadline = now + self.settings.connect_timeout
        return self.ask()

    def ask(self) -> bool:
        """Do what can be done of the try now: True when it is over, with `head` or a `failure`; else `until` is set.

        Called again whenever something happens on either side, and at `until`. Errors: ClientGone, BodyError.
        """
        connection = self.connection
        assert connection is not None
        stream = connection.stream
        if not self.ready:
            if stream.connecting:
                self.check_client()
                if self.lane.fresh() >= self.deadline:
                    return self.timed_out()
                self.until = self.deadline
                return False
            if connection.carrier is not None and self._lost(connection):
                return True
            if stream.error and self.attempt.stage is not _HANDSHAKING:
                failed = OSError(stream.error, "")
                self.attempt.error = failed
                self.attempt.connected = self.lane.fresh()
                level = "error" if failed.errno in ORDINARY else "alert"
                self.log(level, b"connect() failed (%b)" % error_words(failed))
                return self._failed(_ERROR)
            if connection.tls is not None:
                from gateway.upstream.exchange.tls import shake_hands

                if not shake_hands(self, connection):
                    return self.failure is not None
                stream = connection.stream
            self._send(connection)
        return self._receive_head(stream)

    def _failed(self, condition: Condition) -> bool:
        self.failure = condition
        return True

    def timed_out(self) -> bool:
        self.attempt.error = OSError(errno.ETIMEDOUT, "")
        return self._failed(_TIMEOUT)

    def _reuse(self, peer: Peer) -> bool:
        """Take a connection that was kept; False if there is none for us."""
        keepalive = self.upstream.keepalive
        if keepalive is None:
            return False
        tls: ClientTls | None = self.codec.tls
        identity = tls.identity(self.request, self.upstream.name) if tls is not None else None
        if keepalive.streams and self.codec.http2:
            carrier = keepalive.carrier_for(peer.sockaddr, self.conf, identity, self.lane.fresh())
            if carrier is None:
                return False
            self.attempt.cached = carrier.settled
            self.connection = carrier.join(self)
            return True
        connection = self.connection = keepalive.take(peer.sockaddr, self.conf, identity, self.codec.http2)
        if connection is None:
            return False
        connection.stream.handler = self
        self.attempt.cached = True
        return True

    def _connect(self, peer: Peer) -> bool:
        """Begin a new connection; False, with the failure, where not even that can be done."""
        conf = self.conf
        settings = self.settings
        local = settings.local(self.request) if settings.local is not None else None
        sockaddr = peer.sockaddr
        try:
            if local is None:
                stream = open_stream(self.lane, sockaddr, None, settings.socket_keepalive, False, False)
            else:
                stream = open_stream(
                    self.lane, sockaddr, local.sockaddr, settings.socket_keepalive, False, conf.transparent
                )
        except NoRoom as error:
            self.attempt.error = error
            self.failure = Condition.OWN_SIDE
            self.log("alert", str(error).encode())
            return False
        except OSError as error:
            self.attempt.error = error
            self.failure = _ERROR
            call: bytes | None = error.filename
            if call is not None:
                self.failure = Condition.OWN_SIDE
                if call == b"bind()" and local is not None:
                    self.log("crit", b"bind(%b) failed (%b)" % (local.name, error_words(error)))
                else:
                    self.log("alert", b"%b failed (%b)" % (call, error_words(error)))
            else:
                level = "error" if error.errno in ORDINARY else "crit"
                self.log(level, b"connect() to %b failed (%b)" % (peer.name, error_words(error)))
            return False
        connection = self.connection = new_connection(stream, sockaddr, peer.is_unix, self.lane.fresh())
        connection.tls = self.codec.tls if self.lane.detour is None else None
        if connection.tls is not None:
            connection.identity = connection.tls.identity(self.request, self.upstream.name)
        if settings.has_socket_options:
            if conf.socket_rcvbuf:
                stream.set_option(socket.SOL_SOCKET, socket.SO_RCVBUF, conf.socket_rcvbuf)
            if conf.socket_sndbuf:
                stream.set_option(socket.SOL_SOCKET, socket.SO_SNDBUF, conf.socket_sndbuf)
        stream.handler = self
        keepalive = self.upstream.keepalive
        if keepalive is not None and keepalive.streams and self.codec.http2:
            self.connection = Carrier(keepalive, connection, self.conf, self.lane).join(self)
        return True

    def _lost(self, connection: PeerConnection) -> bool:
        """Whether the connection that we wanted to share came to nothing before our turn."""
        carrier = connection.carrier
        assert carrier is not None
        if carrier.failed is not None:
            own = carrier.failed is Condition.OWN_SIDE  # before anything of TLS was said
            self.log(carrier.level, carrier.words, Stage.CONNECTING if own else _HANDSHAKING)
            return self._failed(carrier.failed)
        if connection.refused():
            return self._refused()
        if connection.stream.peer_closed and not connection.stream.error:
            self.log("error", b"upstream prematurely closed connection")
            return self._failed(_ERROR)
        return False

    def _refused(self) -> bool:
        """The peer has done nothing for us: we may ask anew, on another connection, whatever the method."""
        self.refusals += 1
        self.unprocessed = self.refusals <= MOST_REFUSALS
        self.log("info", b"upstream refused the stream")
        return self._failed(_ERROR)

    def _send(self, connection: PeerConnection) -> None:
        """The connection is there: put the request on it."""
        now = self.lane.fresh()
        attempt = self.attempt
        stream = connection.stream
        connection.requests += 1
        attempt.connected = now
        attempt.stage = _SENDING
        self.ready = True
        self.sent = True
        self.body_sent = self.blocked = False
        self.sending = True
        self.reader = self.codec.reader(self)
        if self.codec.http2:
            self._send_http2(connection)
        elif self.streaming:
            stream.nodelay()
            stream.write(self.packet)
        else:
            body = self.request.body
            self.body_sent = True
            pieces = self.body
            if pieces is None and body is not None and self.pass_body:
                pieces = body.pieces()
            if not pieces:
                stream.send(self.packet)
            else:
                stream.write(self.packet)
                for piece in pieces:
                    stream.write(piece)
                if stream.flush() and not connection.is_unix:
                    stream.nodelay()  # the last part does not wait for what was sent before it to be acknowledged
        self.sent_at_last = stream.sent
        self.deadline = now + self.settings.send_timeout
        self.client_deadline = 0.0

    def _send_http2(self, connection: PeerConnection) -> None:
        stream = connection.stream
        reader: Http2Reader = self.reader  # type: ignore[assignment]
        pieces: list[Piece] | None = None
        if not self.streaming:
            body = self.request.body
            pieces = self.body
            if pieces is None:
                pieces = body.pieces() if body is not None and self.pass_body else []
        if connection.requests == 1 and not connection.is_unix:
            stream.nodelay()
        reader.begin(connection, self.packet, pieces)
        self.body_sent = reader.closed

    def _receive_head(self, stream: Stream) -> bool:
        """Send what is left of the request, and read until the answer's head is whole."""
        attempt = self.attempt
        settings = self.settings
        if self.sending:
            self._go_on_sending(stream)
        while stream.readable:
            # Also while we send: an upstream may answer, and then reset, without reading all of a body.
            try:
                # A short answer comes whole with its head; of a head that never ends a buffer is read at a time.
                data = stream.recv(settings.buffer_size if attempt.received else settings.head_read)
            except OSError as error:
                attempt.error = error
                attempt.stage = _READING_HEAD
                self.log("error", b"recv() failed (%b)" % error_words(error))
                return self._failed(_ERROR)
            if data is None:
                break
            attempt.stage = _READING_HEAD
            if not data:
                self.log("error", b"upstream prematurely closed connection")
                return self._failed(_ERROR)
            attempt.received += len(data)
            if self._parse(data):
                return True
            if self.sending:
                self._go_on_sending(stream)  # what came may have widened a window: nobody else calls for the rest
        if stream.error or stream.fd < 0:
            attempt.error = OSError(stream.error or errno.EPIPE, "")
            self.log("error", b"writev() failed (%b)" % error_words(attempt.error), Stage.SENDING)
            return self._failed(_ERROR)
        self.check_client()
        self.until = self.deadline
        if self.client_deadline and (not self.until or self.client_deadline < self.until):
            self.until = self.client_deadline
        if self.deadline and self.lane.fresh() >= self.deadline:
            return self.timed_out()
        return False

    def _go_on_sending(self, stream: Stream) -> None:
        """Send what is left of the request as far as that can be done, and say how long the peer may take."""
        if not self.body_sent:
            self.pass_on_body()
        if not stream.pending:
            if self.body_sent:
                self.sending = False
                self.attempt.stage = _READING_HEAD
                self.deadline = self.lane.fresh() + self.settings.read_timeout
                return
            if not self.blocked:
                self.deadline = 0.0  # the client is who we wait for
                return
        if not self.deadline or stream.sent != self.sent_at_last:
            self.sent_at_last = stream.sent
            self.deadline = self.lane.fresh() + self.settings.send_timeout

    def _parse(self, data: bytes) -> bool:
        """Give received bytes to the reader; True when the head is whole, or is none."""
        reader = self.reader
        assert reader is not None
        limit = self.settings.buffer_size
        try:
            head = reader.receive_head(data)
            size = reader.head_received()
            if (size > limit or (head is None and size == limit)) and (head is None or head.version != 9):
                self.log("error", b"upstream sent too big header")
                return self._failed(_INVALID_HEADER)
            if head is None:
                return False
            answer = UpstreamHead.__new__(UpstreamHead)
            answer._read(head, self.request)
            self.head = answer
            if self.codec.http2:
                self.head.status_line = b""  # there is no text, and the client gets the usual one
        except HeadError as error:
            assert self.connection is not None
            if self.connection.refused():
                return self._refused()
            if error.message:  # the reader may have said why before
                self.log("error", error.message.encode("utf-8", "surrogateescape"))
            return self._failed(_INVALID_HEADER)
        self.attempt.head_read = self.lane.fresh()
        self.attempt.status = head.status
        if head.version == 9:
            # What came is the body, and so it is to the client, as in HTTP/0.9: no head at all.
            self.log("error", b"upstream sent no valid HTTP/1.0 header")
            self.attempt.status = 200
            self.request.http_version = 9
        return True

    def pass_on_body(self) -> None:
        """Send on what has come of the client's body, no more than the upstream takes.

        Where the client is who we wait for, client_deadline says how long. Errors: BodyError, also when that is over.
        """
        if self.body_sent:
            return
        if self.codec.http2:
            reader: Http2Reader = self.reader  # type: ignore[assignment]
            took = reader.pass_on(self.request, self.streaming)
            self.body_sent = reader.closed
            self.blocked = reader.is_blocked()
        else:
            took = self._pass_on()
        now = self.lane.fresh()
        assert self.connection is not None
        if self.body_sent or self.connection.stream.pending or self.blocked or not self.streaming:
            self.client_deadline = 0.0
        elif took or not self.client_deadline:
            self.client_deadline = now + self.request.location.core.client_body_timeout
        elif now >= self.client_deadline:
            raise BodyError(408, b"client timed out (%b)" % error_words(OSError(errno.ETIMEDOUT, "")))

    def _pass_on(self) -> bool:
        """Whether something had come."""
        took = False
        request = self.request
        connection = self.connection
        assert connection is not None and request.body is not None
        stream = connection.stream
        frame = self.frame
        room = request.location.core.client_body_buffer_size
        body = request.body
        while True:
            parts = body.give()
            for data in parts:
                stream.write(data if frame is None else frame(data))
            if body.complete:
                self.body_sent = True
                if frame is not None:
                    stream.write(frame(b""))
            took = took or bool(parts)
            if stream.flush() >= room or self.body_sent:
                return took
            read_body_part(request, 1)
            if not body.memory and not body.complete:
                return took
