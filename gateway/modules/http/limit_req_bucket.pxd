# The types of limit_req_bucket.py's compiled form.
cimport cython

from gateway._fast.zones cimport Lock, Table, Words
from gateway.core.template cimport Template

cdef Py_ssize_t _LAST, _EXCESS, _COUNT, _ADMITTED, _WORDS, _KEY_SIZE
cdef long long _IDLE_MS


cdef class Bucket:
    cdef readonly str name
    cdef readonly Template key
    cdef readonly long long rate
    cdef readonly bint synced
    cdef public object exact
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
