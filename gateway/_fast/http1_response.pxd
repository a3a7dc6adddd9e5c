from libc.stdint cimport uint8_t, uint32_t


cdef class ResponseHead:
    cdef readonly int status
    cdef readonly int version           # 10, 11; 0 when there was no status line (CGI)
    cdef readonly bytes status_line     # "404 Not Found", "404" where no text was sent
    cdef readonly Py_ssize_t size
    cdef readonly list fields           # (name as sent, value) of each field, in order
    cdef readonly list kinds            # the kind of each field, see KINDS


cdef int kind_of(const uint8_t *name, Py_ssize_t length, uint32_t hash) noexcept
cpdef ResponseHead parse_response_head(bytes data, Py_ssize_t offset=*, str form=*)
