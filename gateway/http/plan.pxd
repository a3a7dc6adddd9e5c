# The types of plan.py's compiled form.


cdef class Plan:
    cdef public tuple steps
    cdef public tuple head_filters
    cdef public tuple log_handlers
