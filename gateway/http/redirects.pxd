# The types of redirects.py's compiled form.
cimport cython

from gateway.http.locations cimport Location
from gateway.http.request cimport Request

cdef long RESTART


@cython.locals(uri=bytes, args=bytes)
cpdef redirect(Request request, bytes target)
cpdef internal_redirect(Request request, bytes uri, bytes args=*)
@cython.locals(location=Location)
cpdef named_location(Request request, bytes name)
