from cpython.object cimport PyObject

from gateway._fast.value cimport Value

# what stands before a value, then what finds the value; NULL behind the last one
cdef struct Part:
    const char *text
    Py_ssize_t size
    PyObject *value


cdef class LineFormat:
    cdef list _kept     # holds what the parts point to
    cdef Part *_parts
    cdef Py_ssize_t _count
    cdef int _escape

    cdef int _add(self, bytes text, Value value) except -1
    cpdef bytes make(self, request)
