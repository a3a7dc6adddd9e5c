cdef class LineFormat:
    cdef tuple _parts
    cdef int _escape

    cpdef bytes make(self, request)
