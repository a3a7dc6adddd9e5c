# The types of listening.py's compiled form.


cdef class Listening:
    cdef public object address
    cdef public object cycle
    cdef public object only
    cdef public bint proxy_protocol
    cdef public dict servers
    cdef public bytes text

    cpdef object at(self, object connection)
