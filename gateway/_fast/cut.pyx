# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Bytes without what Python needs for them: parts without a slice object, numbers without a format."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from gateway._fast.digits cimport write_digits


cpdef bytes first(bytes data, Py_ssize_t count):
    """data[:count], for 0 <= count <= len(data)."""
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(data), count)


cpdef bytes rest(bytes data, Py_ssize_t start):
    """data[start:], for 0 <= start <= len(data)."""
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + start, PyBytes_GET_SIZE(data) - start)


cpdef bytes joined(bytes one, bytes other):
    """one + other."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(one)
    cdef bytes result = PyBytes_FromStringAndSize(NULL, size + PyBytes_GET_SIZE(other))
    memcpy(PyBytes_AS_STRING(result), PyBytes_AS_STRING(one), size)
    memcpy(PyBytes_AS_STRING(result) + size, PyBytes_AS_STRING(other), PyBytes_GET_SIZE(other))
    return result


cpdef bytes decimal(long long number):
    """b"%d" % number."""
    cdef char text[24]
    cdef int at = write_digits(text, 24, number)
    return PyBytes_FromStringAndSize(text + at, 24 - at)


# the first second's, which most times of a request are
cdef list _short = [None] * 1000


cpdef bytes thousandths(double seconds):
    """b"%d.%03d": seconds that are not negative, with what is below a millisecond cut off."""
    cdef long long whole = <long long> (seconds * 1000)
    cdef bytes kept
    if whole < 0 or whole >= 1000:
        return _written(whole)
    kept = <bytes> _short[whole]
    if kept is None:
        kept = _written(whole)
        _short[whole] = kept
    return kept


cdef bytes _written(long long whole):
    cdef char text[28]
    cdef int at = write_digits(text, 24, whole // 1000)
    cdef int rest = <int> (whole % 1000)
    text[24] = b"."
    text[25] = 48 + rest // 100
    text[26] = 48 + rest // 10 % 10
    text[27] = 48 + rest % 10
    return PyBytes_FromStringAndSize(text + at, 28 - at)
