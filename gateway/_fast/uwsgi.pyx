# cython: language_level=3, boundscheck=False, wraparound=False
"""The uwsgi packet in one pass: a location's compiled params and a request's header fields into one buffer."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp, memcpy

import struct

cdef enum:
    MAX_SIZE = 0xFFFF
    # A single text may be longer than the packet can be: it is counted, not copied.
    ROOM = 4 + MAX_SIZE

cdef char room[ROOM]  # the packet under way; no packet is left unfinished, evaluating params comes first


cdef inline Py_ssize_t put_length(Py_ssize_t at, Py_ssize_t length) noexcept nogil:
    room[at] = <char>(length & 0xFF)
    room[at + 1] = <char>((length >> 8) & 0xFF)
    return at + 2


cdef inline bint same_name(const char *a, const char *b, Py_ssize_t n) noexcept nogil:
    """Equal without regard to ASCII case."""
    cdef Py_ssize_t i
    cdef unsigned char x, y
    for i in range(n):
        x = <unsigned char>a[i]
        y = <unsigned char>b[i]
        if x != y:
            if c'A' <= x <= c'Z':
                x |= 0x20
            if c'A' <= y <= c'Z':
                y |= 0x20
            if x != y:
                return False
    return True


cdef inline char to_param(char c) noexcept nogil:
    if c'a' <= c <= c'z':
        return c - 32
    if c == c'-':
        return c'_'
    return c


cdef inline bint stands_for(const char *param, const char *name, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if to_param(name[i]) != param[i]:
            return False
    return True


cdef class PacketEncoder:
    """Makes the packets of one location; the twin of gateway.protocol.uwsgi.PlainEncoder."""

    cdef readonly tuple params
    cdef readonly int modifier1, modifier2
    cdef readonly bint pass_headers
    cdef readonly bytes tail
    cdef list names      # of a param: bytes encoded with its length, or None for a run of constant pairs
    cdef list values     # the run's bytes, or what evaluates the param
    cdef list skips
    cdef list ignored

    def __init__(self, params, *, int modifier1=0, int modifier2=0, bint pass_headers=True, bytes tail=b""):
        self.params = tuple(params)
        self.modifier1 = modifier1
        self.modifier2 = modifier2
        self.pass_headers = pass_headers
        self.tail = tail
        self.names = []
        self.values = []
        self.skips = []
        self.ignored = []
        cdef bytes run = b""
        for name, value, skip_empty in self.params:
            hides = len(name) > 5 and name.startswith(b"HTTP_")
            if hides:
                self.ignored.append(name[5:].upper())
            if isinstance(value, bytes):
                if not value and (hides or skip_empty):
                    continue
                run += struct.pack("<H", len(name) & MAX_SIZE) + name + struct.pack("<H", len(value) & MAX_SIZE) + value
                continue
            if run:
                self.names.append(None)
                self.values.append(run)
                self.skips.append(False)
                run = b""
            self.names.append(struct.pack("<H", len(name) & MAX_SIZE) + name)
            self.values.append(value)
            self.skips.append(bool(skip_empty))
        if run:
            self.names.append(None)
            self.values.append(run)
            self.skips.append(False)

    def encode(self, request, fields) -> bytes:
        """The packet of a request. Errors: OverflowError(size), and what evaluating a param raises."""
        # Evaluating a param may run any code, another encode too: all of it before the buffer is touched.
        cdef Py_ssize_t count = len(self.values), i, j, n, length, total = 0, at = 4
        cdef list texts = [None] * count
        cdef bytes name, value
        for i in range(count):
            if self.names[i] is None:
                value = <bytes>self.values[i]
                total += PyBytes_GET_SIZE(value)
            else:
                evaluated = self.values[i](request)
                if evaluated is None:
                    evaluated = b""
                value = evaluated
                n = PyBytes_GET_SIZE(value)
                if n == 0 and self.skips[i]:
                    continue
                total += PyBytes_GET_SIZE(<bytes>self.names[i]) + 2 + n
            texts[i] = value

        cdef list pairs = None
        cdef list ignored = self.ignored
        cdef Py_ssize_t fields_count = 0
        cdef bytes other
        cdef const char *text
        cdef const char *separator
        cdef bytearray skip = None
        if self.pass_headers:
            pairs = fields if type(fields) is list else list(fields)
            fields_count = len(pairs)
            skip = bytearray(fields_count)
            for i in range(fields_count):
                if skip[i]:
                    continue
                name = <bytes>(<tuple>pairs[i])[0]
                text = PyBytes_AS_STRING(name)
                n = PyBytes_GET_SIZE(name)
                for other in ignored:
                    if PyBytes_GET_SIZE(other) == n and stands_for(PyBytes_AS_STRING(other), text, n):
                        skip[i] = 1
                        break
                length = PyBytes_GET_SIZE(<bytes>(<tuple>pairs[i])[1])
                for j in range(i + 1, fields_count):
                    other = <bytes>(<tuple>pairs[j])[0]
                    if PyBytes_GET_SIZE(other) == n and same_name(PyBytes_AS_STRING(other), text, n):
                        skip[j] = 2  # joined to the first of its name, or hidden with it
                        length += 2 + PyBytes_GET_SIZE(<bytes>(<tuple>pairs[j])[1])
                if not skip[i]:
                    total += 2 + 5 + n + 2 + length
        total += PyBytes_GET_SIZE(self.tail)
        if total > MAX_SIZE:
            raise OverflowError(total)

        room[0] = <char>self.modifier1
        put_length(1, total)
        room[3] = <char>self.modifier2
        for i in range(count):
            if texts[i] is None:
                continue
            value = <bytes>texts[i]
            n = PyBytes_GET_SIZE(value)
            if self.names[i] is not None:
                name = <bytes>self.names[i]
                memcpy(room + at, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
                at = put_length(at + PyBytes_GET_SIZE(name), n)
            memcpy(room + at, PyBytes_AS_STRING(value), n)
            at += n
        for i in range(fields_count):
            if skip[i]:
                continue
            name = <bytes>(<tuple>pairs[i])[0]
            text = PyBytes_AS_STRING(name)
            n = PyBytes_GET_SIZE(name)
            at = put_length(at, n + 5)
            memcpy(room + at, b"HTTP_", 5)
            at += 5
            for j in range(n):
                room[at + j] = to_param(text[j])
            at += n
            value = <bytes>(<tuple>pairs[i])[1]
            length = at  # where this value's length goes, known when its repeats are in
            at += 2
            memcpy(room + at, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
            at += PyBytes_GET_SIZE(value)
            separator = b"; " if n == 6 and same_name(text, b"cookie", 6) else b", "
            for j in range(i + 1, fields_count):
                if skip[j] != 2:
                    continue
                other = <bytes>(<tuple>pairs[j])[0]
                if PyBytes_GET_SIZE(other) == n and same_name(PyBytes_AS_STRING(other), text, n):
                    memcpy(room + at, separator, 2)
                    value = <bytes>(<tuple>pairs[j])[1]
                    memcpy(room + at + 2, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
                    at += 2 + PyBytes_GET_SIZE(value)
            put_length(length, at - length - 2)
        memcpy(room + at, PyBytes_AS_STRING(self.tail), PyBytes_GET_SIZE(self.tail))
        at += PyBytes_GET_SIZE(self.tail)
        return PyBytes_FromStringAndSize(room, at)
