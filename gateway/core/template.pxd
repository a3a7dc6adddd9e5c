# The types of template.py's compiled form.


cdef class Template:
    cdef readonly str text
    cdef readonly tuple parts
    cdef readonly bytes constant
    cdef readonly object evaluate
