from libc.stdint cimport int64_t

from gateway._fast.poller cimport Poller
from gateway._fast.sender cimport Sender
from gateway._fast.waits cimport Wait

cdef enum Kind:
    READABLE
    ROOM
    CONNECTED


cdef class Stream(Sender):
    cdef StreamWait waiter      # the wait of a fibre, if one waits for this stream
    cdef readonly int64_t received
    cdef readonly bint connecting
    cdef readonly bint peer_closed
    cdef bint raised            # recv() told the error
    cdef bint unread            # accepted, and not looked at yet: see go_on()
    cdef object __weakref__

    cpdef recv(self, Py_ssize_t limit=*)
    cdef int begin(self, Poller lane, int fd, bint connecting, bint readable) except -1
    cdef int first_read(self) except -1
    cdef int take_error(self) except -1
    cdef int tell(self) except -1


cdef class StreamWait(Wait):
    cdef Stream stream
    cdef Kind kind
    cdef int64_t below


cdef Stream connected(Poller lane, int fd, bint connecting)
cpdef Stream accepted(Poller lane, int fd)
