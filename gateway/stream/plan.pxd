# The types of plan.py's compiled form.


cdef class Plan:
    cdef public list phases
    cdef public object content
    cdef public list log_handlers
