# The types of carrier.py's compiled form.
cimport cython

from gateway._fast.demultiplex cimport Demultiplexer
from gateway._fast.lane cimport Lane
from gateway._fast.multiplex cimport Substream
from gateway.upstream.exchange.keepalive cimport Keepalive, PeerConnection


cdef class Carrier(Demultiplexer):
    cdef public Keepalive keepalive
    cdef public Lane lane
    cdef public bytes sockaddr
    cdef public bint is_unix
    cdef public double started
    cdef public double since
    cdef public long requests
    cdef public object tag
    cdef public object identity
    cdef public object tls
    cdef public bint shaking
    cdef public list waiting
    cdef public bint blamed
    cdef public object failed
    cdef public str level
    cdef public bytes words

    @cython.locals(keepalive=Keepalive, most=long)
    cpdef bint takes(self, bytes sockaddr, object tag, object identity, double now) except -1
    @cython.locals(member=Substream, connection=PeerConnection)
    cpdef PeerConnection join(self, object asking)
