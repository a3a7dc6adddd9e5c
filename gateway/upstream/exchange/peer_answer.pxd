# The types of peer_answer.py's compiled form.
cimport cython

from gateway.http.client cimport Client
from gateway.http.request cimport Request
from gateway.protocol.cgi cimport Reader
from gateway.upstream.exchange.attempt cimport Attempt
from gateway.upstream.exchange.keepalive cimport PeerConnection, Keepalive
from gateway.upstream.exchange.peer_try cimport PeerTry
from gateway.upstream.exchange.response cimport UpstreamHead
from gateway.upstream.exchange.settings cimport ExchangeSettings
from gateway.upstream.peers.peers cimport Choice


cdef long OK


cdef class PeerAnswer(PeerTry):
    @cython.locals(request=Request, head=UpstreamHead, settings=ExchangeSettings, ignored=long, choice=Choice,
                   reader=Reader, without_body=bint, keeps=bint)
    cpdef _answer(self)
    cpdef _begin_body(self, UpstreamHead head)
    cpdef copy_head(self, UpstreamHead head)
    cpdef bint keeps(self, UpstreamHead head, bint buffering) except -1
    @cython.locals(request=Request)
    cpdef finish(self, list pieces)
    @cython.locals(attempt=Attempt, connection=PeerConnection, keepalive=Keepalive, client=Client)
    cpdef release(self)
    cpdef _free(self, object outcome)
