from libc.stdint cimport int64_t

from gateway._fast.poller cimport Source
from gateway._fast.timers cimport Due


cdef class Rate(Due):
    cdef Source source
    cdef int64_t rate           # bytes a second
    cdef int64_t base           # the count of sent bytes from which on the limit holds
    cdef double start           # when its first second began
    cdef double until           # nothing goes out before

    cdef int64_t allow(self, int64_t sent, int64_t limit, double now) noexcept
    cdef void charge(self, int64_t before, int64_t sent, double now) noexcept
