# The types of index.py's compiled form.
cimport cython

from gateway.core.template cimport Template
from gateway.http.part cimport Part
from gateway.http.redirects cimport internal_redirect
from gateway.http.request cimport Request
from gateway.modules.http.file_access cimport test_file


cdef class Index(Part):
    cdef readonly tuple files

    @cython.locals(uri=bytes, method=bytes, directory=bytes, path=bytes, name=bytes, file=Template)
    cpdef run(self, Request request)
