from libc.stdint cimport int64_t, uint64_t

from gateway._fast.request_head cimport Field, RequestHead
from gateway._fast.zones cimport Words, _Part


cdef class RingWriter(_Part):
    cdef readonly Py_ssize_t slots
    cdef readonly Py_ssize_t size
    cdef Words _head
    cdef int64_t *_last         # the newest record's number, in the head
    cdef Py_ssize_t _before
    cdef int64_t *_words        # of the slot that is written
    cdef int64_t _number
    cdef char *_begin
    cdef char *_to
    cdef char *_end
    cdef readonly bint cut
    cdef uint64_t _seed
    cdef uint64_t _other_seed
    cdef object _mask

    cpdef int64_t begin(self) except -1
    cpdef end(self)
    cpdef put(self, bytes data)
    cpdef figures(self, double at, double seconds, int64_t sent, int64_t length, long status, long port,
                  bint complete, bytes id)
    cdef void write(self, const char *text, Py_ssize_t length, Py_ssize_t most) noexcept
    cpdef text(self, bytes text, Py_ssize_t most)
    cpdef asked(self, bytes front, bytes method, bytes protocol, bytes scheme, bytes client, bytes host, bytes kind,
                RequestHead head)
    cdef void asked_much(
        self, bytes front, bytes method, const char *version, Py_ssize_t version_size, bytes scheme, bytes client,
        bytes host, bytes kind, const char *target, Py_ssize_t target_size,
    ) noexcept
    cpdef fields(self, RequestHead head)
    cdef void run(self, const char *lines, Py_ssize_t size) noexcept
    cdef int secret(self, RequestHead head, Field *field, const char *base) except -1
    cpdef tag(self, char letter)
    cpdef answered(self, bytes name, bytes value)
    cpdef plain(self, bytes name, bytes value)
    cdef int field(self, char letter, const char *both, Py_ssize_t n, Py_ssize_t size) except -1
    cdef int hidden(
        self, const char *name, Py_ssize_t n, const char *value, Py_ssize_t size, bint cookies
    ) except -1
    cdef int masked(self, char letter, bytes name, bytes value) except -1


cpdef bytes front_of(bytes place, bytes server)
cpdef bint perhaps_secret(bytes text) except -1
