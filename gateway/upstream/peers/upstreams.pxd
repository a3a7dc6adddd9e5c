# The types of upstreams.py's compiled form.
from gateway.upstream.exchange.keepalive cimport Keepalive
from gateway.upstream.peers.peers cimport Choice, Group


cdef class Upstream:
    cdef public object balancer
    cdef public bint explicit
    cdef public Group group
    cdef public list health_checks
    cdef public Keepalive keepalive
    cdef public object make_balancer
    cdef public bytes name
    cdef public long port
    cdef public object queue
    cdef public object resolver
    cdef public double resolver_timeout
    cdef public set seen
    cdef public list servers
    cdef public object shared
    cdef public str state
    cdef public object sticky
    cdef public object where
    cdef public bint without_backup
    cdef public bint zoned

    cpdef Choice choose(self, object request)
