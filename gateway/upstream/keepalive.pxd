# The types of keepalive.py's compiled form.


cdef class Connection:
    cdef public object address
    cdef public long requests
    cdef public long long sent_before
    cdef public double started
    cdef public object stream
    cdef public object tag
