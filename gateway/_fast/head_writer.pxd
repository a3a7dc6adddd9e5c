cdef class HeadWriter:
    cdef char *data
    cdef Py_ssize_t size
    cdef Py_ssize_t room

    cdef int grow(self, Py_ssize_t more) except -1
    cpdef begin(self)
    cpdef put(self, bytes piece)
    cpdef put_number(self, long long number)
    cpdef bytes end(self)
