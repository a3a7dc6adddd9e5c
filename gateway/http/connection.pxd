# The types of connection.py's compiled form.
cimport cython

from gateway._fast.cut cimport rest
from gateway._fast.http1 cimport parse_head
from gateway._fast.request_head cimport RequestHead
from gateway._fast.stream cimport Stream, accepted
from gateway.http.body cimport BodyDecoder
from gateway.http.h1_framing cimport Http1Framing
from gateway.http.h1_head cimport decide_framing, render_head
from gateway.http.handshake cimport Handshake
from gateway.http.listening cimport HttpListening
from gateway.http.request cimport Request, new_request
from gateway.http.servers cimport AddressServers, Server
from gateway.http.settings cimport EngineSettings
from gateway.serving.worker cimport Worker

# What a connection is doing.
cdef long CLIENT_CLOSED_ITS_SIDE, CLIENT_THERE, CONNECTION_CLOSED, CONNECTION_FAILED, GIVEN_UP
cdef long READING, BUSY, SENDING, DISCARDING, LINGERING, CLOSED, HANDSHAKING
cdef long HEAD_READ, REQUEST_COST


cpdef begin(Connection connection)


cdef class Connection(Http1Framing):
    cdef public double discard_until
    cdef public bint given_up
    cdef public bint in_loop
    cdef public bint nodelay
    cdef public bint pipelined
    cdef public bint reading
    cdef public long state

    @cython.locals(request=Request)
    cpdef happened(self)
    @cython.locals(handshake=Handshake)
    cpdef begin(self)
    @cython.locals(servers=AddressServers)
    cpdef open(self, Worker worker, Stream stream, bytes peer, HttpListening listening)
    cpdef late(self)
    cpdef read_head(self)
    @cython.locals(head=RequestHead, size=Py_ssize_t, buffer=bytes, servers=AddressServers, default=Server)
    cpdef bint _serve_next(self)
    cpdef Request _make_request(self, RequestHead head, Server server)
    cpdef _begin(self, RequestHead head, AddressServers servers)
    cpdef _complete(self, Request request)
    cpdef _end_request(self, Request request, bint keep)
    @cython.locals(core=EngineSettings)
    cpdef close(self, bint reset=*)
