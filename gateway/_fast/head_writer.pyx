# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A response's head put together piece by piece in memory that stays."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from gateway._fast.digits cimport write_digits


cdef class HeadWriter:
    def __dealloc__(self):
        free(self.data)

    cdef int grow(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room = max(2 * self.room, self.size + more, 1024)
        cdef char *data = <char *> realloc(self.data, room)
        if data == NULL:
            raise MemoryError
        self.data = data
        self.room = room
        return 0

    cpdef begin(self):
        self.size = 0

    cpdef put(self, bytes piece):
        cdef Py_ssize_t size
        if piece is None:
            raise TypeError("None in a head")
        size = PyBytes_GET_SIZE(piece)
        if self.size + size > self.room:
            self.grow(size)
        memcpy(self.data + self.size, PyBytes_AS_STRING(piece), size)
        self.size += size

    cpdef put_number(self, long long number):
        """A number that is not negative, in decimal."""
        cdef char digits[20]
        cdef int at
        if number < 0:
            raise ValueError(number)
        at = write_digits(digits, 20, number)
        if self.size + 20 > self.room:
            self.grow(20)
        memcpy(self.data + self.size, digits + at, 20 - at)
        self.size += 20 - at

    cpdef bytes end(self):
        """What was put since begin()."""
        return PyBytes_FromStringAndSize(self.data, self.size)
