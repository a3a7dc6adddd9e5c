from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t

from gateway._fast.fibre cimport Fibre, Loop, Wait
from gateway._fast.linux cimport epoll_event
from gateway._fast.timers cimport Due

cdef struct Slot:
    PyObject* source            # NULL: this descriptor is not ours
    uint32_t generation         # counts the sources that had this descriptor


cdef class Poller(Loop):
    cdef int epoll
    cdef epoll_event* events
    cdef char* buffer           # every recv of the lane goes through it
    cdef Slot* slots
    cdef int slot_room
    cdef list again             # streams that stopped at their chunk while the socket takes more
    cdef double sweep_at        # the earliest moment at which a deadline can be late
    cdef double swept_at
    cdef readonly Py_ssize_t streams
    cdef readonly int64_t accepted
    cdef readonly int64_t handled

    cdef int register(self, Source source, int fd, uint32_t events) except -1
    cdef int forget(self, int fd) except -1
    cdef int rearm(self, int fd, uint32_t events) except -1
    cdef int poll(self, int timeout_ms) except -1
    cdef int run_again(self) except -1
    cdef int sweep(self) except -1
    cdef int late_at(self, double deadline) except -1


cdef class Source:
    cdef Poller poller
    cdef readonly int fd

    cdef int event(self, uint32_t events) except -1
    cdef int sweep(self, double now) except -1
    cdef double due_at(self) noexcept
    cdef int end(self) except -1


cdef class FileSlice:
    cdef readonly int fd
    cdef readonly int64_t offset
    cdef readonly int64_t length
    cdef readonly object owner


cdef class Rate(Due):
    cdef Stream stream
    cdef int64_t rate
    cdef int64_t after
    cdef int64_t base
    cdef double start
    cdef double until


cdef class Stream(Source):
    cdef public object handler
    cdef public object on_deadline
    cdef double _deadline
    cdef Fibre waiter           # a fibre in one of the waits below; it is told instead of the handler
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
    cdef readonly bint readable
    cdef readonly bint writable
    cdef readonly bint peer_closed
    cdef bint out_armed
    cdef bint raised            # recv() told the error
    cdef bint stopped           # at its chunk, in Poller.again
    cdef bint write_closed
    cdef object __weakref__

    cdef int take_error(self) except -1
    cdef int tell(self) except -1
    cdef int fail(self, int error) except -1
    cdef int drop_queue(self) except -1
    cdef int full(self) except -1
    cdef int64_t drain(self) except -1
    cdef int64_t send_some(self, int64_t limit) except -2
    cdef int64_t send_file(self, FileSlice slice, int64_t limit) except -2
    cdef int consume(self, int64_t count) except -1
    cdef int64_t allowance(self, int64_t limit) except -1
