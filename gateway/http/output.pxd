# The types of output.py's compiled form.
from gateway._fast.watcher cimport Watcher
from gateway.http.request cimport Request
from gateway.http.settings cimport EngineSettings


cdef class Output(Watcher):
    cpdef get_connection(self)
    cpdef check_keepalive(self, Request request, EngineSettings core)
    cpdef send_head(self, Request request)
    cpdef send(self, Request request, list pieces, bint last, bint flush)
    cpdef finish(self, Request request)
    cpdef terminate(self, Request request)
    cpdef long discard_body(self, Request request) except -1
    cpdef receive_body(self, Request request)
    cpdef long long sent(self) except -1
    cpdef long long pending(self) except -1
    cpdef long client_state(self) except -1
    cpdef bint gone(self) except -1
    cpdef send_continue(self)
    cpdef body_begins(self, bint whole)
    cpdef long long body_preread(self, Request request) except? -2
    cpdef bint body_done(self) except -1
    cpdef long long body_received(self) except -1
