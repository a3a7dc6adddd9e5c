# The types of regex.py's compiled form.
cimport cython

from gateway._fast.pcre2 cimport Pattern, group


cdef class Captures:
    cdef readonly bytes subject
    cdef readonly Regex regex
    cdef bytes _spans
    cdef object _data

    @cython.locals(regex=Regex)
    cpdef bytes group(self, object number)


cdef class Regex:
    cdef readonly str pattern
    cdef readonly bint caseless
    cdef readonly object groups
    cdef readonly dict numbers
    cdef readonly tuple named
    cdef readonly tuple variables
    cdef readonly Pattern _fast
    cdef object _code
    cdef object _interpreted

    @cython.locals(fast=Pattern)
    cpdef Captures search(self, bytes subject)
    @cython.locals(fast=Pattern)
    cpdef bint test(self, bytes subject) except -1
