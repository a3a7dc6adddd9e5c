# The types of servers.py's compiled form.
from gateway.serving.server_names cimport ServerNames
from gateway.stream.plan cimport Plan


cdef class Server:
    cdef public object scope
    cdef public dict confs
    cdef public object core
    cdef public Plan plan
    cdef public object content_by
    cdef public object where
    cdef public list names
    cdef public bytes server_name
    cdef public object tls


cdef class AddressServer:
    cdef public Server server
    cdef public list servers
    cdef public ServerNames names
    cdef public bint proxy_protocol
    cdef public bint ssl
