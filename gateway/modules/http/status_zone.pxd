# The types of status_zone.py's compiled form.
cimport cython

from gateway._fast.zone_counts cimport ZoneCounts
from gateway._fast.zones cimport Words
from gateway.http.client cimport Client
from gateway.http.core_variables cimport request_length
from gateway.http.part cimport Part
from gateway.http.request cimport Request

cdef long _PROCESSING, _REQUESTS, _DISCARDED, _RECEIVED, _SENT, _TIMES, _UPSTREAM_TIMES, _CODES, _WORDS
cdef long _FIRST_BOUND, _SUM
cdef double _EXAMPLE_EVERY_S


cdef class Counts:
    cdef readonly str kind
    cdef readonly str name
    cdef public Words words
    cdef public ZoneCounts zone
    cdef double example_due

    @cython.locals(status=long, client=Client, now=double, seconds=double, ms='long long', sent='long long')
    cpdef count(self, Request request, bint ids)
    cpdef observe_upstream(self, object exchange, bytes id)
    @cython.locals(ms='long long', bucket=long)
    cpdef observe(self, long long base, double seconds, bytes id)


cdef class _End(Part):
    cdef readonly Counts server
    cdef readonly Counts own
    cdef readonly bint ids

    cpdef run(self, Request request)
