from cpython.object cimport PyObject
from libc.stdint cimport uint64_t


cdef class Due:
    cdef double when
    cdef uint64_t turn
    cdef Py_ssize_t place

    cdef int fire(self) except -1


cdef class Heap:
    cdef PyObject** dues
    cdef Py_ssize_t size
    cdef Py_ssize_t room
    cdef uint64_t turns

    cdef int push(self, Due due, double when) except -1
    cdef int remove(self, Due due) except -1
    cdef double first(self) noexcept
    cdef Due pop(self)
    cdef void _put(self, PyObject* due, Py_ssize_t place) noexcept
    cdef void _up(self, Py_ssize_t place) noexcept
    cdef void _down(self, Py_ssize_t place) noexcept
