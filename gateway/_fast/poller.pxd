from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t

from gateway._fast.fibre cimport Loop
from gateway._fast.linux cimport epoll_event

cdef enum:
    BUFFER = 65536              # one read takes at most this; larger bodies come in several
    BUDGET = 262144             # bytes that a stream may take in a turn: see Stream.took()
    READ_COST = 1024            # what a read takes of that at least, however little came


cdef struct Slot:
    PyObject* source            # NULL: this descriptor is not ours
    uint32_t generation         # counts the sources that had this descriptor
    bint watched                # the kernel's epoll has it, too


cdef class Poller(Loop):
    cdef int epoll
    cdef epoll_event* events
    cdef char* buffer           # every recv of the lane goes through it
    cdef Slot* slots
    cdef int slot_room
    cdef list again             # streams that stopped in the middle, and go on in the next turn
    cdef uint64_t turns         # rounds of the lane: a stream's budget is for one of them
    cdef bint full              # its batch had no room for more: some of what happened before may not be here yet
    cdef double sweep_at        # the earliest moment at which a deadline can be late
    cdef double swept_at
    cdef readonly Py_ssize_t streams
    cdef readonly int64_t accepted
    cdef readonly int64_t handled

    cdef int enter(self, Source source, int fd) except -1
    cdef int register(self, Source source, int fd, uint32_t events) except -1
    cdef int forget(self, int fd) except -1
    cdef int replace(self, Source old, Source new) except -1
    cdef bint rearm(self, int fd, uint32_t events) noexcept
    cdef int poll(self, int timeout_ms) except -1
    cdef int run_again(self, list sources) except -1
    cdef bint overtime(self) noexcept
    cdef int sweep(self) except -1
    cdef int late_at(self, double deadline) except -1


cdef class Source:
    cdef Poller poller
    cdef readonly int fd

    cdef int event(self, uint32_t events) except -1
    cdef int go_on(self) except -1
    cdef int sweep(self, double now) except -1
    cdef double due_at(self) noexcept
    cdef int end(self) except -1


cdef object os_error(int number)
