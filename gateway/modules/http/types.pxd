# The types of types.py's compiled form.
cimport cython

from gateway._fast.cut cimport rest
from gateway.http.request cimport Request
from gateway.http.settings cimport EngineSettings

cdef unsigned char _SLASH, _DOT, _A, _Z


@cython.locals(core=EngineSettings, uri=bytes, at=Py_ssize_t, before=Py_ssize_t, byte=cython.uchar, capital=bint,
               extension=bytes, found=bytes)
cpdef bytes content_type_of(Request request)
