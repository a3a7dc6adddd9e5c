# The types of h2_head.py's compiled form.
cimport cython

from gateway._fast.http2_writer cimport FieldWriter
from gateway.http.final_head cimport KeptHead, is_usual, leave_body_out
from gateway.http.request cimport Request
from gateway.http.response cimport Response

cdef FieldWriter _OUT
cdef int _STATUS, _CONTENT_LENGTH, _CONTENT_TYPE, _DATE, _ETAG, _LAST_MODIFIED, _LOCATION, _SERVER, _VARY
cdef int _CONTENT_ENCODING


cpdef bint decide_end(Request request) except -1
@cython.locals(kept=KeptHead, response=Response)
cpdef bytes response_block(Request request, bytes date)
@cython.locals(name=bytes, value=bytes, listed=set, status=long, location=bytes, response=Response)
cdef bytes _render(Request request, bytes date)
cdef _put_status(long status)
@cython.locals(name=bytes, value=bytes)
cdef _put_others(list fields)
cpdef bytes early_hints_block(list fields)
cpdef bytes trailers_block(list fields)
