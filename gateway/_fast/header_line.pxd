from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    LINE_AGAIN = 0      # the data ends inside the line
    LINE_OK = 1         # name..name_end, value..value_end are set; pos is after the line feed
    LINE_END = 2        # the empty line
    LINE_BAD = 3        # name..value_end is what nginx quotes, value_end the offending byte

cdef struct HeaderLine:
    int phase
    Py_ssize_t pos
    Py_ssize_t name
    Py_ssize_t name_end
    Py_ssize_t value
    Py_ssize_t value_end
    uint32_t hash       # of the name, lower-cased, with - as _
    bint invalid        # a byte that is no letter, digit, - (or _ where allowed) is in the name

cdef int scan_header_line(
    HeaderLine *line, const uint8_t *p, Py_ssize_t end, bint underscores, bint upstream
) noexcept nogil
cdef uint32_t fold_hash(const uint8_t *p, Py_ssize_t n) noexcept nogil
cdef bint same_name(const uint8_t *sent, const uint8_t *lower, Py_ssize_t n) noexcept nogil
cdef bint same_variable(const uint8_t *sent, const uint8_t *folded, Py_ssize_t n) noexcept nogil
cdef bytes quoted(const uint8_t *p, HeaderLine *line)
