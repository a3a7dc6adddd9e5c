# The types of keepalive.py's compiled form.
cimport cython

from gateway._fast.stream cimport Stream
from gateway._fast.watcher cimport Watcher
from gateway.upstream.exchange.attempt cimport Attempt
from gateway.upstream.exchange.http2_link cimport Link


cdef class PeerConnection(Watcher):
    cdef public Keepalive cache
    cdef public bint is_unix
    cdef public long requests
    cdef public long long sent_before
    cdef public bytes sockaddr
    cdef public double started
    cdef public Stream stream
    cdef public object tag
    cdef public object identity
    cdef public object tls
    cdef public Link link
    cdef public object carrier

    cpdef begin(self, Stream stream, bytes sockaddr, bint is_unix, double now)
    cpdef bint refused(self) except -1
    cpdef close(self, Attempt attempt)
    cpdef happened(self)
    cpdef late(self)
    cpdef stopped(self)


@cython.locals(connection=PeerConnection)
cpdef PeerConnection new_connection(Stream stream, bytes sockaddr, bint is_unix, double now)


cdef class Keepalive:
    cdef public list idle
    cdef public bint local
    cdef public long requests
    cdef public long size
    cdef public double time_s
    cdef public double timeout_s
    cdef public long streams
    cdef public list carriers
    cdef public dict peaks

    @cython.locals(idle=list, index=Py_ssize_t, connection=PeerConnection, stream=Stream)
    cpdef PeerConnection take(self, bytes sockaddr, object tag, object identity=*, bint http2=*)
    @cython.locals(stream=Stream)
    cpdef bint give(self, PeerConnection connection, object tag, double now) except -1
    cpdef carrier_for(self, bytes sockaddr, object tag, object identity, double now)
    cpdef drop(self, PeerConnection connection)
