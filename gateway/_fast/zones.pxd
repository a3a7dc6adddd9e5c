from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t

cdef extern from "<pthread.h>":
    ctypedef struct pthread_mutex_t:
        pass

cdef struct Record
cdef struct Head


cdef class _Part:
    cdef Py_buffer _buffer
    cdef bint _held
    cdef char *start

    cdef int need(self, Py_ssize_t size) except -1


cdef class Words(_Part):
    cdef readonly Py_ssize_t count
    cdef int64_t *words
    cdef object _view

    cdef int64_t *at(self, Py_ssize_t index) except NULL
    cpdef int64_t add(self, Py_ssize_t index, int64_t value) except? -1


cdef class WorkerCounters:
    cdef Words _words
    cdef int64_t *_slot

    cpdef accepted(self)
    cpdef dropped(self)
    cpdef closed(self)
    cpdef head_begins(self)
    cpdef head_ends(self)
    cpdef request_begins(self)
    cpdef request_ends(self)


cdef class Lock(_Part):
    cdef pthread_mutex_t *mutex
    cdef public object check

    cpdef acquire(self)
    cpdef release(self)


cdef class Table(_Part):
    cdef readonly Py_ssize_t key_size
    cdef readonly Py_ssize_t record_words
    cdef readonly Py_ssize_t count
    cdef Py_ssize_t _step
    cdef Py_ssize_t _buckets
    cdef Head *_head
    cdef int32_t *_bucket
    cdef char *_records

    cdef Record *at(self, Py_ssize_t index) noexcept
    cdef char *key_at(self, Py_ssize_t index) noexcept
    cdef Record *used(self, Py_ssize_t index) except NULL
    cdef int64_t *word_at(self, Py_ssize_t index, Py_ssize_t word) except NULL
    cdef int32_t find(self, bytes key, uint16_t length, uint32_t hashed) noexcept
    cdef bytes fitted(self, bytes key, uint16_t *length)
    cdef void unlink(self, int32_t index) noexcept
    cdef void push_newest(self, int32_t index) noexcept
    cdef void link_newest(self, int32_t index) noexcept
    cpdef Py_ssize_t get(self, bytes key) except? -2
    cpdef Py_ssize_t insert(self, bytes key) except? -2
    cpdef touch(self, Py_ssize_t index)
    cpdef remove(self, Py_ssize_t index)
    cpdef Py_ssize_t oldest(self) except? -2
    cpdef int64_t word(self, Py_ssize_t index, Py_ssize_t word) except? -1
    cpdef set_word(self, Py_ssize_t index, Py_ssize_t word, int64_t value)
    cpdef int64_t add_word(self, Py_ssize_t index, Py_ssize_t word, int64_t value) except? -1
