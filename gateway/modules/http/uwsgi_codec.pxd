# The types of uwsgi_codec.py's compiled form.
cimport cython

from gateway._fast.uwsgi cimport PacketEncoder as FastEncoder
from gateway.http.request cimport Request
from gateway.protocol.cgi cimport PlainReader, Reader
from gateway.upstream.exchange.codec cimport Codec
from gateway.upstream.exchange.peer_try cimport PeerTry


cdef class UwsgiCodec(Codec):
    cdef public FastEncoder encoder

    @cython.locals(asking=PeerTry, request=Request)
    cpdef bytes encode(self, object exchange)
    cpdef Reader reader(self, object exchange)
    cpdef bint streams_body(self, Request request) except -1
