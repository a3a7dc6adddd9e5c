# The types of content.py's compiled form.
cimport cython

from gateway.http.part cimport Part
from gateway.http.request cimport Request
from gateway.upstream.exchange.codec cimport Codec
from gateway.upstream.exchange.exchange cimport Exchange
from gateway.upstream.peers.upstreams cimport Upstream


cdef class Pass(Part):
    cdef public object conf
    cdef public Codec codec
    cdef public Upstream upstream

    @cython.locals(exchange=Exchange)
    cpdef run(self, Request request)
