# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Bytes of a charset to UTF-8 and back, by the tables of charset_map; see recode.pyi."""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from libc.stdint cimport int32_t, uint8_t
from libc.string cimport memcpy, memset

cdef extern from "Python.h":
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *text, Py_ssize_t size) except NULL
    int resize_bytes "_PyBytes_Resize"(PyObject **place, Py_ssize_t size) except -1

cdef enum:
    UTF8_MOST = 4
    INCOMPLETE = -1
    INVALID = -2
    LAST_POINT = 0x10ffff


cdef int32_t point_at(const uint8_t *p, Py_ssize_t size, Py_ssize_t *used) noexcept:
    """The code point that begins here; what is invalid is skipped as nginx skips it."""
    cdef uint8_t first = p[0]
    cdef int more, i
    cdef int32_t point, least
    used[0] = 1
    if first < 0x80:
        return first
    if first >= 0xf8 or first < 0xc2:
        return INVALID
    if first >= 0xf0:
        more, least, point = 3, 0xffff, first & 7
    elif first >= 0xe0:
        more, least, point = 2, 0x7ff, first & 15
    else:
        more, least, point = 1, 0x7f, first & 31
    if more >= size:
        used[0] = 0
        return INCOMPLETE
    for i in range(1, more + 1):
        if p[i] < 0x80:
            used[0] = i + 1
            return INVALID
        point = point << 6 | p[i] & 0x3f
    used[0] = more + 1
    return point if point > least else INVALID


def decode(bytes text not None):
    cdef Py_ssize_t used
    cdef int32_t point
    if not text:
        return INCOMPLETE, 0
    point = point_at(<const uint8_t *>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), &used)
    return point, used


@cython.final
cdef class ToUtf8:
    """Recodes a charset of single bytes; it has no state, so one serves for all."""

    cdef uint8_t sizes[256]
    cdef char texts[256][UTF8_MOST]
    cdef bint ascii

    def __init__(self, list texts not None):
        cdef int i
        if len(texts) != 256:
            raise ValueError("not 256 texts")
        self.ascii = True
        for i, text in enumerate(texts):
            if not 0 < len(text) <= UTF8_MOST:
                raise ValueError("not 1 to 4 bytes")
            self.sizes[i] = <uint8_t>len(text)
            memset(self.texts[i], 0, UTF8_MOST)
            memcpy(self.texts[i], PyBytes_AS_STRING(text), len(text))
            if i < 128 and text != bytes((i,)):
                self.ascii = False

    def __call__(self, bytes data not None):
        cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef Py_ssize_t count = PyBytes_GET_SIZE(data)
        cdef Py_ssize_t size = 0
        cdef Py_ssize_t i
        cdef bytes made
        cdef char *to
        if self.ascii and data.isascii():
            return data
        for i in range(count):
            size += self.sizes[p[i]]
        # texts are copied four bytes at a time, the last ones beyond the end
        made = PyBytes_FromStringAndSize(NULL, size)
        to = PyBytes_AS_STRING(made)
        i = 0
        while i < count and size > UTF8_MOST:
            memcpy(to, self.texts[p[i]], UTF8_MOST)
            to += self.sizes[p[i]]
            size -= self.sizes[p[i]]
            i += 1
        while i < count:
            memcpy(to, self.texts[p[i]], self.sizes[p[i]])
            to += self.sizes[p[i]]
            i += 1
        return made


@cython.final
cdef class Points:
    """Which byte a code point is in the other charset."""

    cdef uint8_t *rows[256]

    def __dealloc__(self):
        cdef int i
        for i in range(256):
            PyMem_Free(self.rows[i])

    def add(self, int32_t point, uint8_t byte):
        if not 0 <= point <= 0xffff:
            raise ValueError("no code point of two bytes")
        if self.rows[point >> 8] == NULL:
            self.rows[point >> 8] = <uint8_t *>PyMem_Calloc(256, 1)
            if self.rows[point >> 8] == NULL:
                raise MemoryError
        self.rows[point >> 8][point & 255] = byte


@cython.final
cdef class FromUtf8:
    """Recodes one body to a charset of single bytes; what that has not becomes a character reference of HTML."""

    cdef Points points
    cdef bytes saved                    # the beginning of a character whose end is in the next part

    def __init__(self, Points points not None):
        self.points = points
        self.saved = b""

    def __call__(self, bytes data not None):
        cdef const uint8_t *p
        cdef char *to
        cdef Py_ssize_t size, used
        cdef Py_ssize_t i = 0
        cdef int32_t point
        cdef uint8_t *row
        cdef PyObject *place
        if self.saved:
            data = self.saved + data
            self.saved = b""
        elif data.isascii():
            return data
        p = <const uint8_t *>PyBytes_AS_STRING(data)
        size = PyBytes_GET_SIZE(data)
        # the longest is a reference of 10 bytes, for 4
        place = new_bytes(NULL, size * 4)
        to = PyBytes_AS_STRING(<object>place)
        while i < size:
            if p[i] < 0x80:
                to[0] = <char>p[i]
                to += 1
                i += 1
                continue
            point = point_at(p + i, size - i, &used)
            if point == INCOMPLETE:
                self.saved = PyBytes_FromStringAndSize(<const char *>p + i, size - i)
                break
            i += used
            if point < 0 or point > LAST_POINT:
                to[0] = b"?"
                to += 1
                continue
            row = self.points.rows[point >> 8] if point <= 0xffff else NULL
            if row != NULL and row[point & 255]:
                to[0] = <char>row[point & 255]
                to += 1
            else:
                to = put_reference(to, point)
        resize_bytes(&place, to - PyBytes_AS_STRING(<object>place))
        made = <object>place
        Py_DECREF(made)                 # the reference that the variable of C's had
        return made


cdef char *put_reference(char *to, int32_t point) noexcept:
    cdef char digits[8]
    cdef int count = 0
    to[0] = b"&"
    to[1] = b"#"
    to += 2
    while True:
        digits[count] = <char>(48 + point % 10)
        count += 1
        point //= 10
        if not point:
            break
    while count:
        count -= 1
        to[0] = digits[count]
        to += 1
    to[0] = b";"
    return to + 1
