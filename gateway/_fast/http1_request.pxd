from libc.stdint cimport uint8_t, uint32_t

from gateway._fast.request_head cimport Field, RequestHead


cdef class RequestEncoder:
    cdef readonly int minor
    cdef readonly bint pass_headers
    cdef list names         # of an evaluated field: its name with ": " behind it; None: a run of constant fields
    cdef list values        # what evaluates the field; the run's bytes
    cdef list hidden
    cdef uint32_t *hashes   # of what is hidden

    cdef bint passes(self, const uint8_t *base, Field *field) except -1
    cpdef bytes encode(self, object request, RequestHead head, bytes method, bytes target, long long length,
                       bytes body)
