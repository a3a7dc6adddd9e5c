# cython: language_level=3, boundscheck=False, wraparound=False
"""The host that a client names, in a Host field, an absolute URI or :authority, checked as nginx does."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t

cdef uint8_t NAME[256]          # unreserved, sub-delims, %
cdef uint8_t LITERAL[256]       # inside [ ]


cdef void fill_tables():
    cdef int c
    alnum = set(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    for c in range(256):
        LITERAL[c] = c in alnum or c in b":-._~!$&'()*+,;="
        NAME[c] = c in alnum or c in b"-._~!$&'()*+,;=%"


fill_tables()


cdef bytes clean_host(const uint8_t *h, Py_ssize_t n, int *port_out):
    """A host as nginx keeps it (ngx_http_validate_host): lower-case, without the port and one last dot; None if bad."""
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t size
    cdef Py_ssize_t dot = -2
    cdef int port = 0
    cdef bint literal = n > 0 and h[0] == 91
    cdef bint upper = False
    cdef bytes name
    cdef char *out
    cdef const uint8_t *taken = NAME
    if literal:
        taken = LITERAL
        i = 1
    while i < n and taken[h[i]]:
        if h[i] == 46:
            if dot == i - 1:
                return None
            dot = i
        elif 65 <= h[i] <= 90:
            upper = True
        i += 1
    if literal:
        if i >= n or h[i] != 93:
            return None
        i += 1
    size = i
    if i < n:
        if h[i] != 58:
            return None
        i += 1
        while i < n:
            if not 48 <= h[i] <= 57:
                return None
            port = port * 10 + (h[i] - 48)
            if port > 65535:
                return None
            i += 1
    if size and dot == size - 1:
        size -= 1
    if size == 0:
        return None
    port_out[0] = port
    if not upper:
        return PyBytes_FromStringAndSize(<const char *> h, size)
    # A fresh object to write into: those made from text may be shared.
    name = PyBytes_FromStringAndSize(NULL, size)
    out = PyBytes_AS_STRING(name)
    for i in range(size):
        out[i] = h[i] | 0x20 if 65 <= h[i] <= 90 else h[i]
    return name


def validate_host(host: bytes) -> tuple[bytes, int] | None:
    """The name and the port (0 without one) of a Host field or :authority, or None where nginx answers 400."""
    cdef int port = 0
    cdef bytes name = clean_host(<const uint8_t *> PyBytes_AS_STRING(host), len(host), &port)
    return None if name is None else (name, port)
