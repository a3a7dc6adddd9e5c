from libc.stdint cimport uint8_t, uint32_t

from gateway._fast.request_head cimport RequestHead

cdef struct Item:
    const uint8_t *name
    const uint8_t *value
    Py_ssize_t name_len
    Py_ssize_t value_len
    uint32_t hash
    int state


cdef class PacketEncoder:
    cdef readonly tuple params
    cdef readonly int modifier1, modifier2
    cdef readonly bint pass_headers
    cdef readonly bytes tail
    cdef list names         # of an evaluated param: bytes with the length before it; None: a run of constant pairs
    cdef list values        # what evaluates the param; the run's bytes
    cdef list skips
    cdef list ignored       # the names that params hide, in upper case, without HTTP_
    cdef list ignored_hashes

    cpdef bytes encode(self, object request, object head)
    cdef void take_spans(self, Item *items, RequestHead head) noexcept
    cdef int take_pairs(self, Item *items, list pairs) except -1
    cdef Py_ssize_t measure(self, Item *items, Py_ssize_t count) except -1
    cdef bytes fill(self, list texts, Item *items, Py_ssize_t count, Py_ssize_t total)
