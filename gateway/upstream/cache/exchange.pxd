# The types of exchange.py's compiled form.
cimport cython

from gateway.http.request cimport Request
from gateway.http.response cimport Response
from gateway.upstream.exchange.exchange cimport Exchange
from gateway.upstream.exchange.response cimport UpstreamHead

cdef long OK, DONE, FRESH, MISSING, UNWANTED, BUSY, FAILED, _ASK, _WAIT, _UPDATING, _X_ACCEL_REDIRECT


cdef class CachingExchange(Exchange):
    cdef public object caching_codec
    cdef public object find
    cdef public bytes cache_status
    cdef public bint cacheable
    cdef public bint updated_by_other
    cdef public object entry

    @cython.locals(result=long)
    cpdef _begin(self)
    cpdef _ask(self)
    cpdef _end(self)
    cpdef _let_go(self)
    @cython.locals(request=Request, verdict=long)
    cpdef long look_up(self) except? -1
    @cython.locals(request=Request, head=UpstreamHead)
    cpdef bint _send_known(self, object cache, bytes text) except -1
    cpdef bint _range_may_be_kept(self) except -1
    @cython.locals(request=Request)
    cpdef send_from_file(self)
    @cython.locals(response=Response)
    cpdef _fit_response(self, bint cached)
    cpdef check_client(self)
    cpdef _next(self, object condition)
    cpdef _answer(self)
    cpdef copy_head(self, UpstreamHead head)
    cpdef bint keeps(self, UpstreamHead head, bint buffering) except -1
