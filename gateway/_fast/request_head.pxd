from libc.stdint cimport int16_t, int64_t, uint8_t, uint32_t

from gateway._fast.header_line cimport HeaderLine
from gateway._fast.request_line cimport RequestLine

cdef enum:
    INLINE_FIELDS = 20
    KNOWN_SLOTS = 40

cdef struct Field:
    uint32_t name       # offsets are from RequestHead.base()
    uint32_t name_len
    uint32_t value
    uint32_t value_len
    uint32_t hash       # header_line.fold_hash of the name
    uint32_t known      # a K_ number, 0 for a name without special meaning

cdef class HeadLimits:
    cdef readonly Py_ssize_t header_buffer_size
    cdef readonly Py_ssize_t large_buffers
    cdef readonly Py_ssize_t large_buffer_size
    cdef readonly Py_ssize_t max_headers
    cdef readonly bint ignore_invalid_headers
    cdef readonly bint underscores_in_headers
    cdef readonly bint merge_slashes
    cdef readonly bint allow_connect

cdef class RequestHead:
    cdef readonly bytes data        # what the offsets point into
    cdef readonly bint complete
    cdef readonly bint line_complete
    cdef readonly bint connection_close
    cdef readonly bint chunked
    cdef readonly int64_t content_length
    cdef readonly long version      # 9, 10, 11: the protocol's version times ten
    cdef readonly bint keep_alive   # whether the client would go on: its Connection field, or its version
    cdef readonly bint conditional  # there is an If-… field of RFC 9110, 13
    cdef readonly bint has_range
    cdef readonly bint has_expect
    cdef readonly int port
    cdef readonly bytes method
    cdef readonly bytes hostname    # lower-case, without port and last dot; b"" if the client named none
    cdef readonly HeadLimits limits
    cdef public object server       # for the caller: what on_host chose
    cdef readonly list notes        # lines for the error log (info): fields that were left out

    cdef Py_ssize_t origin          # of the head in data
    cdef readonly Py_ssize_t pos    # how far it was read: the size of a complete head
    cdef RequestLine line
    cdef HeaderLine field_line
    cdef Py_ssize_t buffer_end      # where nginx's buffer would be full
    cdef Py_ssize_t buffers_used
    cdef bytes _uri, _args, _exten, _line
    cdef Field inline_fields[INLINE_FIELDS]
    cdef Field *spans
    cdef readonly int count
    cdef int room
    cdef int16_t first[KNOWN_SLOTS]     # index + 1 of the first field of that name

    cdef const uint8_t *base(self) noexcept
    cdef bytes span(self, Py_ssize_t start, Py_ssize_t end)
    cdef bytes known(self, int which)
    cdef Py_ssize_t path_end(self) noexcept
    cpdef bytes get_request_line(self)
    cpdef bytes get_target(self)
    cpdef bytes get_protocol(self)
    cpdef bytes get_te(self)
    cpdef bytes get_upgrade(self)
    cpdef bytes get_authorization(self)
    cpdef bytes get_uri(self)
    cpdef bytes get_args(self)
    cpdef bint has_path(self) noexcept
    cpdef Py_ssize_t room_left(self) noexcept
    cpdef Py_ssize_t get_length(self) noexcept
    cpdef bytes get(self, bytes name)
    cpdef bytes variable(self, bytes name)
