# The types of keepalive.py's compiled form.
from gateway._fast.stream cimport Stream


cdef class Connection:
    cdef public object address
    cdef public long requests
    cdef public long long sent_before
    cdef public double started
    cdef public Stream stream
    cdef public object tag
