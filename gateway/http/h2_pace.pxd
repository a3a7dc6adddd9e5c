# The types of h2_pace.py's compiled form.
cimport cython


cdef class Pace:
    cdef public long long rate
    cdef public long long free
    cdef public double started
    cdef public double until

    @cython.locals(allowed="long long")
    cpdef long long allowed(self, long long sent, double now) except? -1
    @cython.locals(count="long long")
    cpdef charge(self, long long before, long long sent, double now)
