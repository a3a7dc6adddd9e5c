# The types of h1_head.py's compiled form.
cimport cython

from gateway._fast.head_writer cimport HeadWriter
from gateway.http.request cimport Request

cdef HeadWriter _OUT


cpdef decide_framing(Request request)
@cython.locals(name=bytes, value=bytes, listed=set, status=long, location=bytes)
cpdef bytes render_head(Request request, bytes date)
