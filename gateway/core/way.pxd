# The types of way.py's compiled form.
cimport cython

from gateway._fast.stream cimport Stream


cdef long long _LITTLE


cdef class Way:
    cdef public Stream source
    cdef public Stream target
    cdef public long long room
    cdef public long long rate
    cdef public long began
    cdef public long long moved
    cdef public double delayed_until
    cdef public bint ended
    cdef public bint half_closed
    cdef bint much

    @cython.locals(source=Stream, target=Stream, size=cython.longlong, allowed=double, data=bytes)
    cpdef move(self, double now)
    cpdef bint drained(self)
