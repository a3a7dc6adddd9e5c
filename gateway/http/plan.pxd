# The types of plan.py's compiled form.
from gateway.http.part cimport Part


cdef class Plan:
    cdef public tuple steps
    cdef public tuple head_filters
    cdef public Part log
