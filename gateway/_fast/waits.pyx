# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What a fibre can await: park() for its wake(), sleep(), in_trio(); a stream's waits build on Wait."""
cimport cython

from gateway._fast.fibre cimport PARKED, WAITING, Fibre, State, running

from gateway._fast.fibre import MOVE_MARK, PARKED_MARK, FibreCancelled

cdef object parked_mark = PARKED_MARK
cdef object move_mark = MOVE_MARK
cdef object Cancelled = FibreCancelled


@cython.freelist(32)
cdef class Wait:
    """One wait of the running fibre, for a wake() or what a subclass says; True, or False at the deadline."""

    cdef bint ready(self) except -1:
        cdef bint woken = self.fibre.woken
        self.fibre.woken = False
        return woken

    cdef int attach(self) except -1:
        return 0

    cdef int detach(self) except -1:
        return 0

    cdef State state(self):
        return PARKED

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        cdef Fibre fibre = self.fibre
        if not self.begun:
            self.begun = True
            if fibre is not running():
                raise RuntimeError("a fibre's wait was awaited elsewhere")
            if not fibre.cancelled:
                if self.ready():
                    raise StopIteration(True)
                self.attach()
        elif not fibre.cancelled:
            if self.ready():
                self.detach()
                raise StopIteration(True)
            if self.deadline and self.deadline <= fibre.lane.fresh():
                self.detach()
                raise StopIteration(False)
        if fibre.cancelled and not fibre.in_trio:
            self.detach()
            raise Cancelled
        fibre.park(self.deadline, self.state())
        return parked_mark

    def throw(self, *exception):
        self.detach()
        error = exception[1] if len(exception) > 1 and exception[1] is not None else exception[0]
        raise error

    def close(self):
        self.detach()


@cython.final
cdef class Sleep(Wait):

    cdef bint ready(self) except -1:
        return False                    # only the deadline ends it

    cdef State state(self):
        return WAITING


@cython.final
cdef class Move:
    cdef Fibre fibre
    cdef bint begun

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        if not self.begun:
            self.begun = True
            if self.fibre is not running():
                raise RuntimeError("a fibre's wait was awaited elsewhere")
            if self.fibre.cancelled and not self.fibre.in_trio:
                raise Cancelled
            if not self.fibre.in_trio:
                return move_mark
        raise StopIteration(None)


cdef Fibre need_fibre():
    cdef Fibre fibre = running()
    if fibre is None:
        raise RuntimeError("this wait is for the code of a fibre")
    return fibre


def park(double deadline=0.0):
    """Wait for wake(); False when `deadline` (in the lane's time, 0 = none) has passed."""
    cdef Wait wait = Wait.__new__(Wait)
    wait.fibre = need_fibre()
    wait.deadline = deadline
    return wait


def sleep(double seconds):
    """Wait that long; wakes that come meanwhile are kept for the next park()."""
    cdef Sleep wait = Sleep.__new__(Sleep)
    wait.fibre = need_fibre()
    wait.deadline = wait.fibre.lane.fresh() + (seconds if seconds > 0 else 0)
    return wait


def in_trio():
    """Go on as a Trio task in the lane's nursery; nothing happens in a fibre that is one already."""
    cdef Move move = Move.__new__(Move)
    move.fibre = need_fibre()
    return move
