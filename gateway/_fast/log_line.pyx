# cython: language_level=3, boundscheck=False, wraparound=False
"""Access log lines: a format's parts evaluated, escaped and joined in one pass; see log_line.pyi."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.string cimport memcpy

from gateway._fast.value cimport Value, value_of

cdef enum:
    NONE = 0
    DEFAULT = 1
    JSON = 2

cdef enum:
    ROOM = 4096     # a line that cannot become longer is made in one pass

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


cdef Py_ssize_t _size(bytes value, int escape) noexcept:
    cdef const unsigned char *p = <const unsigned char *> PyBytes_AS_STRING(value)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(value)
    cdef Py_ssize_t i, size = 0
    cdef const unsigned char *sizes
    if escape == NONE:
        return length
    sizes = &_default_size[0] if escape == DEFAULT else &_json_size[0]
    for i in range(length):
        size += sizes[p[i]]
    return size


cdef char *_put(char *out, bytes value, int escape, Py_ssize_t size) noexcept:
    cdef const unsigned char *p = <const unsigned char *> PyBytes_AS_STRING(value)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(value)
    cdef Py_ssize_t i
    cdef unsigned char c
    if size == length:
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


cdef char *_put_short(char *out, bytes value, int escape) noexcept:
    """_put(), where there is room for whatever comes of it."""
    cdef const unsigned char *p = <const unsigned char *> PyBytes_AS_STRING(value)
    cdef const unsigned char *end = p + PyBytes_GET_SIZE(value)
    cdef const unsigned char *sizes = &_json_size[0] if escape == JSON else &_default_size[0]
    cdef char *begin = out
    if escape == NONE:
        memcpy(out, p, end - p)
        return out + (end - p)
    while p < end and sizes[p[0]] == 1:
        out[0] = p[0]
        out += 1
        p += 1
    return out if p == end else _put(begin, value, escape, -1)


def escape(bytes value not None, int how):
    cdef Py_ssize_t size = _size(value, how)
    cdef bytes result
    if size == PyBytes_GET_SIZE(value):
        return value
    result = PyBytes_FromStringAndSize(NULL, size)
    _put(PyBytes_AS_STRING(result), value, how, size)
    return result


cdef class LineFormat:
    def __cinit__(self, *args, **kwargs):
        self._sizes = NULL

    def __init__(self, parts, int escape):
        self._parts = tuple([part if type(part) is bytes else value_of(part) for part in parts])
        self._escape = escape
        # a line is made in one go, so that one array serves all of them
        self._sizes = <Py_ssize_t *> PyMem_Realloc(self._sizes, (len(self._parts) + 1) * sizeof(Py_ssize_t))
        if self._sizes == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self._sizes)

    def __call__(self, request):
        return self.make(request)

    cpdef bytes make(self, request):
        cdef tuple parts = self._parts
        cdef Py_ssize_t count = PyTuple_GET_SIZE(parts)
        cdef list values = [None] * count
        cdef Py_ssize_t total = 1
        cdef Py_ssize_t i
        cdef object part
        cdef object found
        cdef bytes line
        cdef char *out
        cdef char room[ROOM]
        for i in range(count):
            part = <object> PyTuple_GET_ITEM(parts, i)
            if type(part) is not bytes:
                found = (<Value> part).value(request)
                if found is None:
                    found = b"-" if self._escape == DEFAULT else b""
                part = <bytes?> found
            values[i] = part
            # at most: each byte as six
            total += PyBytes_GET_SIZE(<bytes> part) * 6
        if total <= ROOM:
            out = room
            for i in range(count):
                part = <object> PyList_GET_ITEM(values, i)
                if part is <object> PyTuple_GET_ITEM(parts, i):
                    memcpy(out, PyBytes_AS_STRING(<bytes> part), PyBytes_GET_SIZE(<bytes> part))
                    out += PyBytes_GET_SIZE(<bytes> part)
                else:
                    out = _put_short(out, <bytes> part, self._escape)
            out[0] = b"\n"
            return PyBytes_FromStringAndSize(room, out + 1 - room)
        total = 1
        # now that no getter can come in between
        for i in range(count):
            if type(<object> PyTuple_GET_ITEM(parts, i)) is bytes:
                self._sizes[i] = PyBytes_GET_SIZE(<bytes> PyList_GET_ITEM(values, i))
            else:
                self._sizes[i] = _size(<bytes> PyList_GET_ITEM(values, i), self._escape)
            total += self._sizes[i]
        line = PyBytes_FromStringAndSize(NULL, total)
        out = PyBytes_AS_STRING(line)
        for i in range(count):
            out = _put(out, <bytes> PyList_GET_ITEM(values, i), self._escape, self._sizes[i])
        out[0] = b"\n"
        return line
