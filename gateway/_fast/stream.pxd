from libc.stdint cimport int64_t

from gateway._fast.file_slice cimport FileSlice
from gateway._fast.handled cimport Handled
from gateway._fast.poller cimport Poller
from gateway._fast.rate cimport Rate
from gateway._fast.waits cimport Wait

cdef enum Kind:
    READABLE
    ROOM
    CONNECTED


cdef class Stream(Handled):
    cdef StreamWait waiter      # the wait of a fibre, if one waits for this stream
    cdef list queue
    cdef Py_ssize_t head
    cdef int64_t head_offset
    cdef readonly int64_t pending
    cdef readonly int64_t sent
    cdef readonly int64_t received
    cdef public int64_t chunk
    cdef Rate rate
    cdef public int error
    cdef readonly bint connecting
    cdef readonly bint writable
    cdef readonly bint peer_closed
    cdef bint out_armed
    cdef bint raised            # recv() told the error
    cdef bint stopped           # at its chunk
    cdef bint unread            # accepted, and not looked at yet: see go_on()
    cdef bint nodelay_due       # TCP_NODELAY is to be set before a second send
    cdef bint corked            # what was sent last waits in the kernel for what follows
    cdef bint write_closed
    cdef public bint ending     # what is queued is the last: TLS says goodbye in the same packet
    cdef object __weakref__

    cpdef recv(self, Py_ssize_t limit=*)
    cpdef write(self, data)
    cpdef int64_t flush(self) except -1
    cpdef nodelay_later(self)
    cdef int hurry(self) except -1
    cpdef int64_t send(self, bytes data) except -1
    cdef int begin(self, Poller lane, int fd, bint connecting, bint readable) except -1
    cdef int first_read(self) except -1
    cdef int take_error(self) except -1
    cdef int tell(self) except -1
    cdef int fail(self, int error) except -1
    cdef int drop_queue(self) except -1
    cdef int full(self) except -1
    cdef int64_t drain(self) except -1
    cdef int64_t send_some(self, int64_t limit) except -2
    cdef int64_t send_file(self, FileSlice slice, int64_t limit) except -2
    cdef int consume(self, int64_t count) except -1


cdef class StreamWait(Wait):
    cdef Stream stream
    cdef Kind kind
    cdef int64_t below


cdef Stream connected(Poller lane, int fd, bint connecting)
cpdef Stream accepted(Poller lane, int fd)
