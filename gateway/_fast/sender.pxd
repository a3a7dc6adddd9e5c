from libc.stdint cimport int64_t

from gateway._fast.file_slice cimport FileSlice
from gateway._fast.handled cimport Handled
from gateway._fast.rate cimport Rate

cdef enum:
    CHUNK = 2 * 1024 * 1024     # what writes more in one go lets the others run first (nginx's sendfile_max_chunk)


cdef class Sender(Handled):
    cdef list queue
    cdef Py_ssize_t head
    cdef int64_t head_offset
    cdef readonly int64_t pending
    cdef readonly int64_t sent
    cdef public int64_t chunk
    cdef Rate rate
    cdef public int error
    cdef readonly bint writable
    cdef bint out_armed
    cdef bint stopped           # at its chunk
    cdef bint nodelay_due       # TCP_NODELAY is to be set before a second send
    cdef bint corked            # what was sent last waits in the kernel for what follows
    cdef bint write_closed
    cdef public bint ending     # what is queued is the last: TLS says goodbye in the same packet

    cpdef write(self, data)
    cdef bint joined(self, data) except -1
    cpdef int64_t flush(self) except -1
    cpdef nodelay_later(self)
    cdef int hurry(self) except -1
    cpdef int64_t send(self, bytes data) except -1
    cdef int fail(self, int error) except -1
    cdef int drop_queue(self) except -1
    cdef int full(self) except -1
    cdef int64_t drain(self) except -1
    cdef int64_t send_some(self, int64_t limit) except -2
    cdef int64_t send_file(self, FileSlice slice, int64_t limit) except -2
    cdef int hindered(self) except -2
    cdef int consume(self, int64_t count) except -1
