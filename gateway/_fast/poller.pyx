# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The lane's epoll: sources of events by descriptor, batches, and the sweep over deadlines.

The epoll data carry the descriptor and a generation, so an event for a descriptor that was closed and accepted anew in
the same batch reaches nobody.
"""
import os

from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EBADF, EINTR, errno
from libc.math cimport INFINITY
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from gateway._fast.fibre cimport Loop
from gateway._fast.linux cimport (
    CLOCK_MONOTONIC, EFD_CLOEXEC, EFD_NONBLOCK, EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLET, EPOLLIN, c_close,
    clock_gettime, epoll_create1, epoll_ctl, epoll_event, epoll_wait, eventfd, timespec,
)

cdef enum:
    BATCH = 256             # events taken from the kernel at once

# A turn that lasts for longer is cut short: each stream reads once more and is done.
cdef double SLICE_S = 0.002

# Deadlines are looked at no more often than this.
cdef double SWEEP_S = 0.25


cdef object os_error(int number):
    return OSError(number, os.strerror(number))


cdef class Poller(Loop):
    """The epoll, and what hangs in it."""

    def __cinit__(self, *args, **options):
        cdef epoll_event event
        self.epoll = self.bell = -1
        self.again = []
        self.sweep_at = INFINITY
        self.swept_at = -INFINITY
        self.events = <epoll_event*>PyMem_Malloc(BATCH * sizeof(epoll_event))
        self.buffer = <char*>PyMem_Malloc(BUFFER)
        if self.events == NULL or self.buffer == NULL:
            raise MemoryError
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        self.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
        if self.epoll < 0 or self.bell < 0:
            raise os_error(errno)
        # the bell's data are those of no source: its edge only ends the wait and is never read
        memset(&event, 0, sizeof(event))
        event.events = EPOLLIN | EPOLLET
        event.data.u64 = 0xffffffff
        if epoll_ctl(self.epoll, EPOLL_CTL_ADD, self.bell, &event) < 0:
            raise os_error(errno)

    def __dealloc__(self):
        # no source is left: each one in the slots holds the lane
        if self.epoll >= 0:
            c_close(self.epoll)
        if self.bell >= 0:
            c_close(self.bell)
        PyMem_Free(self.slots)
        PyMem_Free(self.events)
        PyMem_Free(self.buffer)

    @property
    def epoll_fd(self):
        return self.epoll

    cdef int enter(self, Source source, int fd) except -1:
        """Give the descriptor a source, of whose events the kernel is not asked yet: see Stream.go_on()."""
        cdef Slot* grown
        cdef int room = self.slot_room
        if fd < 0 or self.epoll < 0:
            raise os_error(EBADF)
        if fd >= room:
            room = max(fd + 1, room * 2, 64)
            grown = <Slot*>PyMem_Realloc(self.slots, room * sizeof(Slot))
            if grown == NULL:
                raise MemoryError
            memset(grown + self.slot_room, 0, (room - self.slot_room) * sizeof(Slot))
            self.slots = grown
            self.slot_room = room
        if self.slots[fd].source != NULL:
            raise ValueError(f"descriptor {fd} is in the lane already")
        self.slots[fd].generation += 1
        self.slots[fd].watched = False
        self.slots[fd].source = <PyObject*>source
        Py_INCREF(source)
        source.poller = self
        source.fd = fd
        return 0

    cdef int register(self, Source source, int fd, uint32_t events) except -1:
        cdef int number
        self.enter(source, fd)
        if not self.rearm(fd, events):
            number = errno
            source.fd = -1
            self.forget(fd)
            raise os_error(number)
        return 0

    cdef bint rearm(self, int fd, uint32_t events) noexcept:
        """Ask the kernel for these events; an edge that there is already comes again. False: `errno` says why not."""
        cdef epoll_event event
        cdef Slot* slot = self.slots + fd
        event.events = events
        event.data.u64 = <uint64_t>slot.generation << 32 | <uint32_t>fd
        if epoll_ctl(self.epoll, EPOLL_CTL_MOD if slot.watched else EPOLL_CTL_ADD, fd, &event) < 0:
            return False
        slot.watched = True
        return True

    cdef int forget(self, int fd) except -1:
        """The descriptor is closed or taken out; later events with its generation reach nobody."""
        cdef PyObject* source = self.slots[fd].source
        self.slots[fd].source = NULL
        self.slots[fd].generation += 1
        Py_DECREF(<Source>source)
        return 0

    cdef int replace(self, Source old, Source new) except -1:
        """Give the descriptor of one source to another; the kernel hears nothing of it."""
        cdef int fd = old.fd
        if fd < 0 or self.slots[fd].source != <PyObject*>old:
            raise os_error(EBADF)
        self.slots[fd].source = <PyObject*>new
        Py_INCREF(new)
        new.poller = self
        new.fd = fd
        old.fd = -1
        Py_DECREF(old)
        return 0

    cdef int poll(self, int timeout_ms) except -1:
        """Take one batch of events and hand each to its source; the number of events."""
        cdef int count, i
        cdef uint64_t data
        cdef uint32_t fd
        cdef Source source
        self.turns += 1
        if timeout_ms:
            with nogil:
                count = epoll_wait(self.epoll, self.events, BATCH, timeout_ms)
        else:
            count = epoll_wait(self.epoll, self.events, BATCH, 0)
        if count < 0:
            if errno != EINTR:
                raise os_error(errno)
            count = 0
        self.full = count == BATCH
        self.refresh()
        for i in range(count):
            data = self.events[i].data.u64
            fd = <uint32_t>data
            if fd >= <uint32_t>self.slot_room:
                continue
            if self.slots[fd].source != NULL and self.slots[fd].generation == <uint32_t>(data >> 32):
                source = <Source>self.slots[fd].source
                source.event(self.events[i].events)
        return count

    cdef bint overtime(self) noexcept:
        """Whether this turn lasts too long; never under a clock that is not the kernel's, which counts bytes alone."""
        cdef timespec t
        if self.clock is not None:
            return False
        clock_gettime(CLOCK_MONOTONIC, &t)
        return t.tv_sec + t.tv_nsec * 1e-9 - self._now > SLICE_S

    cdef int run_again(self, list sources) except -1:
        """Go on with the streams that stopped in the middle."""
        for source in sources:
            (<Source>source).go_on()
        return 0

    cdef int late_at(self, double deadline) except -1:
        """A deadline was set: see that a sweep comes in time."""
        cdef double when = max(deadline, self.swept_at + SWEEP_S)
        if when < self.sweep_at:
            self.sweep_at = when
            if when < self.wake_at:
                self.poke()
        return 0

    cdef int sweep(self) except -1:
        """Call what is late, and find the next moment at which something can be."""
        cdef double now = self._now
        cdef double first = INFINITY
        cdef double due
        cdef int i = 0
        cdef Source source
        self.swept_at = now
        self.sweep_at = INFINITY
        while i < self.slot_room:
            if self.slots[i].source != NULL:
                due = (<Source>self.slots[i].source).due_at()
                if due <= now:
                    source = <Source>self.slots[i].source
                    source.sweep(now)
                elif due < first:
                    first = due
            i += 1
        # late_at() may have been called meanwhile, for a deadline set by a callback
        self.sweep_at = min(self.sweep_at, max(first, now + SWEEP_S))
        return 0

    def sources(self):
        """All that is registered now."""
        cdef int i
        return [<Source>self.slots[i].source for i in range(self.slot_room) if self.slots[i].source != NULL]

    def close_sources(self):
        """Close every stream and stop every listener."""
        for source in self.sources():
            (<Source>source).end()


cdef class Source:
    """A descriptor in the lane's epoll."""

    def __cinit__(self, *args, **options):
        self.fd = -1

    @property
    def lane(self):
        return self.poller

    cdef int event(self, uint32_t events) except -1:
        return 0

    cdef int go_on(self) except -1:
        return 0

    cdef double due_at(self) noexcept:
        return INFINITY

    cdef int sweep(self, double now) except -1:
        return 0

    cdef int end(self) except -1:
        return 0
