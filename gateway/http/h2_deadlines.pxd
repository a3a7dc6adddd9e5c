# The types of h2_deadlines.py's compiled form.
cimport cython

from gateway.http.h2_stream cimport Http2Stream


cdef class Deadlines:
    cdef public double idle
    cdef public double block
    cdef public double stalled
    cdef public set timed

    cpdef time_stream(self, Http2Stream stream, double deadline)
    @cython.locals(stream=Http2Stream)
    cpdef list take_late(self, double now)
    @cython.locals(first=double, stream=Http2Stream)
    cpdef double first(self) except? -1
