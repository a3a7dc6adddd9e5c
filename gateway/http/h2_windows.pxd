# The types of h2_windows.py's compiled form.
cimport cython

from gateway.http.h2_stream cimport Http2Stream

cdef long _FLOW_CONTROL_ERROR
cdef long long _MAX_WINDOW, _DEFAULT_WINDOW


cdef class Windows:
    cdef public long long send
    cdef public long long receive
    cdef public long long initial
    cdef public long long widest
    cdef public set held
    cdef public long long enough

    @cython.locals(increment="long long")
    cpdef long long take_in(self, long long size) except -1
    cpdef widen(self, long long increment)
    cpdef hold(self, Http2Stream stream)
    cpdef let_go(self, Http2Stream stream)
    @cython.locals(wider=bint, stream=Http2Stream)
    cpdef begin_with(self, long long size, dict streams)
