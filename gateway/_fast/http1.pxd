from libc.stdint cimport uint8_t

from gateway._fast.request_head cimport HeadLimits, RequestHead

# for http2_head
cdef object refuse(RequestHead head, int status, str message, bint lingering=*)
cdef bytes known_method(const uint8_t *p, Py_ssize_t n)
cdef int choose(RequestHead head, object on_host) except -1
cdef int read_uri(RequestHead head) except -1
cdef int keep_field(RequestHead head, const uint8_t *p, object on_host) except -1
cdef int read_length(RequestHead head, const uint8_t *p) except -1
cdef str text(bytes data)

cpdef RequestHead parse_head(bytes data, Py_ssize_t offset=*, HeadLimits limits=*, object on_host=*)

cdef class RequestParser:
    cdef readonly HeadLimits limits
    cdef readonly object on_host
    cdef readonly RequestHead head
