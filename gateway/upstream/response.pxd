# The types of response.py's compiled form.
from gateway.http.response cimport Response


cdef class UpstreamHead:
    cdef public bytes buffering
    cdef public bytes charset
    cdef public bint chunked
    cdef public bint connection_close
    cdef public long long content_length
    cdef public list fields
    cdef public object head
    cdef public long long limit_rate
    cdef public bytes redirect
    cdef public long status
    cdef public bytes status_line



cpdef set_content_type(Response response, bytes value)
cpdef long long digits(bytes value)
