# cython: language_level=3, boundscheck=False, wraparound=False
"""Parts of bytes without a slice object; the caller has seen that the bounds hold."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE


cpdef bytes first(bytes data, Py_ssize_t count):
    """data[:count], for 0 <= count <= len(data)."""
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(data), count)


cpdef bytes rest(bytes data, Py_ssize_t start):
    """data[start:], for 0 <= start <= len(data)."""
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + start, PyBytes_GET_SIZE(data) - start)
