# The types of servers.py's compiled form.
from gateway._fast.request_head cimport HeadLimits
from gateway._fast.zone_counts cimport ZoneCounts
from gateway.http.locations cimport Location, LocationTable
from gateway.serving.server_names cimport ServerNames


cdef class Server:
    cdef public object scope
    cdef public list names
    cdef public bytes server_name
    cdef public LocationTable locations
    cdef public Location root
    cdef public dict confs
    cdef public object core
    cdef public HeadLimits limits
    cdef public double header_timeout
    cdef public bint http2
    cdef public object http2_settings
    cdef public object http3
    cdef public tuple handlers
    cdef public ZoneCounts counts
    cdef public object tls
    cdef public object where


cdef class AddressServers(ServerNames):
    cdef public Server default
    cdef public list servers
    cdef public bint single
    cdef public bint http2
    cdef public bint quic
    cdef public bint ssl
    cdef public object options
