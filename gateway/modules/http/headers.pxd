# The types of headers.py's compiled form.
cimport cython

from gateway.core.template cimport Template
from gateway.http.part cimport Part
from gateway.http.request cimport Request
from gateway.http.response cimport Response

cdef long _PLAIN, _LAST_MODIFIED, _ETAG


cdef class Field:
    cdef readonly bytes name
    cdef readonly Template value
    cdef readonly bint always
    cdef readonly long kind
    cdef readonly tuple line

    @cython.locals(response=Response, value=bytes)
    cpdef add(self, Request request)


cdef class AddFields(Part):
    cdef readonly tuple fields
    cdef readonly tuple trailers
    cdef readonly object expires

    @cython.locals(response=Response, status=long, safe=bint, field=Field)
    cpdef run(self, Request request)
