# The types of exchange.py's compiled form.
from gateway.upstream.asking cimport Asking


cdef class Exchange(Asking):
    cpdef release(self)
    cpdef _free(self, object outcome)
    cpdef _next(self, object condition)
    cpdef finish(self, list pieces)
