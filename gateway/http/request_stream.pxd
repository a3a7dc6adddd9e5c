# The types of request_stream.py's compiled form.
cimport cython

from gateway._fast.request_head cimport RequestHead
from gateway.core.piece_queue cimport PieceQueue, new_queue
from gateway.http.client cimport Client
from gateway.http.h2_pace cimport Pace
from gateway.http.request cimport Request, new_request
from gateway.http.servers cimport Server

cdef long CLIENT_THERE, CONNECTION_FAILED


cdef class RequestStream(Client):
    cdef public long id
    cdef public Request request
    cdef public bint lost
    cdef public PieceQueue queue
    cdef public bint ending
    cdef public bint out_closed
    cdef public bint finishing
    cdef public long long sent_bytes
    cdef public Pace pace
    cdef public bint in_closed
    cdef public bint skip_data
    cdef public list input
    cdef public long long received

    cpdef open(self, Client connection, long number)
    cpdef lose(self)
    cpdef _end(self, Request request)
    @cython.locals(request=Request)
    cpdef Request _make_request(self, RequestHead head, Server server)
    cpdef _refuse(self, RequestHead head, Server server, long version, object error)
    cpdef Request _make_late(self, long version)
    cpdef tell(self)
    cpdef _set_pace(self, Request request)
    @cython.locals(request=Request)
    cpdef bint _has_trailers(self) except -1
    cpdef body_taken(self, long long size)
    cpdef check_length(self, Request request)
