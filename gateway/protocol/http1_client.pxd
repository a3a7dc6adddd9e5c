# The types of http1_client.py's compiled form.
cimport cython

from gateway.protocol.cgi cimport PlainReader


cdef class ResponseReader(PlainReader):
    cdef public bint head_only
    cdef public object on_hints
    cdef public object decoder
    cdef public long version
