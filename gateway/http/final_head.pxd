# The types of final_head.py's compiled form.
cimport cython

from gateway.http.request cimport Request


@cython.locals(status=long)
cpdef bint leave_body_out(Request request) except -1
