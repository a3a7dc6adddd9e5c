# The types of listening.py's compiled form.
from gateway.http.servers cimport AddressServers


cdef class Listening:
    cdef public object address
    cdef public AddressServers only
    cdef public bint proxy_protocol
    cdef public dict servers

    cpdef AddressServers servers_for(self, object connection)
