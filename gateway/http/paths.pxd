# The types of paths.py's compiled form.
cimport cython

from gateway._fast.cut cimport joined, rest
from gateway.http.request cimport Request


@cython.locals(length=Py_ssize_t)
cpdef bytes map_uri_to_path(Request request, bytes uri)
cpdef bytes document_root(Request request)
cpdef bytes absolute(Request request, bytes path)
