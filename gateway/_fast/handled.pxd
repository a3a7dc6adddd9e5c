from libc.stdint cimport int64_t, uint64_t

from gateway._fast.poller cimport Source


cdef class Handled(Source):
    cdef public object handler
    cdef public object on_deadline
    cdef public object on_crash     # (error): whose stream it is, told when a handler raised
    cdef double _deadline
    cdef readonly bint readable
    cdef readonly bint spent    # it has taken what is its share of this turn: `readable` again in the next one
    cdef bint posted            # in Poller.again, for one of these
    cdef uint64_t turn          # the one that `taken` is of
    cdef int64_t taken          # bytes read in it, and what else was counted

    cpdef set_deadline(self, double value)
    cpdef bint spend(self, int64_t cost) except -1
    cpdef renew(self)
    cdef int took(self, int64_t cost) except -1
    cdef int hold(self) except -1
    cdef int post(self) except -1
    cpdef close(self, bint reset=*)
    cpdef nodelay(self)
    cdef int broke(self, BaseException error) except -1
