# The types of params.py's compiled form.


cdef class Params:
    cdef public frozenset ignored
    cdef public tuple params
    cdef public bint pass_headers

    cpdef list pairs(self, object request, object head)
