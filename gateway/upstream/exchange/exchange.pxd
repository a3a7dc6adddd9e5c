# The types of exchange.py's compiled form.
cimport cython

from gateway._fast.peers cimport PeerState
from gateway._fast.request_head cimport RequestHead
from gateway.http.body cimport RequestBody, read_body_nowait, read_body_part
from gateway.http.request cimport Request
from gateway.upstream.exchange.peer_answer cimport PeerAnswer
from gateway.upstream.exchange.attempt cimport Attempt
from gateway.upstream.exchange.keepalive cimport PeerConnection
from gateway.upstream.peers.peers cimport Choice
from gateway.upstream.exchange.response cimport UpstreamHead


cdef long DONE, RESTART, SPECIAL, _PICK, _BEGIN, _ASK


cdef class Exchange(PeerAnswer):
    cpdef run(self)
    @cython.locals(request=Request, head=RequestHead)
    cpdef bint _body_comes(self) except -1
    @cython.locals(request=Request, choice=Choice)
    cpdef _begin(self)
    @cython.locals(request=Request)
    cpdef happened(self)
    cpdef late(self)
    cpdef stopped(self)
    @cython.locals(until=double)
    cpdef _plan(self)
    @cython.locals(request=Request, body=RequestBody)
    cpdef bint _take_body_nowait(self) except -1
    cpdef _go_on(self, long what, PeerState peer)
    cpdef _enter_fibre(self)
    @cython.locals(request=Request)
    cpdef _end(self)
    @cython.locals(attempt=Attempt, connection=PeerConnection, choice=Choice)
    cpdef _next(self, object condition)
    @cython.locals(head=UpstreamHead)
    cpdef _unwanted(self)
