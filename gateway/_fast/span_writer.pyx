# cython: language_level=3, boundscheck=False, wraparound=False
"""Spans of OpenTelemetry in protobuf's encoding, written in one pass; see span_writer.pyi and protocol/otlp.py.

By objects of Python's for each field of each of a dozen attributes a span cost five times what its request did.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

cdef enum:
    FIRST_ROOM = 1024
    MOST_AROUND = 64    # tags and lengths around a text


cdef inline Py_ssize_t _varint_size(uint64_t number) noexcept nogil:
    cdef Py_ssize_t size = 1
    while number > 127:
        number >>= 7
        size += 1
    return size


cdef inline char *_put_varint(char *to, uint64_t number) noexcept nogil:
    while number > 127:
        to[0] = <char> (number & 127 | 128)
        number >>= 7
        to += 1
    to[0] = <char> number
    return to + 1


cdef inline char *_put_field(char *to, char tag, const char *text, Py_ssize_t size) noexcept nogil:
    to[0] = tag
    to = _put_varint(to + 1, size)
    memcpy(to, text, size)
    return to + size


cdef bytes _utf8(bytes text):
    """A string has to be UTF-8: collectors refuse a whole batch for one that is not."""
    cdef const char *p = PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
    cdef Py_ssize_t i = 0
    cdef uint64_t word
    while i + 8 <= size:
        memcpy(&word, p + i, 8)
        if word & 0x8080808080808080ULL:
            return text.decode("utf-8", "replace").encode()
        i += 8
    while i < size:
        if p[i] & 0x80:
            return text.decode("utf-8", "replace").encode()
        i += 1
    return text


def key_of(bytes name not None):
    cdef bytes text = _utf8(name)
    cdef char length[10]
    cdef char *end = _put_varint(length, PyBytes_GET_SIZE(text))
    return b"\x0a" + length[:end - length] + text


@cython.final
cdef class SpanWriter:
    cdef char *_start
    cdef char *_to
    cdef char *_end

    def __dealloc__(self):
        free(self._start)

    cdef int need(self, Py_ssize_t size) except -1:
        cdef Py_ssize_t used = self._to - self._start
        cdef Py_ssize_t room
        cdef char *grown
        if self._end - self._to >= size:
            return 0
        room = 2 * (used + size) if used + size > FIRST_ROOM else FIRST_ROOM
        grown = <char *> realloc(self._start, room)
        if grown == NULL:
            raise MemoryError
        self._start = grown
        self._to = grown + used
        self._end = grown + room
        return 0

    def begin(self, bytes trace not None, bytes span not None, bytes parent not None, bytes state not None,
              bytes name not None, int64_t start_ns, int64_t end_ns):
        cdef uint64_t above
        if PyBytes_GET_SIZE(trace) != 16 or PyBytes_GET_SIZE(span) != 8 or PyBytes_GET_SIZE(parent) != 8:
            raise ValueError("ids have 16 and 8 bytes")
        name = _utf8(name)
        state = _utf8(state)
        self._to = self._start
        self.need(128 + PyBytes_GET_SIZE(name) + PyBytes_GET_SIZE(state))
        self._to = _put_field(self._to, 0x0a, PyBytes_AS_STRING(trace), 16)
        self._to = _put_field(self._to, 0x12, PyBytes_AS_STRING(span), 8)
        if PyBytes_GET_SIZE(state):
            self._to = _put_field(self._to, 0x1a, PyBytes_AS_STRING(state), PyBytes_GET_SIZE(state))
        memcpy(&above, PyBytes_AS_STRING(parent), 8)
        if above:
            self._to = _put_field(self._to, 0x22, PyBytes_AS_STRING(parent), 8)
        self._to = _put_field(self._to, 0x2a, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
        # kind: SPAN_KIND_SERVER; the times are fixed64
        self._to[0], self._to[1] = 0x30, 2
        self._to[2] = 0x39
        self.fixed(self._to + 3, start_ns)
        self._to[11] = 0x41
        self.fixed(self._to + 12, end_ns)
        self._to += 20

    cdef void fixed(self, char *to, uint64_t number) noexcept:
        cdef int i
        for i in range(8):
            to[i] = <char> (number >> (8 * i) & 255)

    def text(self, bytes key not None, bytes value not None, bint listed=False):
        cdef Py_ssize_t size, one, array, said
        cdef char *to
        value = _utf8(value)
        size = PyBytes_GET_SIZE(value)
        one = said = 1 + _varint_size(size) + size
        array = 1 + _varint_size(one) + one
        if listed:
            said = 1 + _varint_size(array) + array
        self.need(PyBytes_GET_SIZE(key) + size + MOST_AROUND)
        to = self.attribute(key, said)
        if listed:
            to[0] = 0x2a
            to = _put_varint(to + 1, array)
            to[0] = 0x0a
            to = _put_varint(to + 1, one)
        self._to = _put_field(to, 0x0a, PyBytes_AS_STRING(value), size)

    def number(self, bytes key not None, int64_t value):
        cdef char *to
        self.need(PyBytes_GET_SIZE(key) + MOST_AROUND)
        to = self.attribute(key, 1 + _varint_size(value))
        to[0] = 0x18
        self._to = _put_varint(to + 1, value)

    cdef char *attribute(self, bytes key, Py_ssize_t said) noexcept:
        """Field 9, a KeyValue: its key, and what stands before a value of this size."""
        cdef Py_ssize_t n = PyBytes_GET_SIZE(key)
        cdef char *to = self._to
        to[0] = 0x4a
        to = _put_varint(to + 1, n + 1 + _varint_size(said) + said)
        memcpy(to, PyBytes_AS_STRING(key), n)
        to += n
        to[0] = 0x12
        return _put_varint(to + 1, said)

    def end(self, bint failed):
        cdef bytes made
        if self._to == self._start:
            raise RuntimeError("no span was begun")
        if failed:
            # status, with STATUS_CODE_ERROR
            self.need(4)
            memcpy(self._to, b"\x7a\x02\x18\x02", 4)
            self._to += 4
        made = PyBytes_FromStringAndSize(self._start, self._to - self._start)
        self._to = self._start
        return made
