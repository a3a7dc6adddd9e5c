# The types of datagrams.py's compiled form.
cimport cython

from gateway.serving.listening cimport Listening
from gateway.serving.worker cimport Worker
from gateway._fast.watcher cimport Watcher
from gateway.stream.session cimport Session


cdef class ClientDatagrams:
    cdef public DatagramListener shared
    cdef public tuple key
    cdef public long long pending
    cdef public bint readable
    cdef public bint peer_closed
    cdef public long long sent
    cdef public int error
    cdef public bint closed
    cdef public object handler

    cpdef long send(self, bytes data) except? -1


cdef class DatagramSession(Session):
    cdef public ClientDatagrams client
    cdef public object inbox
    cdef public Watcher take
    cdef public bint expecting

    cpdef arrived(self, bytes data)
    cpdef let_go(self)
    cpdef _end(self)


cdef class DatagramListener:
    cdef public Worker worker
    cdef public Listening listening
    cdef public dict sessions
    cdef public object source

    @cython.locals(session=DatagramSession)
    cpdef arrived(self, bytes data, bytes peer, bytes local)
    cpdef forget(self, tuple key, DatagramSession session)
