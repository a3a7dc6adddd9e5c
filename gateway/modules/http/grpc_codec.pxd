# The types of grpc_codec.py's compiled form.
cimport cython

from gateway._fast.request_head cimport RequestHead
from gateway.http.common_variables cimport content_length
from gateway.http.request cimport Request
from gateway.protocol.cgi cimport Reader
from gateway.upstream.exchange.codec cimport Codec
from gateway.upstream.exchange.http2 cimport new_reader
from gateway.upstream.exchange.http2_fields cimport request_block
from gateway.upstream.exchange.peer_try cimport PeerTry


@cython.locals(te=bytes)
cdef bint asks_for_trailers(RequestHead head) except -1
cdef bytes _target(Request request)


cdef class GrpcCodec(Codec):
    cdef public object conf
    cdef public bint sets_length
    cdef public bint sets_te
    cdef public list own
    cdef public frozenset hidden
    cdef public object target
    cdef public bytes constant

    @cython.locals(
        asking=PeerTry, request=Request, head=RequestHead, authority=bytes, fields=list, target=bytes, hidden=frozenset,
        length="long long", trailers=bint, known=bytes, secure=bint
    )
    cpdef bytes encode(self, object exchange)
    @cython.locals(authority=bytes, fields=list, lower=bytes, name=bytes, text=bytes)
    cpdef tuple own_fields(self, Request request)
    @cython.locals(asking=PeerTry, request=Request)
    cpdef Reader reader(self, object exchange)
    cpdef bint streams_body(self, Request request) except -1
