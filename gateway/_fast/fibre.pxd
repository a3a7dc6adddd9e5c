from cpython.object cimport PyObject
from gateway._fast.timers cimport Due, Heap

cdef enum State:
    RUNNING             # its code is on the stack, or Trio has it in its queue
    QUEUED              # in the lane's queue
    PARKED              # in park(): any wake() resumes it
    WAITING             # in another wait: only what it waits for resumes it
    MOVING              # on its way into a Trio task
    DONE


cdef class Loop:
    cdef double _now
    cdef double _wall
    cdef object clock
    cdef Heap timers
    cdef Due behind             # to be done behind this batch of events, or None
    cdef list ready
    cdef list spare
    cdef PyObject* fibres
    cdef readonly Py_ssize_t fibre_count
    cdef public object on_crash
    cdef BaseException fatal
    cdef bint inside            # a turn is under way: the clock is fresh, nobody has to be poked
    cdef bint asleep            # the Trio task waits for the epoll descriptor
    cdef bint poked
    cdef Py_ssize_t trio_due    # fibres that Trio was told to run and has not run yet
    cdef double wake_at         # when the sleeping task means to wake up by itself
    cdef int bell               # eventfd in the epoll that ends the sleep

    cdef double refresh(self) noexcept
    cdef double fresh(self) noexcept
    cdef double wall_time(self) noexcept
    cdef int poke(self) except -1
    cdef int plan(self, Due due, double when) except -1
    cdef int unplan(self, Due due) except -1
    cdef int enqueue(self, Due due) except -1
    cdef int run_ready(self) except -1
    cdef int run_due(self) except -1
    cdef int plan_behind(self, Due due) except -1
    cdef int run_behind(self) except -1
    cdef int crash(self, BaseException error, object where) except -1
    cdef int close_fibres(self) except -1


cdef class Fibre(Due):
    cdef readonly Loop lane
    cdef object coro
    cdef object on_crash
    cdef object task            # the Trio task, while it waits in park
    cdef object scope           # its cancel scope, from in_trio() on
    cdef double deadline        # of the wait it is in, 0 = none
    cdef State state
    cdef bint woken
    cdef bint cancelled
    cdef bint in_trio
    cdef bint owed              # counted in lane.trio_due
    cdef PyObject* before
    cdef PyObject* after

    cdef int resume(self) except -1
    cdef int rouse(self) except -1
    cdef void owe(self) noexcept
    cdef void paid(self) noexcept
    cdef int park(self, double deadline, State state) except -1
    cdef int failed(self, BaseException error) except -1
    cdef int finish(self) except -1


cdef Fibre running()
