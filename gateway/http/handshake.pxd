# The types of handshake.py's compiled form.
from gateway.http.client cimport Client
from gateway.http.servers cimport Server

cdef bytes _ALPN_HTTP1, _ALPN_HTTP2, _WHILE


cdef class Handshake:
    cdef public Client connection
    cdef public bytes name
    cdef public bint proving
    cdef public bint secured
    cdef public Server server
    cdef public bint validated
    cdef public bint validating

    cpdef bint go_on(self)
    cpdef bint speaks_http2(self)
    cpdef let_go(self)
    cpdef bint _begin(self)
    cpdef bint _secure(self)
    cpdef bint _validates(self, object stream)
    cpdef _offer(self, object engine, Server server)
