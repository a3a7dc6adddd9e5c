# The types of request_history.py's compiled form.
cimport cython

from gateway._fast.ring_writer cimport RingWriter, front_of
from gateway.http.client cimport Client
from gateway.http.part cimport Part
from gateway.http.request cimport Request
from gateway.http.response cimport Response
from gateway.modules.http.status_zone cimport Counting


cdef class History:
    cdef readonly str path
    cdef readonly long requests
    cdef readonly long size
    cdef readonly long body
    cdef public object ring
    cdef public RingWriter writer
    cdef public bint closed
    cdef public tuple upstream
    cdef public dict replays
    cdef object _log


cdef class Keep(Part):
    cdef readonly History history
    cdef readonly bytes front
    cdef readonly long kept
    cdef readonly Counting zones

    @cython.locals(client=Client, sent='long long')
    cpdef run(self, Request request)
    @cython.locals(writer=RingWriter, id=bytes, notes=bytes, values=dict, client=Client, response=Response,
                   took=double, status=long, local=tuple, remote=tuple, number='long long', replays=dict)
    cpdef ended(self, Request request, double now, long long sent)
    cpdef keep_body(self, RingWriter writer, object body)
    cpdef keep_upstream(self, RingWriter writer, Request request)
    @cython.locals(pair=tuple)
    cpdef keep_answer(self, RingWriter writer, Response response)
