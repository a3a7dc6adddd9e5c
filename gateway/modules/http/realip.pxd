# The types of realip.py's compiled form.
cimport cython

from gateway.http.client cimport Client
from gateway.http.part cimport Part
from gateway.http.request cimport Request


cdef class Replace(Part):
    cdef readonly tuple proxies
    cdef readonly bint recursive
    cdef readonly bint by_proxy_protocol
    cdef readonly bytes header
    cdef readonly bint all_fields
    cdef readonly dict peers
    cdef readonly dict known

    @cython.locals(main=Request, client=Client, peer=bytes, value=bytes, before=tuple, found=tuple)
    cpdef run(self, Request request)
    cpdef _trusts(self, bytes peer)
    cpdef tuple _find(self, bytes peer, bytes value)


cdef class Replaced:
    cdef Client connection
    cdef tuple before


@cython.locals(cleanups=list)
cdef Replaced _replaced(Request main)
@cython.locals(replaced=Replaced, client=Client)
cdef tuple _original(Request request)
cpdef bytes _original_address(Request request)
cpdef bytes _original_port(Request request)
