from libc.stdint cimport uint8_t

cdef enum:
    SCAN_AGAIN = 0      # the data ends inside the line
    SCAN_OK = 1         # pos is after the line feed
    BAD_METHOD = 2
    BAD_REQUEST = 3
    BAD_VERSION = 4
    BAD_09_METHOD = 5

# Offsets into the bytes of the head; 0 where there is no such part. All zero is a line not begun.
cdef struct RequestLine:
    int phase           # 0: nothing but empty lines until now
    Py_ssize_t pos
    Py_ssize_t start
    Py_ssize_t method_end
    Py_ssize_t schema_start
    Py_ssize_t schema_end
    Py_ssize_t host_start
    Py_ssize_t host_end
    Py_ssize_t uri_start
    Py_ssize_t uri_end
    Py_ssize_t args_start
    Py_ssize_t ext_start
    Py_ssize_t proto_start
    Py_ssize_t end
    int major
    int minor
    bint connect
    bint complex_uri
    bint quoted_uri
    bint plus_in_uri
    bint empty_path

# A path by itself, with a space behind it at `end`; False if it is none.
cdef bint scan_path(RequestLine *line, const uint8_t *p, Py_ssize_t start, Py_ssize_t end) noexcept nogil
cdef int scan_request_line(RequestLine *line, const uint8_t *p, Py_ssize_t end) noexcept nogil
