# The types of h1_head.py's compiled form.
cimport cython

from gateway._fast.head_writer cimport HeadWriter
from gateway.http.final_head cimport leave_body_out
from gateway.http.request cimport Request

cdef HeadWriter _OUT


cdef class KeptHead:
    cdef bytes date
    cdef long status
    cdef bint keepalive
    cdef long long content_length
    cdef bytes content_type
    cdef bytes etag
    cdef bytes last_modified
    cdef list fields
    cdef bytes head


cpdef decide_framing(Request request)
@cython.locals(kept=KeptHead)
cpdef bytes render_head(Request request, bytes date)
@cython.locals(name=bytes, value=bytes, listed=set, status=long, location=bytes)
cdef bytes _render(Request request, bytes date)
