# The types of limit_req.py's compiled form.
cimport cython

from gateway._fast.zones cimport Lock, Table, Words
from gateway.core.template cimport Template
from gateway.http.client cimport Client
from gateway.http.part cimport Part
from gateway.http.request cimport Request

cdef Py_ssize_t _LAST, _EXCESS, _COUNT, _ADMITTED, _WORDS
cdef long long _IDLE_MS


cdef class Bucket:
    cdef readonly str name
    cdef readonly Template key
    cdef readonly long long rate
    cdef readonly bint synced
    cdef readonly long long longest
    cdef readonly Table table
    cdef readonly Words counts
    cdef readonly Lock lock
    cdef readonly object zone

    @cython.locals(elapsed='long long')
    cpdef long long elapsed(self, long long record, long long now) except? -1
    cpdef long long excess(self, long long record, long long elapsed) except? -1
    cpdef long long leaked(self, long long elapsed) except? -1
    cpdef (bint, long long, long long) look_locked(self, bytes key, long long burst, long long now, bint account)
    @cython.locals(record='long long', excess='long long', elapsed='long long')
    cpdef (bint, long long, long long) look(self, bytes key, long long burst, long long now, bint account)
    @cython.locals(filled='long long', elapsed='long long')
    cpdef long long settle(self, long long record, long long now) except? -1
    cpdef fill(self, long long record, long long excess, long long elapsed, long long now)
    @cython.locals(record='long long', elapsed='long long', attempt='long long')
    cpdef expire(self, long long now, long long begin)


cdef class Limit:
    cdef readonly object zone
    cdef public Bucket bucket
    cdef readonly long long burst
    cdef readonly long long delay


cdef class Check(Part):
    cdef readonly tuple limits
    cdef readonly long status
    cdef readonly str level
    cdef readonly bytes dry

    @cython.locals(
        values=dict, main=Request, client=Client, now='long long', held=list, asked=list, worst='long long',
        excess='long long', limited=Limit, last=Limit, limit=Limit, bucket=Bucket, key=bytes, allowed=bint,
        record='long long', filled='long long', delay='long long',
    )
    cpdef run(self, Request request)
