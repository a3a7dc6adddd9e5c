# The types of proxy_http2.py's compiled form.
cimport cython

from gateway.http.request cimport Request
from gateway.modules.http.proxy_codec cimport ProxyCodec, body_length
from gateway.protocol.cgi cimport Reader
from gateway.upstream.exchange.http2 cimport Http2Reader, new_reader
from gateway.upstream.exchange.http2_fields cimport request_block
from gateway.upstream.exchange.http_target cimport request_target
from gateway.upstream.exchange.peer_try cimport PeerTry


cdef class Http2ProxyCodec(ProxyCodec):
    @cython.locals(
        asking=PeerTry, request=Request, target=bytes, body=bytes, length=cython.longlong, authority=bytes,
        fields=list, name=bytes, text=bytes, lower=bytes, secure=bint
    )
    cpdef bytes encode(self, object exchange)
    @cython.locals(asking=PeerTry, request=Request, reader=Http2Reader)
    cpdef Reader reader(self, object exchange)
    cpdef bint streams_body(self, Request request) except -1
