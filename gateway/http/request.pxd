# The types of request.py's compiled form.
cimport cython

cdef class Request  # part.pxd has it too, and needs the name
from gateway._fast.request_head cimport RequestHead
from gateway._fast.zone_counts cimport ZoneCounts
from gateway.http.locations cimport Location
from gateway.http.output cimport Output
from gateway.http.part cimport Part
from gateway.http.plan cimport Plan
from gateway.http.request_record cimport RequestRecord
from gateway.http.response cimport Response
from gateway.http.servers cimport Server
from gateway.http.settings cimport EngineSettings

cdef long OK, DONE, RESTART, CLOSE, CLIENT_CLOSED


cdef class Request(RequestRecord):
    cdef public Output output
    cdef public object connection
    cdef public Server server
    cdef public object cycle
    cdef Request _main
    cdef public Location location
    cdef public Plan plan
    cdef public Request parent

    cpdef begin(self, Output output, RequestHead head, Server server, object cycle)
    cpdef Request get_main(self)
    cpdef long long length_left(self) except? -2
    @cython.locals(counts=ZoneCounts)
    cpdef start(self)
    cpdef drive(self, object result)
    @cython.locals(status=long)
    cpdef run(self, object result)
    @cython.locals(i=Py_ssize_t, step=Part)
    cpdef _advance(self)
    @cython.locals(handler=Part)
    cpdef enter_server(self, bint first=*)
    cpdef find_location(self)
    cpdef enter(self, Location location)
    cpdef enter_location(self)
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
    @cython.locals(counted=ZoneCounts)
    cpdef clean_up(self)
    cpdef long long bytes_sent(self) except? -1
    cpdef long discard_body(self) except -1
    cpdef respond(self, long status, bytes body, bytes content_type=*)
    cpdef long finalize(self, long status) except? -99
    cpdef finish(self)
    cpdef bytes map_uri_to_path(self, bytes uri)


@cython.locals(request=Request)
cpdef Request new_request(Output output, RequestHead head, Server server, object cycle)
