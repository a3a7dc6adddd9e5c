cdef class LineFormat:
    cdef tuple _parts
    cdef int _escape
    cdef Py_ssize_t *_sizes

    cpdef bytes make(self, request)
