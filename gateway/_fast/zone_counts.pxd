from libc.stdint cimport int64_t

from gateway._fast.zones cimport Words

cdef class ZoneCounts:
    cdef Words _words
    cdef int64_t *_first
    cdef Py_ssize_t _codes
    cdef Py_ssize_t _times
    cdef Py_ssize_t _sum

    cpdef begins(self)
    cpdef leaves(self)
    cdef void add(self, long status, int64_t received, int64_t sent, int64_t ms) noexcept
    cpdef ended(self, long status, int64_t received, int64_t sent, int64_t ms)
    cpdef took(self, Py_ssize_t bucket, Py_ssize_t sum_, int64_t ms)
