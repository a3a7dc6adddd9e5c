# The types of codec.py's compiled form.
from gateway.http.request cimport Request
from gateway.protocol.cgi cimport Reader


cdef class Codec:
    cdef public bytes schema
    cdef public object tls
    cdef public bint http2

    cpdef bytes encode(self, object exchange)
    cpdef Reader reader(self, object exchange)
    cpdef bint streams_body(self, Request request) except -1
