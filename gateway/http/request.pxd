# The types of request.py's compiled form.
cimport cython

cdef class Request  # part.pxd has it too, and needs the name
from gateway._fast.request_head cimport RequestHead
from gateway.http.locations cimport Location
from gateway.http.output cimport Output
from gateway.http.part cimport Part
from gateway.http.plan cimport Plan
from gateway.http.response cimport Response
from gateway.http.servers cimport Server
from gateway.http.settings cimport EngineSettings

cdef long OK, DONE, RESTART, CLOSE, CLIENT_CLOSED


cdef class Request:
    cdef public Output output
    cdef public object connection
    cdef public RequestHead head
    cdef public Server server
    cdef public object cycle
    cdef dict _values
    cdef dict _state
    cdef list _filters
    cdef public object feed
    cdef list _cleanups
    cdef Request _main
    cdef public Response response
    cdef public Location location
    cdef public Plan plan
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
    cdef public Request parent
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

    cpdef Request get_main(self)
    cpdef dict get_values(self)
    cpdef start(self)
    cpdef drive(self, object result)
    cpdef run(self, object result)
    @cython.locals(i=Py_ssize_t, step=Part)
    cpdef _advance(self)
    @cython.locals(handler=Part)
    cpdef enter_server(self, bint first=*)
    cpdef find_location(self)
    cpdef enter(self, Location location)
    cpdef enter_location(self)
    cpdef long long body_length(self) except? -2
    @cython.locals(head_filter=Part)
    cpdef bint send_head(self)
    cpdef send(self, list pieces, bint last=*, bint flush=*)
    cpdef pass_on(self, object after, list pieces, bint last, bint flush)
    cpdef filter(self, list pieces, bint last, bint flush)
    cdef _filter(self, long long at, list pieces, bint last, bint flush)
    cpdef long long pending(self) except? -1
    cpdef long long under_way(self) except? -1
    cpdef wake(self)
    cpdef client_event(self)
    cpdef clean_up(self)
    cpdef long long bytes_sent(self) except? -1
    cpdef long discard_body(self) except -1
    cpdef respond(self, long status, bytes body, bytes content_type=*)
    cpdef finalize(self, long status)
    cpdef finish(self)
    cpdef bytes map_uri_to_path(self, bytes uri)
