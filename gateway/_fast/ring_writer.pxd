from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from gateway._fast.request_head cimport Field, RequestHead
from gateway._fast.zones cimport Words, _Part

cdef packed struct Figures:
    double at
    int64_t sent
    int64_t length      # the answer's, as declared; -1: not
    uint64_t id         # what id_of() makes it of
    float seconds
    uint16_t status
    uint16_t port
    uint8_t version     # 9, 10, 11, 20, 30
    uint8_t flags

cdef enum:
    COMPLETE = 1
    SECURE = 2
    NAMED = 4           # the id is a text of its own, behind these
    CUT = 8             # there was no room for all


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
    cdef Figures *_figures
    cdef uint32_t _front        # where the record's beginning stands among the ring's texts; 0: it is in the record
    cdef Py_ssize_t _fetched    # bytes of the last slot that was written
    cdef bint _cut
    cdef uint64_t _seed
    cdef object _mask

    cdef int64_t opened(self) noexcept
    cpdef int64_t begin(self, double at, double seconds, int64_t sent, int64_t length, long status, long port,
                        long version, bint complete, bytes id, bytes front, bytes scheme, bytes client,
                        bytes kind, uint32_t kept=*) except -1
    cdef Figures *begun(self, uint32_t kept, PyObject *front, PyObject *id, PyObject *client, PyObject *kind) noexcept
    cdef void keep_head(self, RequestHead head, PyObject *method) noexcept
    cpdef end(self)
    cpdef put(self, bytes data)
    cdef void write(self, const char *text, Py_ssize_t length, Py_ssize_t most) noexcept
    cpdef text(self, bytes text, Py_ssize_t most)
    cpdef tag(self, char letter)
    cdef void more(self, const char *text, Py_ssize_t length) noexcept
    cpdef head(self, RequestHead head, bytes method)
    cdef Py_ssize_t line(self, RequestHead head, const char *base, PyObject *method) noexcept
    cdef void secret(self, RequestHead head, Field *field, const char *base) noexcept
    cdef void hidden(self, const char *value, Py_ssize_t size, bint cookies) noexcept
    cdef void masked(self, bytes name, bytes value) noexcept
    cpdef answered(self, bytes name, bytes value)
    cpdef plain(self, bytes name, bytes value)


cpdef bytes front_of(bytes place, bytes server)
cpdef bint perhaps_secret(bytes text) except -1
