from libc.stdint cimport int64_t, uint64_t

from gateway._fast.poller cimport Poller, Source
from gateway._fast.stream cimport Stream


cdef class Lane(Poller):
    cdef double linger_s
    cdef bint active            # the last batch was not empty
    cdef object trio_queue      # Trio's queue of runnable tasks, or None
    cdef object trio_count      # else a function that counts them
    cdef int trio_epoll         # what Trio waits for, or -1
    cdef object trio_pause      # how many seconds it would wait there now; 0: it cannot be said
    cdef bint asked             # it could not, a round ago
    # worker_connections (negative: no limit), and how many of them are not streams: listening sockets
    cdef public Py_ssize_t worker_connections
    cdef public Py_ssize_t taken
    cdef public object make_room  # called when few are left; it may close some
    cdef int64_t date_second
    cdef bytes date
    cdef public bytes detour    # where all connections that begin lead instead; None: where they want to

    cdef bint trio_waits(self) except -1
    cdef bint trio_wants(self) except -1
    cdef double rest(self, double next_s) except -2
    cpdef bint has_room(self) except -1
    cdef bytes date_text(self)


cdef class Listener(Source):
    cdef object accepted
    cdef public object on_error
    cdef bint exclusive
    cdef readonly bint paused
    cdef object retry
    cdef int batch              # how many are taken at once now
    cdef uint64_t last          # the round in which that many were taken

    cdef int tell(self, int number) except -1


cpdef Stream open_stream(Lane lane, bytes address, bytes local, bint keepalive, bint nodelay, bint transparent)
