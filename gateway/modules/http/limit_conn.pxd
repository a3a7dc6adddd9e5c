# The types of limit_conn.py's compiled form.
cimport cython

from gateway._fast.zones cimport Lock, Table, Words
from gateway.core.template cimport Template
from gateway.http.part cimport Part
from gateway.http.request cimport Request

cdef Py_ssize_t _COUNT, _PID, _SUM, _WORDS


cdef class Connections:
    cdef readonly str name
    cdef readonly Template key
    cdef readonly bint synced
    cdef readonly Table table
    cdef readonly Words counts
    cdef readonly Lock lock
    cdef readonly object zone

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


@cython.locals(limit=Limit, own='long long')
cpdef object check(object subject, object settings)


cdef class Check(Part):
    cdef readonly object settings

    @cython.locals(main=Request)
    cpdef run(self, Request request)
