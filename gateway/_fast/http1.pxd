from gateway._fast.request_head cimport HeadLimits, RequestHead

cpdef RequestHead parse_head(bytes data, Py_ssize_t offset=*, HeadLimits limits=*, object on_host=*)

cdef class RequestParser:
    cdef readonly HeadLimits limits
    cdef readonly object on_host
    cdef readonly RequestHead head
