# The types of part.py's compiled form.
cimport cython

from gateway._fast.value cimport Getter

cdef class Part  # request.pxd has it too, and needs the name
from gateway.http.request cimport Request


cdef class Part:
    cpdef run(self, Request request)


cdef class FunctionPart(Part):
    cdef readonly Getter function

    cpdef run(self, Request request)


cdef class InTurn(Part):
    cdef readonly tuple parts

    @cython.locals(i=Py_ssize_t, part=Part)
    cpdef run(self, Request request)


cdef class MainOnly(Part):
    cdef readonly Part handler

    cpdef run(self, Request request)
