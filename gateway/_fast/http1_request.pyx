# cython: language_level=3, boundscheck=False, wraparound=False
"""The head of a request to an HTTP/1 upstream in one pass: a location's own fields, then the client's as they lie."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport uint8_t, uint32_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy

from gateway._fast.header_line cimport fold_hash, same_name
from gateway._fast.request_head cimport Field
from gateway._fast.value cimport Value, value_of

cdef enum:
    CHUNKED = -2


cdef inline char *put(char *out, bytes part) noexcept:
    memcpy(out, PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part))
    return out + PyBytes_GET_SIZE(part)


cdef class RequestEncoder:
    """Makes the heads of one location; the twin of gateway.protocol.http1_client.PlainRequestEncoder."""

    def __cinit__(self, minor, own, hidden, *args, **kwargs):
        cdef bytes name
        self.hidden = sorted(hidden)
        self.hashes = <uint32_t *> PyMem_Malloc((len(self.hidden) + 1) * sizeof(uint32_t))
        if self.hashes == NULL:
            raise MemoryError
        for i, name in enumerate(self.hidden):
            self.hashes[i] = fold_hash(<const uint8_t *> PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))

    def __init__(self, int minor, own, hidden, *, bint pass_headers=True):
        self.minor = minor
        self.pass_headers = pass_headers
        self.names = []
        self.values = []
        cdef bytes run = b""
        for name, value in own:
            if isinstance(value, bytes):
                if value:
                    run += name + b": " + value + b"\r\n"
                continue
            if run:
                self.names.append(None)
                self.values.append(run)
                run = b""
            self.names.append(name + b": ")
            self.values.append(value_of(value))
        if run:
            self.names.append(None)
            self.values.append(run)

    def __dealloc__(self):
        PyMem_Free(self.hashes)

    cdef bint passes(self, const uint8_t *base, Field *field) except -1:
        cdef Py_ssize_t i
        cdef bytes name
        for i in range(len(self.hidden)):
            if self.hashes[i] == field.hash:
                name = <bytes> self.hidden[i]
                if PyBytes_GET_SIZE(name) == field.name_len and same_name(
                    base + field.name, <const uint8_t *> PyBytes_AS_STRING(name), field.name_len
                ):
                    return False
        return True

    cpdef bytes encode(self, object request, RequestHead head, bytes method, bytes target, long long length,
                       bytes body):
        """`length` is Content-Length, -1 for none, CHUNKED; `body` stands behind the head."""
        # Evaluating a field may run any code: all of it before a byte is written.
        if head is None or method is None or target is None or body is None:
            raise TypeError("nothing of a request is None")
        cdef Py_ssize_t count = len(self.values), i
        cdef Py_ssize_t total = PyBytes_GET_SIZE(method) + PyBytes_GET_SIZE(target) + 12 + 2 + PyBytes_GET_SIZE(body)
        cdef list texts = [None] * count
        cdef bytes value, result
        cdef char framing[64]
        cdef int framing_size = 0
        cdef const uint8_t *base = head.base()
        cdef Field *field
        cdef char *out
        cdef int j
        for i in range(count):
            if self.names[i] is None:
                value = <bytes> self.values[i]
                total += PyBytes_GET_SIZE(value)
            else:
                evaluated = (<Value> self.values[i]).value(request)
                value = b"" if evaluated is None else evaluated
                if not PyBytes_GET_SIZE(value):
                    continue
                total += PyBytes_GET_SIZE(<bytes> self.names[i]) + PyBytes_GET_SIZE(value) + 2
            texts[i] = value
        if length == CHUNKED:
            framing_size = snprintf(framing, sizeof(framing), b"Transfer-Encoding: chunked\r\n")
        elif length >= 0:
            framing_size = snprintf(framing, sizeof(framing), b"Content-Length: %lld\r\n", length)
        total += framing_size
        if self.pass_headers:
            for j in range(head.count):
                field = &head.spans[j]
                if self.passes(base, field):
                    total += field.name_len + field.value_len + 4
        result = PyBytes_FromStringAndSize(NULL, total)
        out = put(PyBytes_AS_STRING(result), method)
        out[0] = 32
        out = put(out + 1, target)
        memcpy(out, b" HTTP/1.", 8)
        out[8] = 48 + self.minor
        out[9] = 13
        out[10] = 10
        out += 11
        for i in range(count):
            if texts[i] is None:
                continue
            value = <bytes> texts[i]
            if self.names[i] is None:
                out = put(out, value)
                continue
            out = put(put(out, <bytes> self.names[i]), value)
            out[0] = 13
            out[1] = 10
            out += 2
        memcpy(out, framing, framing_size)
        out += framing_size
        if self.pass_headers:
            for j in range(head.count):
                field = &head.spans[j]
                if not self.passes(base, field):
                    continue
                memcpy(out, base + field.name, field.name_len)
                out += field.name_len
                out[0] = 58
                out[1] = 32
                memcpy(out + 2, base + field.value, field.value_len)
                out += 2 + field.value_len
                out[0] = 13
                out[1] = 10
                out += 2
        out[0] = 13
        out[1] = 10
        out = put(out + 2, body)
        assert out - PyBytes_AS_STRING(result) == total
        return result
