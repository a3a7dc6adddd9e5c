# The types of peer_try.py's compiled form.
cimport cython

from gateway._fast.http1_response cimport ResponseHead
from gateway._fast.lane cimport Lane, open_stream
from gateway._fast.peers cimport PeerState
from gateway._fast.stream cimport Stream
from gateway._fast.watcher cimport Watcher
from gateway.http.client cimport Client
from gateway.http.body cimport RequestBody, read_body_part
from gateway.http.request cimport Request
from gateway.protocol.cgi cimport Reader
from gateway.upstream.exchange.attempt cimport Attempt, new_attempt
from gateway.upstream.exchange.carrier cimport Carrier
from gateway.upstream.exchange.codec cimport Codec
from gateway.upstream.exchange.http2 cimport Http2Reader
from gateway.upstream.exchange.keepalive cimport PeerConnection, Keepalive, new_connection
from gateway.upstream.peers.peers cimport Choice
from gateway.upstream.exchange.response cimport UpstreamHead
from gateway.upstream.exchange.settings cimport ExchangeSettings
from gateway.upstream.peers.upstreams cimport Upstream


cdef class PeerTry(Watcher):
    cdef public Attempt attempt
    cdef public list attempts
    cdef public double began
    cdef public list body
    cdef public bint body_sent
    cdef public bint owes_body
    cdef public bint blocked
    cdef public Choice choice
    cdef public Codec codec
    cdef public object conf
    cdef public PeerConnection connection
    cdef public object frame
    cdef public UpstreamHead head
    cdef public Lane lane
    cdef public bytes packet
    cdef public bytes asked_uri
    cdef public bint pass_body
    cdef public PeerState peer
    cdef public PeerState asked
    cdef public Reader reader
    cdef public Request request
    cdef public bint sent
    cdef public bint streaming
    cdef public list trailers
    cdef public Upstream upstream
    cdef public object wake
    cdef public object failure
    cdef public bint unprocessed
    cdef public long refusals
    cdef public bint ready
    cdef public bint sending
    cdef public bint busy
    cdef public bint missed
    cdef public long long sent_at_last
    cdef public double deadline
    cdef public double client_deadline
    cdef public double until
    cdef double planned
    cdef public ExchangeSettings settings

    @cython.locals(client=Client, earlier=PeerTry)
    cpdef begin(self, Request request, object conf, Codec codec, Upstream upstream)
    cpdef log(self, str level, bytes message, object stage=*)
    @cython.locals(request=Request, state=long)
    cpdef check_client(self)
    @cython.locals(choice=Choice, now=long)
    cpdef pick(self)
    @cython.locals(now=double, attempts=list)
    cpdef bint begin_try(self, PeerState peer) except -1
    @cython.locals(connection=PeerConnection, stream=Stream, attempt=Attempt)
    cpdef bint ask(self) except -1
    cpdef bint _failed(self, object condition) except -1
    cpdef bint timed_out(self) except -1
    @cython.locals(connection=PeerConnection, keepalive=Keepalive, carrier=Carrier)
    cpdef bint _reuse(self, PeerState peer) except -1
    @cython.locals(stream=Stream, settings=ExchangeSettings, connection=PeerConnection, keepalive=Keepalive)
    cpdef bint _connect(self, PeerState peer) except -1
    @cython.locals(carrier=Carrier)
    cpdef bint _lost(self, PeerConnection connection) except -1
    cpdef bint _refused(self) except -1
    @cython.locals(now=double, attempt=Attempt, stream=Stream)
    cpdef _send(self, PeerConnection connection)
    @cython.locals(stream=Stream, body=RequestBody, reader=Http2Reader, pieces=list)
    cpdef _send_http2(self, PeerConnection connection)
    @cython.locals(attempt=Attempt, data=bytes, settings=ExchangeSettings)
    cpdef bint _receive_head(self, Stream stream) except -1
    cpdef _go_on_sending(self, Stream stream)
    @cython.locals(limit=cython.longlong, size=cython.longlong, reader=Reader, head=ResponseHead, answer=UpstreamHead)
    cpdef bint _parse(self, bytes data) except -1
    @cython.locals(took=bint, now=double, reader=Http2Reader)
    cpdef pass_on_body(self)
    @cython.locals(took=bint, stream=Stream, body=RequestBody)
    cpdef bint _pass_on(self) except -1
