# The types of limit_req.py's compiled form.
cimport cython

from gateway.http.client cimport Client
from gateway.http.part cimport Part
from gateway.http.request cimport Request
from gateway.modules.http.limit_req_bucket cimport Bucket


cdef class Limit:
    cdef readonly object zone
    cdef public Bucket bucket
    cdef readonly long long burst
    cdef readonly long long delay
    cdef readonly bint exact


cdef class Check(Part):
    cdef readonly tuple limits
    cdef readonly long status
    cdef readonly str level
    cdef readonly bytes dry
    cdef readonly bint exact

    @cython.locals(
        values=dict, main=Request, client=Client, now='long long', held=list, asked=list, passed=list,
        worst='long long', excess='long long', limited=Limit, last=Limit, limit=Limit, bucket=Bucket, key=bytes,
        allowed=bint, record='long long', filled='long long', delay='long long',
    )
    cpdef run(self, Request request)
    cpdef refuse(self, Request request, Bucket bucket)
    @cython.locals(values=dict, client=Client, slowest=Bucket, bucket=Bucket)
    cpdef let_in(self, Request request, object asked, long long worst, long long excess, Limit limited)
