# The types of listening.py's compiled form.
from gateway.http.servers cimport AddressServers
from gateway.serving.listening cimport Listening


cdef class HttpListening(Listening):
    cpdef AddressServers servers_for(self, object connection)
