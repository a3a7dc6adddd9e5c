# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What a stream has of its events' handler: a deadline, an owner who hears of a crash, and its share of each turn."""
from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from gateway._fast.linux cimport *
from gateway._fast.poller cimport BUDGET, Source
from gateway._fast.watcher cimport Watcher


cdef class Handled(Source):
    """A source that a handler is called for: a Stream."""

    cdef int broke(self, BaseException error) except -1:
        """A handler raised: nobody knows what state it left, so its owner gives up, and the stream ends."""
        cdef object on_crash = self.on_crash
        try:
            if on_crash is not None and isinstance(error, Exception):
                on_crash.crashed(error)
            else:
                self.poller.crash(error, self)
        except BaseException as second:
            self.poller.crash(second, self)
        self.close()
        return 0

    cdef int post(self) except -1:
        """Call go_on() in the next turn."""
        if not self.posted:
            self.posted = True
            self.poller.again.append(self)
            self.poller.poke()
        return 0

    cdef double due_at(self) noexcept:
        return self._deadline if self._deadline else INFINITY

    cdef int sweep(self, double now) except -1:
        callback = self.on_deadline
        handler = self.handler      # held, as in tell()
        self._deadline = 0
        if callback is None and not isinstance(handler, Watcher):
            self.close()
            return 0
        try:
            if callback is None:
                (<Watcher>handler).late()
            else:
                callback()
        except BaseException as error:
            self.broke(error)
        return 0

    @property
    def deadline(self):
        return self._deadline

    @deadline.setter
    def deadline(self, double value):
        self.set_deadline(value)

    cpdef set_deadline(self, double value):
        """`deadline` for compiled callers."""
        self._deadline = value
        if value and self.fd >= 0 and value < self.poller.sweep_at:
            self.poller.late_at(value)

    @property
    def closed(self):
        return self.fd < 0

    cpdef close(self, bint reset=False):
        raise NotImplementedError  # abstract: each kind of what the poller watches has its own

    # -- the share of a turn

    cdef int took(self, int64_t cost) except -1:
        """Count what was read; with the budget, or the turn's time, it is over until the next turn."""
        if self.turn != self.poller.turns:
            self.turn = self.poller.turns
            self.taken = cost
            if cost < BUDGET:
                return 0
        else:
            self.taken += cost
            if self.taken < BUDGET and not self.poller.overtime():
                return 0
        return self.hold()

    cdef int hold(self) except -1:
        self.spent = True
        self.readable = False
        return self.post()

    cpdef bint spend(self, int64_t cost) except -1:
        """Count work on what was read before, such as a request of several in one segment: `cost` is the bytes that
        could have been passed on instead. True: leave the rest, the handler is called in the next turn."""
        if not self.spent and self.fd >= 0:
            self.took(cost)
        return self.spent

    cpdef renew(self):
        """Have a budget again: whoever uses the stream from now on is not to pay for what came before."""
        self.taken = 0
        if self.spent:
            self.spent = False
            self.readable = True

    # -- socket options

    def set_option(self, int level, int option, int value):
        return setsockopt(self.fd, level, option, &value, sizeof(value)) == 0

    cpdef nodelay(self):
        cdef int one = 1
        return setsockopt(self.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0
