# The types of h2_floods.py's compiled form.
cimport cython

cdef long _MOST_ANSWERS, _OVERHEAD, _SHARE, _FRAME_HEAD, _NO_ERROR, _ENHANCE_YOUR_CALM


cdef class Floods:
    cdef public long concurrent_streams
    cdef public long idle_limit
    cdef public long most_refused
    cdef public long priorities
    cdef public long long total_bytes
    cdef public long long payload_bytes
    cdef public long long answers
    cdef public long idle_events
    cdef public long new_streams
    cdef public long canceled_streams
    cdef public long refused_streams

    cpdef event(self, bint idle)
    cpdef received(self, long long size)
    cpdef bint too_many_answers(self) except -1
    cpdef sent(self, long long pending)
    cpdef stream_begins(self)
    @cython.locals(under_way=long)
    cpdef str refusal(self, long open_streams, bint early)
    cpdef refused(self)
    cpdef priority(self)
