# The types of h1_framing.py's compiled form.
from gateway.http.body cimport BodyDecoder
from gateway.http.client cimport Client
from gateway.http.request cimport Request


cdef class Http1Framing(Client):
    cdef public bytes buffer
    cdef public BodyDecoder decoder
    cdef public bint limited
    cdef public Request request

    cpdef begin_framing(self)
    cpdef _limit_rate(self, Request request)
