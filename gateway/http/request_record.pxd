# The types of request_record.py's compiled form.
from gateway._fast.request_head cimport RequestHead
from gateway._fast.zone_counts cimport ZoneCounts
from gateway.http.response cimport Response


cdef class RequestRecord:
    cdef public RequestHead head
    cdef dict _values
    cdef dict _state
    cdef list _filters
    cdef public object feed
    cdef list _cleanups
    cdef public ZoneCounts counted
    cdef public Response response
    cdef public bytes method
    cdef public bytes uri
    cdef public bytes args
    cdef public bint valid_unparsed_uri
    cdef public bint valid_location
    cdef public long http_version
    cdef public bint header_only
    cdef public bytes host
    cdef public long step
    cdef public bint internal
    cdef public bint uri_changed
    cdef public long uri_changes
    cdef public bint in_error_page
    cdef public long err_status
    cdef public object captures
    cdef public object subrequests
    cdef public bint add_uri_to_alias
    cdef public bint head_sent
    cdef public bint reads
    cdef public Py_ssize_t cuts
    cdef public bint keepalive
    cdef public bint chunked
    cdef public bint complete
    cdef public long head_size
    cdef public double started
    cdef public bint finished
    cdef public bint lingering_close
    cdef public bint expect_tested
    cdef public bint upgraded
    cdef public bint pipelined
    cdef public long long sent_before
    cdef public object limit_rate
    cdef public object limit_rate_after
    cdef public object body
    cdef public bint discarding
    cdef public bint aborted
    cdef public bint timed_out
    cdef public object upstream
    cdef public long log_status
    cdef public object on_client_event
    cdef public bint request_body_in_file_only
    cdef public bytes action

    cpdef reset(self, RequestHead head)
    cpdef dict get_values(self)
    cpdef long long body_length(self) except? -2
    cpdef forget_filters(self)
