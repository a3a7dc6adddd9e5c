# The types of relay.py's compiled form.
cimport cython

from gateway._fast.lane cimport Lane, open_stream
from gateway._fast.peers cimport PeerState
from gateway._fast.stream cimport Stream
from gateway._fast.watcher cimport Watcher
from gateway.core.way cimport Way
from gateway.stream.session cimport Session
from gateway.upstream.exchange.attempt cimport Attempt
from gateway.upstream.peers.peers cimport Choice
from gateway.upstream.peers.upstreams cimport Upstream


cdef long DONE, SUCCESS, BAD_GATEWAY, INTERNAL_ERROR, FAILED, WAIT, CONNECTED
cdef long _SECURE, _CONNECTING, _SECURING, _PASSING, _OVER


cdef class RelaySettings:
    cdef public double connect_timeout
    cdef public double timeout
    cdef public long long buffer_size
    cdef public bint next_upstream
    cdef public long next_upstream_tries
    cdef public double next_upstream_timeout
    cdef public object upload_rate
    cdef public object download_rate
    cdef public long proxy_protocol
    cdef public bint half_close
    cdef public long long requests
    cdef public object responses
    cdef public long long socket_rcvbuf
    cdef public long long socket_sndbuf
    cdef public bint socket_keepalive
    cdef public object local
    cdef public bint transparent
    cdef public object client_tls


cdef class Relay(Watcher):
    cdef public Session session
    cdef public RelaySettings settings
    cdef public Upstream upstream
    cdef public Lane lane
    cdef public list attempts
    cdef public Attempt attempt
    cdef public Choice choice
    cdef public PeerState peer
    cdef public PeerState asked
    cdef public object stream
    cdef public long long received
    cdef public bytes local
    cdef public bint client_ended
    cdef public bint header_sent
    cdef public double began
    cdef public long long upload
    cdef public double upload_until
    cdef public long at
    cdef public Way up
    cdef public Way down
    cdef public double timeout
    cdef public bint half_close
    cdef public double until
    cdef public double planned
    cdef public bint delayed

    @cython.locals(session=Session, settings=RelaySettings)
    cpdef begin(self)
    cpdef watch(self)
    cpdef go_on(self, long status)
    cpdef happened(self)
    cpdef ended(self, object result)
    cpdef late(self)
    cpdef long timed_out(self) except? -9
    cpdef stopped(self)
    @cython.locals(until=double)
    cpdef _plan(self)
    @cython.locals(session=Session, choice=Choice, now=double, peer=PeerState)
    cpdef long begin_try(self) except? -9
    cpdef _recovered(self, PeerState peer)
    @cython.locals(session=Session, stream=Stream, settings=RelaySettings)
    cpdef long connect(self, PeerState peer) except? -9
    @cython.locals(session=Session, stream=Stream)
    cpdef long connected(self) except? -9
    cpdef _log_connected(self)
    @cython.locals(session=Session, room=cython.longlong, client=Stream, data=bytes)
    cpdef _read_ahead(self)
    cpdef bint _may_go_on(self) except -1
    @cython.locals(attempt=Attempt)
    cpdef close(self, object outcome)
    cpdef forget(self)
    cpdef release(self)
    @cython.locals(session=Session, stream=Stream, settings=RelaySettings, room=cython.longlong)
    cpdef long start(self) except? -9
    @cython.locals(choice=Choice, attempt=Attempt)
    cpdef connected_now(self)
    @cython.locals(session=Session, up=Way, down=Way, attempt=Attempt, now=double)
    cpdef long step(self) except? -9
    cpdef _half_close(self, Way way)
    cpdef _first_byte(self, double now)
    cpdef bint _is_over(self, Way up, Way down) except -1
