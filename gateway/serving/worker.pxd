# The types of worker.py's compiled form.
from gateway._fast.lane cimport Lane
from gateway._fast.zones cimport WorkerCounters


cdef class Worker:
    cdef public list cycles
    cdef public Lane lane
    cdef public object main_log
    cdef public long number
    cdef public set connections
    cdef public bint exiting
    cdef public WorkerCounters counters
    cdef long _sequence
    cdef list _listeners
    cdef dict _failed_at
    cdef bytes _reserve
    cdef double _memory_failed_at
    cdef list _spares
    cdef long _told
    cdef double _in_vain
    cdef public object nursery

    cpdef bint admit(self) except -1
    cpdef long next_connection(self) except -1
    cpdef head_begins(self)
    cpdef head_ends(self)
    cpdef request_begins(self)
    cpdef request_ends(self)
    cpdef connection_closed(self, object connection)
