# The types of peers.py's compiled form. A Peer stays a class of Python: its words are descriptors.
cimport cython

from gateway._fast.peers cimport PeerState
from gateway.upstream.exchange.attempt cimport Attempt


cdef class Group:
    cdef public Group backup
    cdef public bint is_backup
    cdef public object lock
    cdef public bytes name
    cdef public list peers
    cdef public bint single
    cdef public object sync
    cdef public long long total_weight
    cdef public long tries


cdef class Choice:
    cdef public PeerState current
    cdef public Group group
    cdef public bytes hint
    cdef public bint notify
    cdef public list peers
    cdef public object session
    cdef public object tried
    cdef public long tries

    cpdef get(self, long now)
    @cython.locals(group=Group, peer=PeerState, index=long, wanted=long)
    cpdef _pick(self, long now)
    cpdef long _best(self, long now, long wanted) except -2
    cpdef head_came(self, Attempt attempt)
    cpdef int free(self, object outcome, long now, Attempt attempt=*) except -1
    cpdef _average(self, object peer, Attempt attempt)
    @cython.locals(change=int)
    cpdef int _release(self, object outcome, long now, Attempt attempt) except -1
