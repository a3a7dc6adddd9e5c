from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef enum:
    STATIC_FIELDS = 61

cdef struct Span:
    uint32_t name       # offsets into Decoder.text
    uint32_t name_len
    uint32_t value
    uint32_t value_len
    uint32_t index      # of the name in the static table; 0: it is not from there

cdef struct Entry:
    char *text          # the name, then the value
    uint32_t name_len
    uint32_t value_len
    uint32_t index

cdef struct StaticField:
    const char *name
    uint32_t name_len
    const char *value
    uint32_t value_len

cdef StaticField static_fields[STATIC_FIELDS + 1]
cdef int static_index(const uint8_t *name, Py_ssize_t n) noexcept

cdef class Decoder:
    cdef readonly Py_ssize_t field_limit
    cdef readonly Py_ssize_t head_limit
    cdef uint8_t *text
    cdef Py_ssize_t text_size
    cdef Py_ssize_t text_room
    cdef Span *spans
    cdef readonly int count
    cdef int spans_room
    cdef Py_ssize_t left            # of head_limit, for the block that is read
    cdef Entry *entries             # the dynamic table, a ring
    cdef int ring
    cdef int newest
    cdef readonly int held
    cdef readonly Py_ssize_t table_size
    cdef readonly Py_ssize_t table_limit
    cdef Py_ssize_t table_most

    cpdef begin(self)
    cdef Py_ssize_t read(self, const uint8_t *p, Py_ssize_t n, bint last) except -1
    cdef int rest(self) noexcept
    cdef Py_ssize_t field(self, const uint8_t *p, Py_ssize_t n, bint last) except -1
    cdef Py_ssize_t literal(
        self, const uint8_t *p, Py_ssize_t n, Py_ssize_t at, int64_t index, bint keep, bint last
    ) except -1
    cdef int string(self, const uint8_t *p, Py_ssize_t n, Py_ssize_t *at, bint last) except -1
    cdef int take(self, const uint8_t *p, Py_ssize_t at, Py_ssize_t size, bint huffman) except -1
    cdef int copy(self, const char *from_, Py_ssize_t size) except -1
    cdef int room(self, Py_ssize_t more) except -1
    cdef int done(self, Span *span) except -1
    cdef Entry *entry(self, int64_t index) noexcept
    cdef int keep(self, Span *span) except -1
    cdef int resize(self, int64_t size) except -1
    cdef void evict(self, Py_ssize_t limit) noexcept
