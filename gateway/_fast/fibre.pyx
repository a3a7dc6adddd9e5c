# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Fibres: coroutines that the lane drives itself, and that can go on as Trio tasks.

A fibre's coroutine yields PARKED to whoever drives it and is resumed once what it waits for has come. The driver is
the lane, or after in_trio() a Trio task (gateway.core.lane); park() and the other waits work the same under both.
"""
cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport uint64_t

from gateway._fast.linux cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, eventfd_write, timespec
from gateway._fast.timers cimport Due, Heap

# Of trio.lowlevel; see use_trio().
cdef object reschedule = None
cdef object succeeded = None

cdef extern from *:
    """
    static PyObject *send_none(PyObject *coro, int *done)
    {
        PyObject *result;
        *done = PyIter_Send(coro, Py_None, &result) != PYGEN_NEXT;
        return result;                 /* NULL: the coroutine raised */
    }
    """
    object send_none(object coro, int* done)


def use_trio():
    """Bind what a running lane needs of Trio. Not at import: Trio takes as long to load as all the rest."""
    global reschedule, succeeded
    from trio import lowlevel
    reschedule = lowlevel.reschedule
    succeeded = lowlevel.Abort.SUCCEEDED


class FibreCancelled(BaseException):
    """Raised by the waits of a fibre after its cancel(); in a Trio task it is trio.Cancelled instead."""


class Marker:
    def __init__(self, str name):
        self.name = name

    def __repr__(self):
        return self.name


PARKED_MARK = Marker("PARKED")
MOVE_MARK = Marker("IN_TRIO")
DONE_MARK = Marker("DONE")

cdef object parked_mark = PARKED_MARK
cdef object move_mark = MOVE_MARK
cdef object done_mark = DONE_MARK
cdef object Cancelled = FibreCancelled
cdef Fibre current = None

cdef Fibre running():
    return current


cdef class Loop:
    """Clock, timers and fibres: what of the lane knows no sockets."""

    def __cinit__(self, *args, **options):
        self.timers = Heap()
        self.ready = []
        self.spare = []
        self.bell = -1

    # -- the clock

    cdef double refresh(self) noexcept:
        cdef timespec t
        if self.clock is None:
            clock_gettime(CLOCK_MONOTONIC, &t)
            self._now = t.tv_sec + t.tv_nsec * 1e-9
        else:
            self._now = self.clock()
        clock_gettime(CLOCK_REALTIME, &t)
        self._wall = t.tv_sec + t.tv_nsec * 1e-9
        return self._now

    cdef double fresh(self) noexcept:
        # `now`, as a call of C's; in a Trio task the batch's own time would be old
        return self._now if self.inside else self.refresh()

    @property
    def now(self):
        return self.fresh()

    @property
    def wall(self):
        return self.wall_time()

    cdef double wall_time(self) noexcept:
        # `wall`, as a call of C's
        if not self.inside:
            self.refresh()
        return self._wall

    # -- waking up

    cdef int poke(self) except -1:
        if self.asleep and not self.poked:
            self.poked = True
            eventfd_write(self.bell, 1)
        return 0

    def plan_due(self, Due due not None, double when):
        """plan() for what is not compiled."""
        self.plan(due, when)

    def unplan_due(self, Due due not None):
        """unplan() likewise."""
        self.unplan(due)

    cdef int plan(self, Due due, double when) except -1:
        """Put `due` in the heap, and see that a sleeping lane is awake by then."""
        self.timers.push(due, when)
        if when < self.wake_at:
            self.poke()
        return 0

    cdef int unplan(self, Due due) except -1:
        return self.timers.remove(due)

    cdef int plan_behind(self, Due due) except -1:
        """Within a turn: have it called once, when what has happened by now was seen to. One has this place, so far."""
        if self.behind is not due:
            self.run_behind()
            self.behind = due
        return 0

    cdef int run_behind(self) except -1:
        cdef Due due = self.behind
        if due is not None:
            self.behind = None
            try:
                due.fire()
            except BaseException as error:
                self.crash(error, due)
        return 0

    def settle(self):
        """Do now what waits for the end of this batch of events: somebody is about to read what it writes."""
        self.run_behind()

    cdef int enqueue(self, Due due) except -1:
        self.ready.append(due)
        self.poke()
        return 0

    cdef int run_ready(self) except -1:
        """Resume what was in the queue; what it adds comes next time."""
        cdef list batch = self.ready
        if not batch:
            return 0
        self.ready = self.spare
        self.spare = batch
        for fibre in batch:
            (<Fibre>fibre).resume()
        batch.clear()
        return 1

    cdef int run_due(self) except -1:
        cdef double now = self._now
        cdef uint64_t last = self.timers.turns
        cdef Due due
        # what is set meanwhile waits for the next round, even when it is due at once
        while self.timers.size and self.timers.first() <= now and (<Due>self.timers.dues[0]).turn < last:
            due = self.timers.pop()
            try:
                due.fire()
            except BaseException as error:
                self.crash(error, due)
        return 0

    def call_later(self, double delay_s, callback):
        """Call `callback()` from the lane after `delay_s` seconds."""
        cdef Timer timer = Timer.__new__(Timer)
        timer.lane = self
        timer.callback = callback
        self.plan(timer, self.fresh() + delay_s)
        return timer

    # -- fibres

    def spawn(self, coro, on_crash=None):
        """Run `coro` at once up to its first wait; from then on the lane drives it."""
        cdef Fibre fibre = Fibre.__new__(Fibre)
        fibre.lane = self
        fibre.coro = coro
        fibre.on_crash = on_crash
        fibre.state = QUEUED
        fibre.after = self.fibres
        if self.fibres != NULL:
            (<Fibre>self.fibres).before = <PyObject*>fibre
        self.fibres = <PyObject*>fibre
        Py_INCREF(fibre)
        self.fibre_count += 1
        fibre.resume()
        return fibre

    def adopt(self, fibre):
        """Go on with the fibre as a Trio task (gateway.core.lane does it)."""
        raise RuntimeError("in_trio() needs a lane that runs")

    cdef int close_fibres(self) except -1:
        """Cancel every fibre that the lane drives, so that its finally blocks run now."""
        cdef Fibre fibre
        cdef PyObject* each = self.fibres
        cdef list found = []
        while each != NULL:
            fibre = <Fibre>each
            each = fibre.after
            if not fibre.in_trio:
                found.append(fibre)
        for item in found:
            fibre = <Fibre>item
            fibre.cancelled = True
            if fibre.state == PARKED or fibre.state == WAITING or fibre.state == QUEUED:
                fibre.state = QUEUED
                fibre.resume()
            if fibre.state != DONE and fibre.state != MOVING:
                # it caught the cancellation and waits again: the coroutine itself is ended
                try:
                    fibre.coro.close()
                except BaseException as error:
                    self.crash(error, fibre)
                fibre.finish()
        return 0

    cdef int crash(self, BaseException error, object where) except -1:
        """A failure of a handler, a timer or a fibre: told to on_crash, while the lane goes on."""
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            self.fatal = error
            return 0
        try:
            if self.on_crash is not None:
                self.on_crash(error, where)
                return 0
        except Exception as second:
            error = second
        try:
            import traceback
            traceback.print_exception(error)
        except MemoryError:
            pass                                # there is none to say it with
        return 0


@cython.final
cdef class Timer(Due):
    """A callback that is due at a time; cancel() may come at any moment, more than once."""
    cdef Loop lane
    cdef object callback

    cdef int fire(self) except -1:
        callback = self.callback
        self.callback = None
        callback()
        return 0

    @property
    def active(self):
        return self.place >= 0

    def cancel(self):
        self.callback = None
        self.lane.timers.remove(self)


@cython.final
cdef class Fibre(Due):
    """A coroutine in the lane; wake() may be set as a stream's handler."""

    @property
    def done(self):
        return self.state == DONE

    def wake(self):
        """End the park() of this fibre; when it is not in one, the next park() returns at once."""
        if self.state != DONE:
            self.woken = True
            if self.state == PARKED:
                self.rouse()

    def cancel(self):
        """Make the wait it is in, and every later one, raise; it is resumed from the lane, not from here."""
        if self.state == DONE or self.cancelled:
            return
        self.cancelled = True
        if self.scope is not None:
            self.scope.cancel()
        elif self.state == PARKED or self.state == WAITING:
            self.rouse()

    cdef int fire(self) except -1:
        """The heap's entry came up: the deadline of the wait, or of one long over."""
        if self.state == PARKED or self.state == WAITING:
            if self.deadline and self.deadline > self.lane._now:
                self.lane.timers.push(self, self.deadline)
            elif self.deadline:
                self.rouse()
        return 0

    cdef int rouse(self) except -1:
        """Let a fibre that waits go on, once."""
        if self.state != PARKED and self.state != WAITING:
            return 0
        if self.in_trio:
            self.state = RUNNING
            task, self.task = self.task, None
            self.owe()
            reschedule(task)
        else:
            self.state = QUEUED
            self.lane.enqueue(self)
        return 0

    cdef void owe(self) noexcept:
        # until its step has come the lane does not linger: a batch of Trio's may run the lane first
        if not self.owed:
            self.owed = True
            self.lane.trio_due += 1

    cdef void paid(self) noexcept:
        if self.owed:
            self.owed = False
            self.lane.trio_due -= 1

    cdef int park(self, double deadline, State state) except -1:
        """Note that the coroutine yields now; an entry in the heap that is early enough is left where it is."""
        self.state = state
        self.deadline = deadline
        if deadline and (self.place < 0 or self.when > deadline):
            self.lane.plan(self, deadline)
        return 0

    cdef int resume(self) except -1:
        """Run the coroutine until it waits again; the lane's driver."""
        global current
        cdef Fibre outer
        cdef int done = 0
        if self.state != QUEUED:
            return 0
        outer = current
        current = self
        self.state = RUNNING
        try:
            mark = send_none(self.coro, &done)
            if done:
                self.finish()
            elif mark is move_mark:
                self.state = MOVING
                self.owe()
                self.lane.adopt(self)
            elif mark is not parked_mark:
                self.coro.throw(RuntimeError("a fibre awaited something of Trio's before in_trio()"))
                self.coro.close()
                self.finish()
        except BaseException as error:
            self.failed(error)
        finally:
            current = outer
        return 0

    cdef int failed(self, BaseException error) except -1:
        """The coroutine ended by an exception."""
        cdef object on_crash = self.on_crash
        self.finish()
        if isinstance(error, Cancelled) or isinstance(error, StopIteration):
            return 0
        if on_crash is not None and isinstance(error, Exception):
            try:
                on_crash(error)
                return 0
            except BaseException as second:
                error = second
        self.lane.crash(error, self)
        return 0

    cdef int finish(self) except -1:
        if self.state == DONE:
            return 0
        self.state = DONE
        self.paid()
        self.lane.timers.remove(self)
        if self.before != NULL:
            (<Fibre>self.before).after = self.after
        else:
            self.lane.fibres = self.after
        if self.after != NULL:
            (<Fibre>self.after).before = self.before
        self.before = self.after = NULL
        self.lane.fibre_count -= 1
        self.coro = self.on_crash = self.task = self.scope = None
        Py_DECREF(self)
        return 0

    # -- for the driver in a Trio task

    def enter_trio(self, scope):
        self.in_trio = True
        self.scope = scope
        self.state = RUNNING
        if self.cancelled:
            scope.cancel()

    def trio_step(self, value, error):
        """Run the coroutine to its next trap, which is returned (PARKED or one of Trio's); DONE at its end."""
        global current
        cdef Fibre outer = current
        current = self
        self.state = RUNNING
        self.paid()
        try:
            return self.coro.send(value) if error is None else self.coro.throw(error)
        except StopIteration:
            return done_mark
        finally:
            current = outer

    def trio_wait(self, task):
        self.task = task

    def trio_abort(self, raise_cancel=None):
        """Trio cancels the wait: nobody may reschedule it any more."""
        self.task = None
        self.state = RUNNING
        return succeeded

    def trio_failed(self, error):
        self.failed(error)

    def trio_end(self):
        self.finish()


def current_fibre():
    """The fibre whose code is running, or None."""
    return current
