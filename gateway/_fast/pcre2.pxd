cdef class Pattern:
    cdef void *code
    cdef void *data
    cdef const size_t *offsets

    cpdef find(self, bytes subject)


cpdef bytes group(bytes subject, bytes spans, Py_ssize_t number)
