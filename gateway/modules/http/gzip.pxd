# The types of gzip.py's compiled form.
cimport cython

from gateway.http.accept_encoding cimport gzip_ok
from gateway.http.part cimport Part
from gateway.http.request cimport Request
from gateway.http.response cimport Response


cdef class Compressor:
    cdef object stream
    cdef readonly long long taken
    cdef readonly long long sent
    cdef readonly long long room


cdef class Gzip(Part):
    cdef readonly object settings
    cdef readonly frozenset types
    cdef readonly bint all_types
    cdef bytes other_type
    cdef readonly long long min_length
    cdef readonly bint vary
    cdef readonly object compressor
    cdef readonly object level
    cdef readonly long window
    cdef readonly long memory
    cdef readonly long long room

    @cython.locals(response=Response, status=long, length="long long", content_type=bytes)
    cpdef run(self, Request request)

    @cython.locals(window=long, memory=long)
    cpdef object open(self, long long length)
