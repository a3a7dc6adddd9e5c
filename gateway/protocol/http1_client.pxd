# The types of http1_client.py's compiled form.
cimport cython

from gateway._fast.cut cimport rest as behind
from gateway._fast.http1_response cimport ResponseHead
from gateway.protocol.cgi cimport PlainReader


cdef class ResponseReader(PlainReader):
    cdef public bint head_only
    cdef public object on_hints
    cdef public object decoder
    cdef public long version

    cpdef begin(self, bint head_only, object on_hints)
    @cython.locals(head=ResponseHead)
    cpdef ResponseHead receive_head(self, bytes data)
    @cython.locals(rest=bytes)
    cpdef bytes begin_body(self, bytes method, long status, long long content_length, bint chunked, bint close)
    cpdef bytes receive_body(self, bytes data)


@cython.locals(reader=ResponseReader)
cpdef ResponseReader new_reader(bint head_only, object on_hints)
