# The types of connection.py's compiled form.
from gateway._fast.http1 cimport RequestHead
from gateway._fast.lane cimport Lane
from gateway._fast.stream cimport Stream
from gateway.http.request cimport Request
from gateway.http.settings cimport EngineSettings


cdef class Connection:
    cdef public bytes buffer
    cdef public object decoder
    cdef public bint in_loop
    cdef public Lane lane
    cdef public double linger_until
    cdef public bint limited
    cdef public bint nodelay
    cdef public object listening
    cdef public object local
    cdef public long number
    cdef public object peer
    cdef public bint pipelined
    cdef public object proxy
    cdef public bint reading
    cdef public Request request
    cdef public long requests
    cdef public bytes scheme
    cdef public object server
    cdef public double started
    cdef public long state
    cdef public Stream stream
    cdef public object worker

    cpdef on_event(self)
    cpdef read_head(self)
    cpdef bint _serve_next(self)
    cpdef Request _make_request(self, object head, object server)
    cpdef _begin(self, RequestHead head, object servers)
    cpdef check_keepalive(self, Request request, EngineSettings core)
    cpdef send_head(self, Request request)
    cpdef _limit_rate(self, Request request)
    cpdef send(self, Request request, list pieces, bint last, bint flush)
    cpdef finish(self, Request request)
    cpdef _complete(self, Request request)
    cpdef _end_request(self, Request request, bint keep)
    cpdef _log(self, Request request)
