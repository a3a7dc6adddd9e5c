# The types of proxy_codec.py's compiled form.
cimport cython

from gateway._fast.http1_request cimport RequestEncoder as FastEncoder
from gateway._fast.request_head cimport RequestHead
from gateway.http.request cimport Request
from gateway.http.settings cimport EngineSettings
from gateway.protocol.cgi cimport Reader
from gateway.protocol.http1_client cimport new_reader
from gateway.upstream.exchange.peer_try cimport PeerTry
from gateway.upstream.exchange.codec cimport Codec
from gateway.upstream.exchange.http_target cimport request_target


cdef class ProxyCodec(Codec):
    cdef public object conf
    cdef public bint cached
    cdef public object destination
    cdef public FastEncoder encoder
    cdef public bytes location
    cdef public bint sets_length
    cdef public bint sets_transfer
    cdef public bint whole
    cdef public object own_method
    cdef public object own_body
    cdef public bytes uri
    cdef public list own
    cdef public object hidden

    cpdef bytes method(self, Request request)
    @cython.locals(asking=PeerTry, request=Request, length=cython.longlong, method=bytes, target=bytes)
    cpdef bytes encode(self, object exchange)
    @cython.locals(asking=PeerTry, request=Request, core=EngineSettings)
    cpdef Reader reader(self, object exchange)


@cython.locals(request=Request, head=RequestHead)
cpdef long long body_length(PeerTry exchange) except? -3
