# The types of relaying.py's compiled form.
cimport cython

from gateway.modules.stream.relay cimport Relay, RelaySettings
from gateway.stream.session cimport Session


cdef class Relaying:
    cdef public object upstreams
    cdef public object upstream
    cdef public object template

    @cython.locals(relay=Relay)
    cpdef run(self, Session session, RelaySettings settings)
