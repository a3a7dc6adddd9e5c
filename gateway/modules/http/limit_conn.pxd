# The types of limit_conn.py's compiled form.
cimport cython

from gateway._fast.cut cimport joined
from gateway._fast.zones cimport Lock, Table, Words
from gateway.core.template cimport Template
from gateway.http.part cimport Part
from gateway.http.request cimport Request

cdef Py_ssize_t _COUNT, _PID, _SUM, _WORDS
cdef Py_ssize_t _PASSED, _REJECTED, _REJECTED_DRY_RUN
cdef bytes _SUM_PID


cdef class Connections:
    cdef readonly str name
    cdef readonly Template key
    cdef readonly bint synced
    cdef readonly long long pid
    cdef readonly bytes pid_bytes
    cdef readonly Table table
    cdef readonly Words counts
    cdef readonly Lock lock
    cdef readonly object zone

    cpdef become(self, long long pid)
    @cython.locals(total='long long', own='long long')
    cpdef long long enter(self, bytes key, long long limit) except? -1
    cpdef leave(self, long long own)
    @cython.locals(total='long long')
    cpdef _take(self, long long own, long long count)


cdef class Held:
    cdef Connections connections
    cdef long long record


cdef class Limit:
    cdef readonly object zone
    cdef readonly long long most
    cdef public Connections connections


cdef class Limits:
    cdef readonly tuple limits
    cdef readonly str level
    cdef readonly bint dry

    @cython.locals(before=Py_ssize_t, outcome=bytes, limit=Limit, connections=Connections, key=bytes, own='long long')
    cpdef bytes enter(self, object subject, list held)
    cpdef bytes _rejected(self, object subject, Connections connections, object full)


cdef class Check(Part):
    cdef readonly Limits limits
    cdef readonly long status

    @cython.locals(main=Request, values=dict, outcome=bytes)
    cpdef run(self, Request request)


cpdef bytes status(Request request)
