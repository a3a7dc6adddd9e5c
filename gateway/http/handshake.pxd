# The types of handshake.py's compiled form.
cimport cython

from gateway._fast.tls cimport TlsStream, secure
from gateway._fast.tls_engine cimport Engine
from gateway.http.h1_framing cimport Http1Framing
from gateway.http.servers cimport Server

cdef bytes _ALPN_HTTP1, _ALPN_HTTP2, _WHILE


cdef class Handshake:
    cdef public Http1Framing connection
    cdef public bytes name
    cdef public bint proving
    cdef public bint secured
    cdef public Server server
    cdef public bint validated
    cdef public bint validating

    @cython.locals(stream=TlsStream)
    cpdef bint go_on(self)
    @cython.locals(stream=TlsStream)
    cpdef bint speaks_http2(self)
    @cython.locals(stream=TlsStream)
    cpdef let_go(self)
    cpdef bint _begin(self)
    @cython.locals(stream=TlsStream)
    cpdef bint _secure(self)
    cpdef bint _validates(self, object stream)
    cpdef _offer(self, Engine engine, Server server)
