# The types of error_pages.py's compiled form.
cimport cython

from gateway.core.template cimport Template
from gateway.http.redirects cimport internal_redirect, named_location
from gateway.http.request cimport Request
from gateway.http.response cimport Response
from gateway.http.settings cimport EngineSettings

cdef long OK


cdef class ErrorPage:
    cdef readonly long status
    cdef readonly long overwrite
    cdef readonly Template target


@cython.locals(response=Response, core=EngineSettings, page=ErrorPage, body=bytes, sent=long)
cpdef object special_response(Request request, long status)
@cython.locals(core=EngineSettings, agent=bytes)
cdef bint _padding(Request request, long status) except -1
@cython.locals(response=Response)
cdef object _send_page(Request request, bytes body, bytes content_type)
@cython.locals(response=Response)
cdef object _send_refresh(Request request)
@cython.locals(response=Response, target=bytes, uri=bytes, args=bytes)
cdef object _send_error_page(Request request, ErrorPage page)
