# The types of headers.py's compiled form.
cimport cython

from gateway.core.template cimport Template
from gateway.http.client cimport Client
from gateway.http.part cimport Part
from gateway.http.request cimport Request
from gateway.http.response cimport Response
from gateway.http.response_fields cimport set_line

cdef long _PLAIN, _LAST_MODIFIED, _ETAG
cdef long _OFF, _NEVER, _EVER, _DAILY, _MODIFIED, _ACCESS


cdef class Field:
    cdef readonly bytes name
    cdef readonly Template value
    cdef readonly bint always
    cdef readonly long kind
    cdef readonly tuple line
    cdef tuple last

    @cython.locals(response=Response, value=bytes, line=tuple)
    cpdef add(self, Request request)


cdef class Lifetime:
    cdef readonly long kind
    cdef readonly long long seconds
    cdef long long now
    cdef long long last_modified
    cdef tuple expires
    cdef tuple control

    @cython.locals(client=Client, response=Response, now='long long', expires_line=tuple, control_line=tuple)
    cpdef put(self, Request request)
    cpdef tuple _texts(self, long long now, long long last_modified)


cdef class AddFields(Part):
    cdef readonly tuple fields
    cdef readonly tuple trailers
    cdef readonly Lifetime lifetime
    cdef readonly Template expires
    cdef readonly bint modified
    cdef readonly dict lifetimes

    @cython.locals(response=Response, status=long, safe=bint, field=Field, lifetime=Lifetime)
    cpdef run(self, Request request)
    @cython.locals(text=bytes, found=Lifetime)
    cpdef Lifetime _lifetime_for(self, Request request)
