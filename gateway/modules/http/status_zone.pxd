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
    cdef double slow_due
    cdef readonly object rows

    @cython.locals(ms='long long')
    cpdef count(self, Request request, double now, double seconds, long status, long long received, long long sent,
                bint ids)
    cpdef bytes id_of(self, Request request, double now)
    cpdef observe_upstream(self, Request request, double now, bint ids)
    @cython.locals(ms='long long', bucket=long)
    cpdef observe(self, long long base, double seconds, bytes id)


cdef class Counting(Part):
    cdef readonly Counts server
    cdef readonly Counts own
    cdef readonly bint ids

    @cython.locals(client=Client, now=double, status=long, sent='long long')
    cpdef run(self, Request request)
    @cython.locals(received='long long', whole=bint)
    cpdef count(self, Request request, double now, double seconds, long status, long long sent)
