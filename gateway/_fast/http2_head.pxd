from libc.stdint cimport uint8_t

from gateway._fast.hpack cimport Decoder, Span
from gateway._fast.request_head cimport RequestHead

cdef class Http2Head:
    cdef readonly RequestHead head
    cdef object on_host
    cdef const uint8_t *text        # the decoder's
    cdef Span *method
    cdef Span *path
    cdef Span *scheme
    cdef Span *authority

    cpdef read(self, Decoder decoder)
    cpdef RequestHead finish(self, bint ended)
    cdef int pseudo(self, const uint8_t *text, Span *span) except -1
    cdef int once(self, str name, Span *before, Py_ssize_t size) except -1
    cdef int write_down(self, const uint8_t *text, Span *spans, int first, int n) except -1
    cdef int take_fields(self, const uint8_t *text, Span *spans, int first, int n, int named) except -1
    cdef int place(self, const uint8_t *p, Py_ssize_t at, Py_ssize_t name, Py_ssize_t value) noexcept
