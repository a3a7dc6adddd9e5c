# The types of asking.py's compiled form.
from gateway.http.request cimport Request
from gateway.upstream.attempt cimport Attempt
from gateway.upstream.keepalive cimport Connection
from gateway.upstream.response cimport UpstreamHead


cdef class Asking:
    cdef public Attempt attempt
    cdef public list attempts
    cdef public double began
    cdef public list body
    cdef public bint body_sent
    cdef public object choice
    cdef public object codec
    cdef public object conf
    cdef public Connection connection
    cdef public object frame
    cdef public UpstreamHead head
    cdef public object lane
    cdef public bytes packet
    cdef public bint pass_body
    cdef public object peer
    cdef public object reader
    cdef public Request request
    cdef public bint sent
    cdef public bint streaming
    cdef public bytes target
    cdef public list trailers
    cdef public object upstream
    cdef public object wake

    cpdef log(self, str level, bytes message, object stage=*)
    cpdef check_client(self)
    cpdef Connection _reuse(self, object peer)
    cpdef _parse(self, object reader, bytes data)
