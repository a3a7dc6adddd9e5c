# The types of h1_head.py's compiled form.
cimport cython

from gateway._fast.head_writer cimport HeadWriter
from gateway.http.final_head cimport KeptHead, is_usual, leave_body_out
from gateway.http.request cimport Request
from gateway.http.response cimport Response

cdef HeadWriter _OUT


cpdef decide_framing(Request request)
@cython.locals(kept=KeptHead, response=Response)
cpdef bytes render_head(Request request, bytes date)
@cython.locals(name=bytes, value=bytes, listed=set, status=long, location=bytes)
cdef bytes _render(Request request, bytes date)
