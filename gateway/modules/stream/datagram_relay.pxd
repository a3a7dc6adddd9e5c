# The types of datagram_relay.py's compiled form.
cimport cython

from gateway._fast.peers cimport PeerState
from gateway.modules.stream.relay cimport Relay, RelaySettings
from gateway.stream.datagrams cimport ClientDatagrams, DatagramSession


cdef long BAD_GATEWAY, CONNECTED, DONE, SUCCESS, WAIT
cdef Py_ssize_t _WAITING


cdef class Pace:
    cdef public long long rate
    cdef public long began
    cdef public long long moved
    cdef public double delayed_until

    @cython.locals(over=double)
    cpdef bint allows(self, double now) except -1
    cpdef count(self, long long size, double now)


cdef class DatagramRelay(Relay):
    cdef public DatagramSession asker
    cdef public ClientDatagrams client
    cdef public object inbox
    cdef public object answers
    cdef public int failure
    cdef public bint broken
    cdef public long long requests
    cdef public long long responses
    cdef public bint bounded
    cdef public long long wanted
    cdef public long long most
    cdef public Pace up_pace
    cdef public Pace down_pace
    cdef public object result
    cdef public object wake

    cpdef begin(self)
    cpdef ended(self, object result)
    cpdef watch(self)
    cpdef long connect(self, PeerState peer) except? -9
    cpdef _recovered(self, PeerState peer)
    cpdef _arrived(self, bytes data, bytes peer, bytes local)
    cpdef release(self)
    cpdef long start(self) except? -9
    @cython.locals(session=DatagramSession, now=double)
    cpdef long step(self) except? -9
    @cython.locals(session=DatagramSession)
    cpdef _send(self, bytes data)
    @cython.locals(session=DatagramSession, data=bytes, up=Pace)
    cpdef _take_requests(self, double now)
    @cython.locals(session=DatagramSession, client=ClientDatagrams, data=bytes, down=Pace)
    cpdef bint _give_answers(self, double now) except -1
    cpdef bint _waits(self) except -1
    cpdef bint _is_done(self) except -1
    cpdef long timed_out(self) except? -9
