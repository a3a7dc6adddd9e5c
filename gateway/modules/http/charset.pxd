# The types of charset.py's compiled form.
cimport cython

from gateway.core.template cimport Template
from gateway.http.part cimport Part
from gateway.http.request cimport Request
from gateway.http.response cimport Response


cdef class SetCharset(Part):
    cdef readonly object known
    cdef readonly bytes charset
    cdef readonly Template charset_value
    cdef readonly bytes source
    cdef readonly Template source_value
    cdef readonly bint override
    cdef readonly frozenset types
    cdef readonly bint all_types
    cdef bytes type
    cdef readonly bint names

    @cython.locals(response=Response)
    cpdef run(self, Request request)
    cpdef bint _is_wanted(self, bytes content_type) except -1
    @cython.locals(response=Response)
    cpdef tuple _destination(self, Request request)
    @cython.locals(response=Response, source=bytes, target=bytes)
    cpdef _recode(self, Request request)


@cython.locals(response=Response)
cdef _set(Request request, bytes charset)
