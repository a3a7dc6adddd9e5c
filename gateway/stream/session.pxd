# The types of session.py's compiled form.
cimport cython

from gateway._fast.lane cimport Lane
from gateway.serving.listening cimport Listening
from gateway.serving.worker cimport Worker
from gateway.stream.plan cimport Plan
from gateway.stream.servers cimport AddressServer, Server


cdef long DONE, SUCCESS, INTERNAL_ERROR


cdef class Session:
    cdef public Worker worker
    cdef public Lane lane
    cdef public object stream
    cdef public bytes raw_peer
    cdef public Listening listening
    cdef public long number
    cdef public double started
    cdef public tuple _peer
    cdef public tuple local
    cdef public object proxy
    cdef public bytes buffer
    cdef public long long received
    cdef public long status
    cdef public dict values
    cdef public dict state
    cdef public long passes
    cdef public bint handed_over
    cdef public list cleanups
    cdef public object captures
    cdef public object upstream
    cdef public bytes action
    cdef public AddressServer address
    cdef public Server server
    cdef public object fibre
    cdef public bint over

    cpdef bint logs(self, str level) except -1
    cpdef _log_connected(self)
    cpdef begin(self)
    cpdef go_on(self, object result)
    cpdef finish(self, long status)
    cpdef run_phases(self)
    cpdef _run_phases(self, long phase, Py_ssize_t index, list handlers)
    @cython.locals(plan=Plan)
    cpdef _run_content(self)
    cpdef bint on_unix(self) except -1
    cpdef _end(self)
    cpdef _leave(self)
