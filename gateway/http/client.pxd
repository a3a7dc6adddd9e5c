# The types of client.py's compiled form.
from gateway._fast.lane cimport Lane
from gateway._fast.request_head cimport RequestHead
from gateway._fast.stream cimport Stream
from gateway.http.listening cimport HttpListening
from gateway.http.output cimport Output
from gateway.http.request cimport Request
from gateway.http.servers cimport AddressServers, Server
from gateway.serving.worker cimport Worker


cdef class Client(Output):
    cdef public object handshake
    cdef public Lane lane
    cdef public HttpListening listening
    cdef public object local
    cdef public long number
    cdef public object peer
    cdef public object proxy
    cdef public long requests
    cdef public bytes scheme
    cdef public Server server
    cdef public double started
    cdef public Stream stream
    cdef public Worker worker

    cpdef begin_client(self, Worker worker, Stream stream, object peer, HttpListening listening, long number)
    cpdef remote(self)
    cpdef local_address(self)
    cpdef head_read(self, Request request, RequestHead head, AddressServers servers)
    cpdef bint may_ask(self, Request request) except -1
    cpdef request_ends(self, Request request)
    cpdef log_end(self, Request request)
