# The types of fastcgi.py's compiled form.
cimport cython

from gateway._fast.http1_response cimport ResponseHead
from gateway.protocol.cgi cimport Reader


# What a record that answers can be.
cdef int _END, _OUT, _ERR


cdef class FastcgiReader(Reader):
    cdef long _head_received
    cdef public bint keep
    cdef public long long limit
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

    @cython.locals(waiting=bytes, part=bytes, text=bytes, at=Py_ssize_t, size=Py_ssize_t, skipped=long, kind=int,
                   head=ResponseHead)
    cpdef ResponseHead receive_head(self, bytes data)
    cdef _pass_over(self, bint all_)
    cpdef bytes begin_body(self, bytes method, long status, long long content_length, bint chunked, bint close)
    cpdef bytes receive_body(self, bytes data)
    cpdef bint receive_end(self) except -1
    @cython.locals(kind=int)
    cdef int _begin(self, bytes data, Py_ssize_t at) except -1
    @cython.locals(text=bytes)
    cdef bint _tell_stderr(self) except -1
    @cython.locals(left=cython.longlong)
    cdef _take(self, bytes text, parts)
    @cython.locals(part=bytes, at=Py_ssize_t, size=Py_ssize_t, skipped=long)
    cdef _read(self, bytes data, parts)
    cdef _check_end(self, parts)


@cython.locals(name=bytes, value=bytes, lengths=bytes, content=list, parts=list,
               name_size=long, value_size=long, added=long, size=long)
cpdef bytes begin(pairs, bint keep)
