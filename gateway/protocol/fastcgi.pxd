# The types of fastcgi.py's compiled form.
cimport cython

from gateway._fast.http1_response cimport ResponseHead
from gateway.protocol.cgi cimport Reader


cdef class FastcgiReader(Reader):
    cdef long _head_received
    cdef public bint keep
    cdef public long long left
    cdef long long _promised
    cdef object _on_stderr
    cdef bytes _waiting
    cdef int _kind
    cdef long _length
    cdef long _padding
    cdef list _stderr
    cdef list _content
    cdef bytes _text

    cpdef ResponseHead receive_head(self, bytes data)
    cpdef bytes begin_body(self, bytes method, long status, long long content_length, bint chunked, bint close)
    cpdef bytes receive_body(self, bytes data)
    cpdef bint receive_end(self) except -1


@cython.locals(name=bytes, value=bytes, lengths=bytes, content=list, parts=list,
               name_size=long, value_size=long, added=long, size=long)
cpdef bytes begin(pairs, bint keep)
