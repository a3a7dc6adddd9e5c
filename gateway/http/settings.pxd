# The types of settings.py's compiled form.
from gateway._fast.request_head cimport RequestHead

cdef long _MSIE6, _SAFARI


cdef class EngineSettings:
    cdef public dict types
    cdef public bytes default_type
    cdef public bint plain_files
    cdef public bytes alias_path
    cdef public object limit_except
    cdef public object alias
    cdef public long alias_length
    cdef public object root
    cdef public bytes root_path
    cdef public object error_pages
    cdef public bint recursive_error_pages
    cdef public bint satisfy_any
    cdef public object error_log
    cdef public bint internal
    cdef public long long client_max_body_size
    cdef public long long client_body_buffer_size
    cdef public double client_body_timeout
    cdef public object client_body_temp_path
    cdef public long client_body_in_file_only
    cdef public double send_timeout
    cdef public object limit_rate
    cdef public object limit_rate_after
    cdef public double keepalive_timeout
    cdef public long keepalive_header
    cdef public double keepalive_min_timeout
    cdef public double keepalive_time
    cdef public long keepalive_requests
    cdef public long keepalive_disable
    cdef public long lingering_close
    cdef public double lingering_time
    cdef public double lingering_timeout
    cdef public bint reset_timedout_connection
    cdef public bint chunked_transfer_encoding
    cdef public bint absolute_redirect
    cdef public object early_hints
    cdef public bint server_name_in_redirect
    cdef public bint port_in_redirect
    cdef public bint msie_padding
    cdef public bint msie_refresh
    cdef public double auth_delay
    cdef public bytes post_action
    cdef public bint etag
    cdef public str if_modified_since
    cdef public long long max_ranges
    cdef public bint log_not_found
    cdef public bint log_subrequest
    cdef public long long subrequest_output_buffer_size
    cdef public long long sendfile_max_chunk
    cdef public bint tcp_nodelay
    cdef public object resolver
    cdef public double resolver_timeout
    cdef public bytes server_header
    cdef public bytes signature
    cdef public object kept_head
    cdef public object kept_block

    cpdef bint keepalive_disabled_for(self, bytes method, RequestHead head) except -1
