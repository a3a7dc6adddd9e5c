# cython: language_level=3, boundscheck=False, wraparound=False
"""Access log lines: a format's parts evaluated, escaped and joined in one pass; see log_line.pyi.

Nearly all values are written as they are: eight bytes are looked at in one go, and copied if none of them is escaped.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from gateway._fast.value cimport Value, value_of

cdef enum:
    NONE = 0
    DEFAULT = 1
    JSON = 2

cdef enum:
    ROOM = 4096     # of a line, before memory is asked for
    LONGEST = 6     # what a byte can become

ESCAPES = {"none": NONE, "default": DEFAULT, "json": JSON}

cdef const char *_HEX = b"0123456789ABCDEF"

# how many bytes each byte becomes
cdef unsigned char _default_size[256]
cdef unsigned char _json_size[256]
cdef unsigned char _json_short[256]


cdef void _fill():
    cdef int c
    for c in range(256):
        _default_size[c] = 4 if c < 0x20 or c >= 0x7F or c == 0x22 or c == 0x5C else 1
        _json_size[c] = 6 if c < 0x20 else 1
        _json_short[c] = 0
    shorts = ((0x22, b'"'), (0x5C, b"\\"), (0x0A, b"n"), (0x0D, b"r"), (0x09, b"t"), (0x08, b"b"), (0x0C, b"f"))
    for c, letter in shorts:
        _json_size[c] = 2
        _json_short[c] = letter[0]

_fill()


cdef enum:
    EIGHT = 8

cdef uint64_t ONES = 0x0101010101010101
cdef uint64_t HIGHS = 0x8080808080808080


cdef inline uint64_t _has(uint64_t word, int byte) noexcept nogil:
    """Not 0 if one of the eight bytes is this one."""
    cdef uint64_t found = word ^ ONES * <uint64_t> byte
    return (found - ONES) & ~found & HIGHS


cdef inline uint64_t _escaped(const unsigned char *p, bint json) noexcept nogil:
    """Not 0 if one of the eight bytes from here on is not written as it is."""
    cdef uint64_t word
    cdef uint64_t found
    memcpy(&word, p, EIGHT)
    found = (word - ONES * 0x20) & ~word & HIGHS | _has(word, 0x22) | _has(word, 0x5C)
    if not json:
        found |= word & HIGHS | _has(word, 0x7F)
    return found


cdef inline bint _clean(const unsigned char *p, Py_ssize_t length, int escape) noexcept nogil:
    """Whether all of it is written as it is."""
    cdef const unsigned char *sizes = &_json_size[0] if escape == JSON else &_default_size[0]
    cdef Py_ssize_t i = 0
    cdef bint json = escape == JSON
    if escape == NONE:
        return True
    while i + EIGHT <= length:
        if _escaped(p + i, json):
            return False
        i += EIGHT
    if i == length:
        return True
    if i:
        # the last eight, some of them once more
        return _escaped(p + length - EIGHT, json) == 0
    while i < length:
        if sizes[p[i]] != 1:
            return False
        i += 1
    return True


cdef char *_put(char *out, const unsigned char *p, Py_ssize_t length, int escape) noexcept nogil:
    """Write a value where there is room for whatever comes of it; where it ends."""
    cdef Py_ssize_t i
    cdef unsigned char c
    if _clean(p, length, escape):
        memcpy(out, p, length)
        return out + length
    for i in range(length):
        c = p[i]
        if escape == DEFAULT:
            if _default_size[c] == 1:
                out[0] = c
                out += 1
            else:
                out[0] = b"\\"
                out[1] = b"x"
                out[2] = _HEX[c >> 4]
                out[3] = _HEX[c & 15]
                out += 4
        elif _json_size[c] == 1:
            out[0] = c
            out += 1
        elif _json_short[c]:
            out[0] = b"\\"
            out[1] = _json_short[c]
            out += 2
        else:
            out[0] = b"\\"
            out[1] = b"u"
            out[2] = out[3] = b"0"
            out[4] = _HEX[c >> 4]
            out[5] = _HEX[c & 15]
            out += 6
    return out


def escape(bytes value not None, int how):
    cdef const unsigned char *p = <const unsigned char *> PyBytes_AS_STRING(value)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(value)
    cdef char *place
    if _clean(p, length, how):
        return value
    place = <char *> PyMem_Malloc(length * LONGEST)
    if place == NULL:
        raise MemoryError
    try:
        return PyBytes_FromStringAndSize(place, _put(place, p, length, how) - place)
    finally:
        PyMem_Free(place)


cdef class LineFormat:
    def __init__(self, parts, int escape):
        cdef bytes text = b""
        self._escape = escape
        self._kept = []
        self._count = 0
        PyMem_Free(self._parts)
        self._parts = <Part *> PyMem_Malloc((len(parts) + 1) * sizeof(Part))
        if self._parts == NULL:
            raise MemoryError
        for part in parts:
            if type(part) is bytes:
                text += part
            else:
                self._add(text, value_of(part))
                text = b""
        self._add(text, None)

    def __dealloc__(self):
        PyMem_Free(self._parts)

    cdef int _add(self, bytes text, Value value) except -1:
        cdef Part *part = &self._parts[self._count]
        self._kept.append(text)
        self._kept.append(value)
        part.text = PyBytes_AS_STRING(text)
        part.size = PyBytes_GET_SIZE(text)
        part.value = NULL
        if value is not None:
            part.value = <PyObject *> value
        self._count += 1
        return 0

    def __call__(self, request):
        return self.make(request)

    cpdef bytes make(self, request):
        # Nothing is kept between two parts but what is on this stack: a getter may make a line of its own.
        cdef Part *part
        cdef Py_ssize_t i, size, need, used = 0, room = ROOM
        cdef bytes value = b""
        cdef bytes absent = b"-" if self._escape == DEFAULT else b""
        cdef char stack[ROOM]
        cdef char *line = stack
        cdef char *heap = NULL
        cdef char *grown
        try:
            for i in range(self._count):
                part = &self._parts[i]
                size = 0
                if part.value != NULL:
                    found = (<Value> part.value).value(request)
                    value = absent if found is None else <bytes?> found
                    size = PyBytes_GET_SIZE(value)
                need = part.size + size * LONGEST
                if used + need >= room:
                    room = (used + need + 1) * 2
                    grown = <char *> PyMem_Malloc(room)
                    if grown == NULL:
                        raise MemoryError
                    memcpy(grown, line, used)
                    PyMem_Free(heap)
                    line = heap = grown
                memcpy(line + used, part.text, part.size)
                used += part.size
                if size:
                    used = _put(
                        line + used, <const unsigned char *> PyBytes_AS_STRING(value), size, self._escape
                    ) - line
            line[used] = b"\n"
            return PyBytes_FromStringAndSize(line, used + 1)
        finally:
            PyMem_Free(heap)
