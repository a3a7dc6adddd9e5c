# The types of cgi.py's compiled form.
cimport cython

from gateway._fast.cut cimport rest as behind
from gateway._fast.http1_response cimport ResponseHead, parse_response_head


cdef class Reader:
    cdef public bint done
    cdef public bint excess
    cdef public bint keepalive

    cpdef long long head_received(self) except -1
    cpdef long long preread(self) except -1
    cpdef ResponseHead receive_head(self, bytes data)
    cpdef bytes begin_body(self, bytes method, long status, long long content_length, bint chunked, bint close)
    cpdef bytes receive_body(self, bytes data)
    cpdef bint receive_end(self) except -1
    cpdef list get_trailers(self)


cdef class PlainReader(Reader):
    cdef public bytes buffer
    cdef public str form
    cdef public long long left
    cdef public long size

    cpdef start(self, str form)
    @cython.locals(buffer=bytes, head=ResponseHead)
    cpdef ResponseHead receive_head(self, bytes data)
    @cython.locals(rest=bytes)
    cpdef bytes begin_body(self, bytes method, long status, long long content_length, bint chunked, bint close)
    @cython.locals(left=cython.longlong)
    cpdef bytes receive_body(self, bytes data)
