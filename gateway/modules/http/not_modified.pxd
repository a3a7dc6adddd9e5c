# The types of not_modified.py's compiled form.
cimport cython

from gateway._fast.request_head cimport RequestHead
from gateway.http.request cimport Request
from gateway.http.response cimport Response


@cython.locals(
    head=RequestHead, response=Response, unmodified_since=bytes, match=bytes, modified_since=bytes, none_match=bytes
)
cpdef object filter_head(Request request)
cdef bint _unmodified(Request request, bytes field) except -1
cdef bint _modified(Request request, bytes field) except -1
@cython.locals(at=Py_ssize_t, end=Py_ssize_t, after=Py_ssize_t, comma=Py_ssize_t)
cdef bint _matches(bytes etag, bytes field, bint weak) except -1
