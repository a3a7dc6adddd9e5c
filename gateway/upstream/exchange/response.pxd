# The types of response.py's compiled form.
cimport cython

cdef class Hidden  # settings.pxd needs the name
from gateway._fast.http1_response cimport ResponseHead
from gateway.http.request cimport Request
from gateway.http.response cimport Response
from gateway.upstream.exchange.settings cimport ExchangeSettings


cdef long _ONCE, _LOOKED_AT, _HOP, _PLACED, _REWRITTEN, _KEPT_BY_REDIRECT
cdef long _CONTENT_TYPE, _DATE, _ETAG, _SERVER, _LOCATION, _X_ACCEL_REDIRECT, _X_ACCEL_LIMIT_RATE, _LAST_MODIFIED
cdef long _CONTENT_LENGTH, _TRANSFER_ENCODING, _CONNECTION, _X_ACCEL_BUFFERING, _X_ACCEL_CHARSET, _CONTENT_ENCODING
cdef long _ACCEPT_RANGES, _SET_COOKIE


cdef class Hidden:
    cdef public long kinds
    cdef public frozenset names


cdef class UpstreamHead:
    cdef public bytes buffering
    cdef public bytes charset
    cdef public bint chunked
    cdef public bint connection_close
    cdef public long long content_length
    cdef public list kinds
    cdef public list pairs
    cdef public ResponseHead head
    cdef public long long limit_rate
    cdef public bytes redirect
    cdef public long status
    cdef public bytes status_line

    @cython.locals(kind=long, seen=long, index=Py_ssize_t, kinds=list, pairs=list, name=bytes, value=bytes)
    cpdef _read(self, ResponseHead head, Request request)
    @cython.locals(kind=long, seen=long, name=bytes, value=bytes)
    cpdef _drop_repeated(self, Request request)
    cpdef _first(self, long kind)
    cpdef _look_at(self, long kind, bytes name, bytes value, long seen)
    cpdef apply_controls(self, Request request, long ignored)
    cpdef copy_for_redirect(self, Request request, object conf)
    @cython.locals(response=Response, hidden=Hidden, names=frozenset, left_out=long, out=list, kinds=list, pairs=list,
                   kind=long, pair=tuple, index=Py_ssize_t)
    cpdef copy(self, Request request, object conf, ExchangeSettings settings)
    cpdef _copy_special(self, Request request, object conf, long kind, bytes name, bytes value)
    @cython.locals(response=Response)
    cpdef _place(self, Request request, object conf, long kind, bytes name, bytes value)

cpdef set_content_type(Response response, bytes value)
@cython.locals(number=cython.longlong, digit=cython.uchar)
cpdef long long digits(bytes value)
