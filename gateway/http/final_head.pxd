# The types of final_head.py's compiled form.
cimport cython

from gateway.http.request cimport Request
from gateway.http.response cimport Response

cdef Py_ssize_t _MOST_FIELDS


@cython.locals(status=long)
cpdef bint leave_body_out(Request request) except -1
cpdef bint is_usual(Response response) except -1


cdef class KeptHead:
    cdef bytes date
    cdef long status
    cdef bint keepalive
    cdef long long content_length
    cdef bytes content_type
    cdef bytes charset
    cdef bint gzip_vary
    cdef bytes etag
    cdef bytes last_modified
    cdef list fields
    cdef public bytes head

    cpdef bint is_of(self, Response response, bint keepalive, bytes date) except -1
