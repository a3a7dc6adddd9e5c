from libc.stdint cimport int64_t, uint8_t, uint32_t

from gateway._fast.head_writer cimport HeadWriter
from gateway._fast.request_head cimport RequestHead

cdef class FieldWriter(HeadWriter):
    cdef frozenset hidden           # what these are of
    cdef list names
    cdef uint32_t *hashes           # of each name
    cdef Py_ssize_t hidden_count

    cpdef indexed(self, int index)
    cpdef known(self, int index, bytes value)
    cpdef field(self, bytes name, bytes value)
    cpdef fields_of(self, RequestHead head, frozenset hidden)
    cpdef known_number(self, int index, long long number)
    cdef bint hides(self, const uint8_t *name, Py_ssize_t n, uint32_t hash) except -1
    cdef int hide(self, frozenset hidden) except -1
    cdef int plain(self, const uint8_t *p, Py_ssize_t n, const uint8_t *value, Py_ssize_t size) except -1
    cdef int integer(self, int pattern, int prefix, int64_t value) except -1
    cdef int string(self, const uint8_t *text, Py_ssize_t size) except -1

cdef class FrameWriter(HeadWriter):
    cpdef frame(self, int64_t length, int kind, int flags, int64_t stream)
    cpdef put_part(self, bytes data, Py_ssize_t start, Py_ssize_t size)
    cpdef headers(self, long stream, bytes block, int flags, int64_t frame_size)
    cpdef settings_ack(self)
    cpdef ping_ack(self, bytes data)
    cpdef window_update(self, long stream, int64_t increment)
    cpdef rst_stream(self, long stream, int64_t code)
    cpdef goaway(self, long last_stream, int64_t code)
    cpdef long long waiting(self)
    cpdef bytes take(self)
    cdef int number(self, int64_t value) except -1
