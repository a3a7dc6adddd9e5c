# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The lane's turn: batches of events, ready fibres, timers and deadlines, until there is nothing left to do."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, ECONNABORTED, EINPROGRESS, EINTR, EINVAL, EPERM, EPROTO, errno
from libc.stdint cimport uint32_t
from libc.stdio cimport snprintf

from gateway._fast.linux cimport *
from gateway._fast.poller cimport Poller, Source, os_error
from gateway._fast.stream cimport Stream, connected

# After this long the tasks of Trio get their turn, if one wants it, however much there is to do.
cdef double TURN_S = 0.005
# And after this long in any case: Python may have something to do between two of its own instructions.
cdef double HELD_S = 0.1
cdef double LONGEST_S = 86400
cdef enum:
    PASSES = 8              # rounds of ready fibres before the sockets are looked at again
    MANY = 16               # connections taken at once
    SOCKADDR_MAX = 128

cdef const char* DAYS = "SunMonTueWedThuFriSat"
cdef const char* MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


cdef class Pause:
    """How long Trio would wait now. Trio is asked once in a turn, and when its first deadline is another one.

    To ask are some thousand instructions of Python's and more of its memory than the caches have left between two
    handshakes.
    """
    cdef object ask
    cdef object deadlines
    cdef object first           # Trio's first deadline when it was asked
    cdef double until           # when that passes, in the lane's time; negative: to be asked

    def __cinit__(self, ask, deadlines):
        self.ask = ask
        self.deadlines = deadlines
        self.until = -1

    cdef double left(self, double now) except? -1:
        cdef double seconds
        if now < self.until and self.foremost() is self.first:
            return self.until - now
        seconds = self.ask()
        self.until = -1
        if seconds > 0 and self.deadlines is not None:
            self.first = self.foremost()
            self.until = now + seconds
        return seconds

    cdef object foremost(self):
        cdef list heap = self.deadlines._heap
        return heap[0] if heap else None


cdef class Lane(Poller):
    """All of the lane but its Trio task (gateway.core.lane)."""

    def __init__(self, clock=None, *, double linger_s=0.001, on_crash=None):
        self.clock = clock
        # under a clock that is not the kernel's, waiting inside the kernel would mean nothing
        self.linger_s = linger_s if clock is None else 0
        self.on_crash = on_crash
        self.worker_connections = -1
        self.date_second = -1
        self.trio_epoll = -1
        self.refresh()

    cpdef bint has_room(self) except -1:
        """Whether one more stream may be opened. Few are left at a sixteenth, as in nginx (ngx_drain_connections)."""
        cdef Py_ssize_t most = self.worker_connections
        if most < 0:
            return True
        if most - self.taken - self.streams <= most // 16 and self.make_room is not None:
            self.make_room()
        return most - self.taken - self.streams > 0

    def _watch_trio(self, queue, count, int epoll, pause, deadlines=None):
        """What is to be known of Trio: its queue, else a count; its epoll, and how long it would wait there.

        `deadlines`: whose `_heap` says whether that may have changed, if there is such a thing.
        """
        self.trio_queue = queue
        self.trio_count = count
        self.trio_epoll = epoll
        # a clock that is not the kernel's does not go on by itself
        self.trio_pause = Pause(pause, deadlines if self.clock is None else None)

    cdef bint trio_waits(self) except -1:
        if self.trio_due:
            return True
        if self.trio_queue is not None:
            return len(self.trio_queue) > 0
        return self.trio_count is not None and self.trio_count() > 0

    cdef bint trio_wants(self) except -1:
        """Whether a round of Trio's would do anything; without its epoll one has to be made to find out."""
        cdef pollfd descriptor
        if self.trio_epoll < 0 or self.trio_waits():
            return True
        descriptor.fd = self.trio_epoll
        descriptor.events = POLLIN
        return c_poll(&descriptor, 1, 0) != 0 or (<Pause>self.trio_pause).left(self._now) <= 0

    cdef double rest(self, double next_s) except -2:
        """There is nothing to do for so long: wait for the lane's epoll and for Trio's; negative when to go on.

        Else what turn() answers. To wait in Trio, by rounds of its own, takes as many instructions as some requests.
        """
        cdef pollfd descriptors[2]
        cdef int count, timeout_ms
        cdef double seconds = 0
        # from here on another thread may run, and has to poke
        self.asleep = True
        self.wake_at = self._now + next_s
        if self.trio_epoll >= 0:
            seconds = min(next_s, (<Pause>self.trio_pause).left(self._now), LONGEST_S)
            if seconds <= 0 and not self.asked:
                self.asked = True       # in the next round it may be known
                return 0
        self.asked = False
        if seconds <= 0:
            return next_s
        descriptors[0].fd = self.epoll
        descriptors[1].fd = self.trio_epoll
        descriptors[0].events = descriptors[1].events = POLLIN
        descriptors[1].revents = 0
        timeout_ms = <int>(seconds * 1000 + 0.999)
        self.inside = False
        with nogil:
            count = c_poll(descriptors, 2, timeout_ms)
        self.inside = True
        self.asleep = self.poked = False
        # interrupted: a signal's handler is to run, in Python
        return 0 if count < 0 or descriptors[1].revents else -1

    def turn(self):
        """Do what there is to do; seconds until there may be more, 0 when Trio's tasks want to run, infinity."""
        cdef double began, looked
        cdef double now
        cdef double next_s
        cdef int count, timeout_ms
        cdef list again
        self.asleep = self.poked = False
        if self.trio_pause is not None:
            (<Pause>self.trio_pause).until = -1
        self.active = False                 # whom Trio wakes together with the lane is not to wait for what lingers
        self.inside = True
        try:
            began = looked = self.refresh()
            while True:
                timeout_ms = 0
                if self.active and self.linger_s > 0 and not self.ready and not self.again and not self.trio_waits():
                    next_s = min(self.timers.first(), self.sweep_at) - self._now
                    timeout_ms = <int>(min(self.linger_s, max(next_s, 0)) * 1000 + 0.999)
                # what stops in the middle in this round goes on in the next one, when the others had their turn
                again = None
                if self.again:
                    again = self.again
                    self.again = []
                count = self.poll(timeout_ms)
                self.active = count > 0
                now = self._now
                if self.timers.size and self.timers.first() <= now:
                    self.run_due()
                    self.active = True
                for _ in range(PASSES):
                    if not self.run_ready():
                        break
                    self.active = True
                if again is not None:
                    self.run_again(again)
                    self.active = True
                if self.sweep_at <= now:
                    self.sweep()
                while self.behind is not None:
                    self.run_behind()
                if self.fatal is not None:
                    fatal, self.fatal = self.fatal, None
                    raise fatal
                if self.trio_waits():
                    return 0.0
                if self.ready or self.again or self.active:
                    if now - looked >= TURN_S:
                        if now - began >= HELD_S or self.trio_wants():
                            return 0.0
                        looked = now
                    continue
                next_s = min(self.timers.first(), self.sweep_at) - now
                if next_s <= 0:
                    continue
                next_s = self.rest(next_s)
                if next_s >= 0:
                    return next_s
                began = looked = self.refresh()
        finally:
            self.inside = False

    def end(self):
        """Cancel the fibres that the lane drives, close every stream, stop every listener."""
        self.inside = True
        try:
            self.close_fibres()
            self.close_sources()
            self.run_behind()
        finally:
            self.inside = False

    def release(self):
        """After end(): give the epoll back; nothing can be opened in this lane any more."""
        if self.epoll >= 0:
            c_close(self.epoll)
            c_close(self.bell)
            self.epoll = self.bell = -1
            self.asleep = False

    @property
    def http_date(self):
        return self.date_text()

    cdef bytes date_text(self):
        """The time as in the Date field (IMF-fixdate, RFC 9110, 5.6.7)."""
        cdef tm parts
        cdef char text[40]
        cdef long second
        if not self.inside:
            self.refresh()
        second = <long>self._wall
        if second != self.date_second:
            self.date_second = second
            gmtime_r(&second, &parts)
            snprintf(text, 40, b"%.3s, %02d %.3s %d %02d:%02d:%02d GMT", DAYS + 3 * parts.tm_wday, parts.tm_mday,
                     MONTHS + 3 * parts.tm_mon, parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec)
            self.date = text
        return self.date

    def listen(self, int fd, accepted, *, bint exclusive=True):
        """Accept from `fd`, which stays the caller's; accepted(fd, raw sockaddr) gets each connection."""
        return Listener(self, fd, accepted, exclusive)


cdef class Listener(Source):
    """A listening socket in the lane; level-triggered, so that what is not accepted at once is not lost.

    To ask for one more is in vain mostly: it takes as many as there were last time, and more where some were left.
    """

    def __init__(self, Lane lane, int fd, accepted, bint exclusive):
        self.accepted = accepted
        self.exclusive = exclusive
        self.batch = 1
        lane.register(self, fd, EPOLLIN | (EPOLLEXCLUSIVE if exclusive else 0))

    cdef int event(self, uint32_t events) except -1:
        cdef sockaddr_storage address
        cdef socklen_t size
        cdef int fd, number
        cdef int taken = 0
        cdef Lane lane = <Lane>self.poller
        if lane.turns == self.last + 1:
            self.batch = min(2 * self.batch, MANY)
        for _ in range(self.batch):
            if self.fd < 0 or self.paused:
                break
            size = sizeof(address)
            fd = accept4(self.fd, <sockaddr*>&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC)
            if fd < 0:
                number = errno
                if number == EAGAIN:
                    self.batch = max(taken, 1)
                    return 0
                if number == EINTR:
                    continue
                if number in (ECONNABORTED, EPROTO, EPERM):
                    # this one connection is gone already, or a firewall's; the next may be good
                    self.tell(number)
                    continue
                self.trouble(number)
                break
            lane.accepted += 1
            taken += 1
            try:
                self.accepted(fd, PyBytes_FromStringAndSize(<char*>&address, min(size, sizeof(address))))
                lane.handled += 1
            except BaseException as error:
                if lane.slots != NULL and fd < lane.slot_room and lane.slots[fd].source != NULL:
                    (<Source>lane.slots[fd].source).end()
                else:
                    c_close(fd)
                lane.crash(error, self)
        self.last = lane.turns
        return 0

    def trouble(self, int number):
        """accept() failed: wait half a second when descriptors or memory ran out, as nginx does."""
        self.pause()
        self.retry = self.poller.call_later(0.5, self.resume)
        self.tell(number)

    cdef int tell(self, int number) except -1:
        if self.on_error is not None:
            try:
                self.on_error(number)
            except BaseException as error:
                self.poller.crash(error, self)
        return 0

    def pause(self):
        """Accept nothing until resume(): connections go to other workers, or wait in the backlog."""
        if self.fd >= 0 and not self.paused:
            self.paused = True
            # an EPOLLEXCLUSIVE entry cannot be modified, only removed
            epoll_ctl(self.poller.epoll, EPOLL_CTL_DEL, self.fd, NULL)

    def resume(self):
        cdef int fd = self.fd
        if self.retry is not None:
            self.retry.cancel()
            self.retry = None
        if fd >= 0 and self.paused:
            self.paused = False
            self.poller.forget(fd)
            self.poller.register(self, fd, EPOLLIN | (EPOLLEXCLUSIVE if self.exclusive else 0))

    def close(self):
        """Stop accepting; the descriptor stays open."""
        cdef int fd = self.fd
        if fd < 0:
            return
        if self.retry is not None:
            self.retry.cancel()
            self.retry = None
        if not self.paused:
            epoll_ctl(self.poller.epoll, EPOLL_CTL_DEL, fd, NULL)
        self.fd = -1
        self.poller.forget(fd)

    cdef int end(self) except -1:
        self.close()
        return 0


# -- addresses and connections, in the kernel's own form

def sockaddr_text(bytes raw not None):
    """The address as nginx prints it, and the port; (b"unix:…", 0) for a unix socket."""
    cdef const char* data = PyBytes_AS_STRING(raw)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw)
    cdef char text[64]
    cdef int family = (<const sockaddr*>data).sa_family if size >= 2 else AF_UNIX
    if family == AF_INET and size >= <Py_ssize_t>sizeof(sockaddr_in):
        inet_ntop(AF_INET, &(<const sockaddr_in*>data).sin_addr, text, sizeof(text))
        return text, ntohs((<const sockaddr_in*>data).sin_port)
    if family == AF_INET6 and size >= <Py_ssize_t>sizeof(sockaddr_in6):
        inet_ntop(AF_INET6, &(<const sockaddr_in6*>data).sin6_addr, text, sizeof(text))
        return text, ntohs((<const sockaddr_in6*>data).sin6_port)
    return b"unix:" + raw[2:].split(b"\0", 1)[0], 0


def local_sockaddr(int fd):
    """The raw address of this end (getsockname)."""
    cdef sockaddr_storage address
    cdef socklen_t size = sizeof(address)
    if c_getsockname(fd, <sockaddr*>&address, &size) < 0:
        raise os_error(errno)
    return PyBytes_FromStringAndSize(<char*>&address, min(size, sizeof(address)))


def connect_raw(Lane lane not None, bytes address not None, bytes local=None, *, bint keepalive=False,
                bint nodelay=False, bint transparent=False):
    """open_stream() with names for its options."""
    return open_stream(lane, address, local, keepalive, nodelay, transparent)


cdef enum:
    # <linux/in6.h>, which does not go together with <netinet/in.h>
    IPV6 = 41
    IPV6_TRANSPARENT = 75


class NoRoom(OSError):
    """worker_connections are used up; nginx's words."""


cdef object own_error(int number, bytes call):
    """What failed on our side, before the peer was asked: `filename` names the call."""
    error = os_error(number)
    error.filename = call
    return error


cpdef Stream open_stream(Lane lane, bytes address, bytes local, bint keepalive, bint nodelay, bint transparent):
    """Begin a connection to a raw sockaddr; the stream may still be connecting.

    OSError when it fails at once; its `filename` is the call that failed where that was not connect().
    """
    cdef const char* data
    cdef Py_ssize_t size
    cdef int family, fd, number
    cdef int one = 1
    cdef bint connecting = False
    if lane.detour is not None:
        address, local = lane.detour, None
    data = PyBytes_AS_STRING(address)
    size = PyBytes_GET_SIZE(address)
    if size < 2 or size > SOCKADDR_MAX:
        raise os_error(EINVAL)
    if not lane.has_room():
        raise NoRoom(f"{lane.worker_connections} worker_connections are not enough")
    family = (<const sockaddr*>data).sa_family
    fd = c_socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if fd < 0:
        raise own_error(errno, b"socket()")
    try:
        if keepalive and setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)) < 0:
            raise own_error(errno, b"setsockopt(SO_KEEPALIVE)")
        if nodelay and family != AF_UNIX:
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
        if local is not None:
            if transparent and family == AF_INET6:
                if setsockopt(fd, IPV6, IPV6_TRANSPARENT, &one, sizeof(one)) < 0:
                    raise own_error(errno, b"setsockopt(IPV6_TRANSPARENT)")
            elif transparent and setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one, sizeof(one)) < 0:
                raise own_error(errno, b"setsockopt(IP_TRANSPARENT)")
            if family != AF_UNIX:
                # the port is chosen at connect(), when the other end is known: many more connections fit
                setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one))
            if c_bind(fd, <const sockaddr*>PyBytes_AS_STRING(local), <socklen_t>PyBytes_GET_SIZE(local)) < 0:
                raise own_error(errno, b"bind()")
        if c_connect(fd, <const sockaddr*>data, <socklen_t>size) < 0:
            number = errno
            if number != EINPROGRESS:
                raise os_error(number)
            connecting = True
        return connected(lane, fd, connecting)
    except BaseException:
        c_close(fd)
        raise
