# The types of gzip.py's compiled form.
from gateway.http.request cimport Request
from gateway.http.response cimport Response


cdef class Compressor:
    cdef object stream
    cdef readonly long long taken
    cdef readonly long long sent
    cdef readonly long long room
