# The types of variables.py's compiled form.
from gateway._fast.value cimport Value


cdef class Variable(Value):
    cdef readonly str name
    cdef public bint assigned
    cdef public bint changeable
    cdef public bint defined
    cdef public bint prefix
    cdef public object fallback
    cdef public object set
    cdef public object where
    cdef readonly Value source

    cpdef value(self, request)


cdef class Cached(Value):
    cdef readonly str name
    cdef readonly Value compute

    cpdef value(self, request)


cdef class Acyclic(Value):
    cdef readonly str name
    cdef readonly Value compute
    cdef bint evaluating

    cpdef value(self, request)


cdef class Stored(Value):
    cdef readonly str name
    cdef readonly Value fallback

    cpdef value(self, request)
