# The types of common_variables.py's compiled form.
cimport cython

from gateway._fast.cut cimport decimal
from gateway._fast.request_head cimport RequestHead
from gateway._fast.value cimport Value
from gateway.http.client cimport Client
from gateway.http.paths cimport document_root as root_of
from gateway.http.request cimport Request


cpdef bytes args(Request request)
@cython.locals(main=Request)
cpdef bytes uri(Request request)
@cython.locals(main=Request)
cpdef bytes request_uri(Request request)
@cython.locals(main=Request)
cpdef bytes request_method(Request request)
@cython.locals(client=Client)
cpdef bytes scheme(Request request)
cpdef bytes server_protocol(Request request)
cpdef bytes host(Request request)
@cython.locals(port=long)
cpdef bytes request_port(Request request)
@cython.locals(port=long, name=bytes)
cpdef bytes host_and_port(Request request)
cpdef bytes server_name(Request request)
cdef long _port
cdef bytes _port_text
@cython.locals(client=Client, port=long)
cpdef bytes server_port(Request request)
@cython.locals(client=Client)
cpdef bytes remote_addr(Request request)
@cython.locals(client=Client)
cpdef bytes remote_port(Request request)
@cython.locals(head=RequestHead)
cpdef bytes content_length(Request request)
cpdef bytes content_type(Request request)
cpdef bytes document_root(Request request)


cdef class HttpField(Value):
    cdef public bytes name

    cpdef value(self, request)
