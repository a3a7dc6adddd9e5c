# The types of feed.py's compiled form.
cimport cython

from gateway.http.output cimport Output
from gateway.http.request cimport Request


cdef class Feed:
    cdef public Request request
    cdef object queue
    cdef long long offset
    cdef readonly long long held
    cdef readonly bint last
    cdef readonly list keepers
    cdef bint flush
    cdef readonly bint ended
    cdef bint busy
    cdef long long buffer
    cdef readonly long long room
    cdef object turn
    cdef object timer
    cdef long long sent
    cdef double since

    cpdef add(self, list pieces, bint last, bint flush)
    @cython.locals(request=Request, done=bint)
    cpdef pull(self)
    @cython.locals(request=Request, output=Output, budget=cython.longlong, done=bint)
    cdef bint _pull(self) except -1
    @cython.locals(room=cython.longlong, left=cython.longlong)
    cdef list _take(self)
    cpdef go_on_later(self)
    cdef _flush(self, bint all_)
    @cython.locals(request=Request)
    cpdef end(self)
    cdef _watch(self)
    cdef bint _waits_for_turn(self) except -1
    cpdef close(self)
