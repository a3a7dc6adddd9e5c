from libc.stdint cimport int64_t


cdef class PeerState:
    cdef int64_t *words
    cdef int64_t *mine      # this process's part of conns and inflight
    cdef int64_t *own       # both, where they lie in no zone
    cdef int64_t *_codes
    cdef Py_buffer _buffer
    cdef Py_buffer _part
    cdef Py_buffer _codes_buffer
    cdef bint _held
    cdef bint _in_row
    # where it is, for compiled callers
    cdef public object address
    cdef public bytes name
    cdef public bytes sockaddr
    cdef public bint is_unix

    cdef bint may(self, int64_t now, int64_t ignored) noexcept
    cdef bint held_back(self) noexcept
    cdef void raise_weight(self) noexcept
    cdef void leave(self) noexcept
    cdef void come_back(self) noexcept
    cpdef bint usable_alone(self) noexcept
    cpdef take(self, int64_t now, bint check)
    cpdef int give(self, bint failed, bint single, int64_t now) noexcept
    cpdef account(self, int64_t status, int64_t sent, int64_t received)


cpdef Py_ssize_t smooth(list peers, object tried, int64_t now, Py_ssize_t wanted=*, int64_t total_weight=*) except -2
