# The types of attempt.py's compiled form.
cimport cython


cdef class Attempt:
    cdef public bytes name
    cdef public double began
    cdef public double connected
    cdef public double head_read
    cdef public double ended
    cdef public long status
    cdef public long long sent
    cdef public long long received
    cdef public long long body_received
    cdef public object stage
    cdef public object error
    cdef public bint cached

    cpdef begin(self, bytes name, double began)


@cython.locals(attempt=Attempt)
cpdef Attempt new_attempt(bytes name, double began)
