# The types of fastcgi.py's compiled form.
import cython


cdef class FastcgiReader:
    cdef public bint done
    cdef public bint excess
    cdef public long head_received
    cdef public bint keep
    cdef public bint keepalive
    cdef public long long left
    cdef object _on_stderr
    cdef bytes _waiting
    cdef int _kind
    cdef long _length
    cdef long _padding
    cdef list _stderr
    cdef list _content
    cdef bytes _text

    cpdef receive_head(self, bytes data)
    cpdef bytes receive_body(self, bytes data)
    cpdef bint receive_end(self)


@cython.locals(name=bytes, value=bytes, lengths=bytes, content=list, parts=list,
               name_size=long, value_size=long, added=long, size=long)
cpdef bytes begin(pairs, bint keep)
