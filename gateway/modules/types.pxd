# The types of types.py's compiled form.
cimport cython

from gateway.http.request cimport Request
from gateway.http.settings cimport EngineSettings

cdef unsigned char _SLASH, _DOT


@cython.locals(core=EngineSettings, uri=bytes, at=Py_ssize_t, byte=cython.uchar, found=bytes)
cpdef bytes content_type_of(Request request)
