# The types of template.py's compiled form.
from gateway._fast.value cimport Value


cdef class Capture(Value):
    cdef readonly object number

    cpdef value(self, request)


cdef class Template(Value):
    cdef readonly str text
    cdef readonly tuple parts
    cdef readonly bytes constant
    cdef readonly Value source

    cpdef value(self, request)
