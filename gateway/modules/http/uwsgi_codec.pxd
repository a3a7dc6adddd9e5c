# The types of uwsgi_codec.py's compiled form.
from gateway.http.request cimport Request
from gateway.protocol.cgi cimport PlainReader, Reader
from gateway.upstream.exchange.codec cimport Codec


cdef class UwsgiCodec(Codec):
    cdef public object encoder

    cpdef bytes encode(self, object exchange)
    cpdef Reader reader(self, object exchange)
    cpdef bint streams_body(self, Request request) except -1
