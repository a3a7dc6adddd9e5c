from libc.stdint cimport int64_t, uint64_t

from gateway._fast.request_head cimport Field, RequestHead
from gateway._fast.zones cimport Words, _Part


cdef class RingWriter(_Part):
    cdef readonly Py_ssize_t slots
    cdef readonly Py_ssize_t size
    cdef Words _head
    cdef int64_t *_last         # the newest record's number, in the head
    cdef Py_ssize_t _before
    cdef Py_ssize_t _near
    cdef char *_room            # where a record is put together
    cdef int64_t _number
    cdef Py_ssize_t _slot
    cdef char *_begin
    cdef char *_to
    cdef char *_end
    cdef bint _cut
    cdef uint64_t _seed
    cdef uint64_t _other_seed
    cdef object _mask

    cdef int64_t opened(self) noexcept
    cpdef int64_t begin(self, double at, double seconds, int64_t sent, int64_t length, long status, long port,
                        long version, bint complete, bytes id, bytes front, bytes scheme, bytes client,
                        bytes kind) except -1
    cpdef end(self)
    cpdef put(self, bytes data)
    cdef void write(self, const char *text, Py_ssize_t length, Py_ssize_t most) noexcept
    cpdef text(self, bytes text, Py_ssize_t most)
    cpdef tag(self, char letter)
    cdef void more(self, const char *text, Py_ssize_t length) noexcept
    cpdef head(self, RequestHead head, bytes method)
    cdef Py_ssize_t line(self, RequestHead head, const char *base, bytes method) except -1
    cdef int secret(self, RequestHead head, Field *field, const char *base) except -1
    cdef void hidden(self, const char *value, Py_ssize_t size, bint cookies) noexcept
    cdef int masked(self, bytes name, bytes value) except -1
    cpdef answered(self, bytes name, bytes value)
    cpdef plain(self, bytes name, bytes value)


cpdef bytes front_of(bytes place, bytes server)
cpdef bint perhaps_secret(bytes text) except -1
