# The types of settings.py's compiled form.
cdef class ExchangeSettings  # response.pxd has it too, and needs the name
from gateway.upstream.exchange.response cimport Hidden


cdef class ExchangeSettings:
    cdef public double connect_timeout
    cdef public double send_timeout
    cdef public double read_timeout
    cdef public long long buffer_size
    cdef public long long head_read
    cdef public bint buffering
    cdef public bint change_buffering
    cdef public bint request_buffering
    cdef public bint stores
    cdef public bint outlives_client
    cdef public long ignore_headers
    cdef public bint intercept_errors
    cdef public long next_upstream_tries
    cdef public bint pass_request_body
    cdef public bint pass_trailers
    cdef public bint force_ranges
    cdef public object local
    cdef public bint socket_keepalive
    cdef public bint has_socket_options
    cdef public object hidden
    cdef public Hidden hidden_fields
    cdef public bint passes_absence
    cdef public bint intercept_404
    cdef public object unbuffered_types
