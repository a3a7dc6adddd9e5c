# The types of h1_head.py's compiled form.
from gateway.http.request cimport Request


cpdef decide_framing(Request request)
cpdef bytes render_head(Request request, bytes date)
cdef tuple _halves(Request request, bytes date)
cdef bytes _render(Request request, bytes date)
