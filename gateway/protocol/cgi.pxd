# The types of cgi.py's compiled form.


cdef class PlainReader:
    cdef public bytes buffer
    cdef public bint done
    cdef public bint excess
    cdef public str form
    cdef public bint keepalive
    cdef public long long left
    cdef public long size

    cpdef receive_head(self, bytes data)
    cpdef bytes receive_body(self, bytes data)
    cpdef bint receive_end(self)
