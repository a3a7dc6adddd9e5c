# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Streams: connected sockets in the lane's edge-triggered epoll, with a queue of output.

Sockets are registered once, for input and hang-ups; output is added at the first send that does not fit, since a unix
socket otherwise raises an edge each time that its peer reads. An edge only sets a flag, which stays until the kernel
says EAGAIN, so an edge that comes before anybody waits is not lost. The epoll data carry the descriptor and a
generation, so an event for a descriptor that was closed and accepted anew in the same batch reaches nobody.
"""
import os

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, EBADF, EINTR, EINVAL, EIO, ENOSYS, errno
from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from gateway._fast.fibre cimport WAITING, Loop, State, Wait, running
from gateway._fast.linux cimport *
from gateway._fast.timers cimport Due

# One read takes at most this; larger bodies come in several.
cdef enum:
    BUFFER = 65536
    BATCH = 256             # events taken from the kernel at once
    VECTORS = 64            # pieces of bytes sent by one call

# A stream that writes more in one go lets the others run first (nginx's default of sendfile_max_chunk).
cdef int64_t CHUNK = 2 * 1024 * 1024
# What one sendfile() can do.
cdef int64_t SENDFILE_MOST = 2147479552
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

    def has_stream(self, int fd):
        return 0 <= fd < self.slot_room and self.slots[fd].source != NULL

    cdef int register(self, Source source, int fd, uint32_t events) except -1:
        cdef epoll_event event
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
        event.events = events
        event.data.u64 = <uint64_t>self.slots[fd].generation << 32 | <uint32_t>fd
        if epoll_ctl(self.epoll, EPOLL_CTL_ADD, fd, &event) < 0:
            raise os_error(errno)
        self.slots[fd].source = <PyObject*>source
        Py_INCREF(source)
        source.poller = self
        source.fd = fd
        return 0

    cdef int rearm(self, int fd, uint32_t events) except -1:
        cdef epoll_event event
        event.events = events
        event.data.u64 = <uint64_t>self.slots[fd].generation << 32 | <uint32_t>fd
        return epoll_ctl(self.epoll, EPOLL_CTL_MOD, fd, &event) < 0

    cdef int forget(self, int fd) except -1:
        """The descriptor is closed or taken out; later events with its generation reach nobody."""
        cdef PyObject* source = self.slots[fd].source
        self.slots[fd].source = NULL
        self.slots[fd].generation += 1
        Py_DECREF(<Source>source)
        return 0

    cdef int poll(self, int timeout_ms) except -1:
        """Take one batch of events and hand each to its source; the number of events."""
        cdef int count, i
        cdef uint64_t data
        cdef uint32_t fd
        cdef Source source
        if timeout_ms:
            with nogil:
                count = epoll_wait(self.epoll, self.events, BATCH, timeout_ms)
        else:
            count = epoll_wait(self.epoll, self.events, BATCH, 0)
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

    cdef int run_again(self) except -1:
        """Go on with the streams that stopped at their chunk."""
        cdef list streams = self.again
        cdef Stream stream
        self.again = []
        for item in streams:
            stream = <Stream>item
            stream.stopped = False
            if stream.fd >= 0:
                stream.drain()
                stream.tell()
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

    cdef double due_at(self) noexcept:
        return INFINITY

    cdef int sweep(self, double now) except -1:
        return 0

    cdef int end(self) except -1:
        return 0


@cython.final
cdef class FileSlice:
    """A part of a file, sent by sendfile(); `owner` closes the descriptor when nobody holds it any more."""

    def __init__(self, int fd, int64_t offset, int64_t length, owner=None):
        self.fd = fd
        self.offset = offset
        self.length = length
        self.owner = owner

    def __len__(self):
        return self.length

    def read(self, int64_t start=0, int64_t limit=-1):
        """The bytes themselves, for a filter; shorter at the file's end."""
        cdef int64_t count = self.length - start
        if 0 <= limit < count:
            count = limit
        return os.pread(self.fd, max(count, 0), self.offset + start)


@cython.final
cdef class Rate(Due):
    """A stream's limit: it holds the output until `until`, and the heap resumes it."""

    cdef int fire(self) except -1:
        if self.stream is not None:
            self.stream.drain()
            self.stream.tell()
        return 0


cdef class Stream(Source):
    """A connected, non-blocking socket, TCP or unix; it owns the descriptor."""

    def __init__(self, Poller lane not None, int fd, *, bint connecting=False, bint readable=True, handler=None):
        self.chunk = CHUNK
        self.connecting = self.out_armed = connecting
        # of a connection just accepted nothing is known yet: the first recv() will tell
        self.readable = readable and not connecting
        self.writable = not connecting
        self.handler = handler
        lane.register(self, fd, EPOLLIN | EPOLLRDHUP | EPOLLET | (EPOLLOUT if connecting else 0))
        lane.streams += 1

    def __repr__(self):
        return f"<Stream fd={self.fd} pending={self.pending} error={self.error}>"

    # -- events

    cdef int event(self, uint32_t events) except -1:
        cdef bint news = False
        if events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR):
            self.readable = news = True
            if events & (EPOLLRDHUP | EPOLLHUP):
                self.peer_closed = True
            if events & EPOLLERR:
                self.take_error()
        if events & (EPOLLOUT | EPOLLERR | EPOLLHUP):
            if self.connecting:
                self.connecting = False
                self.take_error()
                news = True
            if not self.writable:
                self.writable = news = True
                if self.pending:
                    self.drain()
        if news:
            self.tell()
        return 0

    cdef int take_error(self) except -1:
        cdef int error = 0
        cdef socklen_t size = sizeof(error)
        if getsockopt(self.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 and error and not self.error:
            self.fail(error)
        return 0

    cdef int tell(self) except -1:
        """Call the handler, or resume the fibre that waits here; a crash of the handler ends the stream."""
        if self.waiter is not None:
            self.waiter.rouse()
        elif self.handler is not None:
            try:
                self.handler()
            except BaseException as error:
                self.poller.crash(error, self)
                self.close()
        return 0

    cdef double due_at(self) noexcept:
        return self._deadline if self._deadline else INFINITY

    cdef int sweep(self, double now) except -1:
        callback = self.on_deadline
        self._deadline = 0
        if callback is None:
            self.close()
            return 0
        try:
            callback()
        except BaseException as error:
            self.poller.crash(error, self)
            self.close()
        return 0

    @property
    def deadline(self):
        return self._deadline

    @deadline.setter
    def deadline(self, double value):
        self._deadline = value
        if value and self.fd >= 0 and value < self.poller.sweep_at:
            self.poller.late_at(value)

    @property
    def closed(self):
        return self.fd < 0

    # -- input

    def recv(self, Py_ssize_t limit=BUFFER):
        """What has come: b"" at the end of input, None when nothing is there; OSError once after a reset."""
        cdef ssize_t count
        cdef int number
        if self.fd < 0:
            raise os_error(EBADF)
        if limit > BUFFER or limit <= 0:
            limit = BUFFER
        while True:
            count = c_recv(self.fd, self.poller.buffer, limit, 0)
            if count > 0:
                self.received += count
                if count < limit and not self.peer_closed and not self.error:
                    # less than asked: the buffer is empty, and what comes later raises a new edge
                    self.readable = False
                return PyBytes_FromStringAndSize(self.poller.buffer, count)
            if count == 0:
                number = 0
                break
            number = errno
            if number == EINTR:
                continue
            if number == EAGAIN and not self.error:
                self.readable = False
                return None
            break
        if number == EAGAIN:
            number = self.error
        elif number:
            self.fail(number)
        else:
            # an error that an event or a send took from the socket is told here as well
            number = self.error
        if number and not self.raised:
            self.raised = True
            raise os_error(number)
        return b""

    # -- output

    def write(self, data):
        """Queue bytes or a FileSlice; flush() sends them."""
        cdef int64_t size
        if type(data) is bytes:
            size = PyBytes_GET_SIZE(data)
        elif type(data) is FileSlice:
            size = (<FileSlice>data).length
        else:
            raise TypeError(f"bytes or FileSlice, not {type(data).__name__}")
        if size <= 0 or self.error or self.fd < 0:
            return
        if self.queue is None:
            self.queue = [data]
        else:
            self.queue.append(data)
        self.pending += size

    def send(self, bytes data not None):
        """write() and flush() in one; what is still queued."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef ssize_t count
        if self.queue is None and self.writable and self.rate is None and size and not self.error and self.fd >= 0:
            count = c_send(self.fd, PyBytes_AS_STRING(data), size, MSG_NOSIGNAL)
            if count == size:
                self.sent += count
                return 0
            if count < 0:
                if errno != EAGAIN and errno != EINTR:
                    self.fail(errno)
                    return 0
                count = 0
            self.sent += count
            self.queue = [data]
            self.head_offset = count
            self.pending = size - count
            self.full()
            return self.pending
        self.write(data)
        return self.drain()

    def flush(self):
        """Send what the socket takes now; what is still queued. A failure drops the queue and sets `error`."""
        return self.drain()

    cdef int full(self) except -1:
        """The socket takes no more: from now on its edges for output are wanted."""
        self.writable = False
        if not self.out_armed:
            self.out_armed = True
            # looks at the socket again, so room that came meanwhile raises an edge at once
            self.poller.rearm(self.fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
        return 0

    cdef int fail(self, int error) except -1:
        if not self.error:
            self.error = error
        self.readable = True
        self.drop_queue()
        return 0

    cdef int drop_queue(self) except -1:
        self.queue = None
        self.head = 0
        self.head_offset = self.pending = 0
        if self.rate is not None:
            self.poller.timers.remove(self.rate)
        return 0

    cdef int64_t drain(self) except -1:
        cdef int64_t limit = self.chunk if self.chunk > 0 else SENDFILE_MOST
        cdef int64_t before = self.sent
        cdef int64_t count
        cdef Rate rate = self.rate
        if not self.pending or not self.writable or self.fd < 0:
            return self.pending
        if rate is not None:
            limit = self.allowance(limit)
        while limit > 0 and self.pending:
            count = self.send_some(limit)
            if count <= 0:
                break
            limit -= count
        if rate is not None and self.sent > before:
            # what went out beyond the free part must have taken its time before more goes
            count = max(self.sent - rate.base - rate.after, 0) - max(before - rate.base - rate.after, 0)
            if count * 1000 >= rate.rate:
                rate.until = self.poller.fresh() + <double>count / rate.rate
        if self.pending and self.writable:
            if rate is not None and rate.until > self.poller.fresh():
                self.poller.plan(rate, rate.until)
            elif not self.stopped:
                self.stopped = True
                self.poller.again.append(self)
                self.poller.poke()
        return self.pending

    cdef int64_t allowance(self, int64_t limit) except -1:
        """How much the rate lets go now; 0 with `until` set when it must wait."""
        cdef Rate rate = self.rate
        cdef double now = self.poller.fresh()
        cdef int64_t allowed
        if now < rate.until:
            return 0
        allowed = rate.rate * (<int64_t>(now - rate.start) + 1) - (self.sent - rate.base - rate.after)
        if allowed <= 0:
            rate.until = now + <double>(-allowed) / rate.rate + 0.001
            return 0
        return min(limit, allowed)

    cdef int64_t send_some(self, int64_t limit) except -2:
        """One system call's worth of the queue; 0 when the socket is full, -1 when it failed."""
        cdef iovec vectors[VECTORS]
        cdef msghdr message
        cdef int count = 0
        cdef int flags = MSG_NOSIGNAL
        cdef int64_t wanted = 0
        cdef int64_t size
        cdef int64_t offset = self.head_offset
        cdef Py_ssize_t i = self.head
        cdef Py_ssize_t length = len(self.queue)
        cdef ssize_t result
        item = self.queue[i]
        if type(item) is FileSlice:
            return self.send_file(<FileSlice>item, limit)
        while i < length and count < VECTORS and wanted < limit:
            item = self.queue[i]
            if type(item) is FileSlice:
                flags |= MSG_MORE               # the head leaves in one packet with the file's beginning
                break
            size = min(PyBytes_GET_SIZE(item) - offset, limit - wanted)
            vectors[count].iov_base = PyBytes_AS_STRING(item) + offset
            vectors[count].iov_len = size
            wanted += size
            offset = 0
            count += 1
            i += 1
        memset(&message, 0, sizeof(message))
        message.msg_iov = vectors
        message.msg_iovlen = count
        while True:
            result = c_sendmsg(self.fd, &message, flags)
            if result >= 0:
                break
            if errno == EAGAIN:
                self.full()
                return 0
            if errno != EINTR:
                self.fail(errno)
                return -1
        self.consume(result)
        if result < wanted:
            self.full()
        return result

    cdef int64_t send_file(self, FileSlice slice, int64_t limit) except -2:
        cdef long offset = slice.offset + self.head_offset
        cdef int64_t wanted = min(slice.length - self.head_offset, limit, SENDFILE_MOST)
        cdef ssize_t result
        cdef int fd = self.fd
        while True:
            with nogil:
                result = c_sendfile(fd, slice.fd, &offset, wanted)
            if result < 0 and (errno == EINVAL or errno == ENOSYS):
                # a file system without sendfile: through the lane's buffer
                result = c_pread(slice.fd, self.poller.buffer, min(wanted, BUFFER), offset)
                if result > 0:
                    result = c_send(fd, self.poller.buffer, result, MSG_NOSIGNAL)
            if result > 0:
                self.consume(result)
                return result
            if result == 0:
                # the file became shorter than the length that was promised
                self.fail(EIO)
                return -1
            if errno == EAGAIN:
                self.full()
                return 0
            if errno != EINTR:
                self.fail(errno)
                return -1

    cdef int consume(self, int64_t count) except -1:
        """Take `count` bytes off the queue; what is sent is let go at once."""
        cdef int64_t size
        self.sent += count
        self.pending -= count
        if not self.pending:
            self.queue = None
            self.head = 0
            self.head_offset = 0
            return 0
        count += self.head_offset
        while True:
            item = self.queue[self.head]
            size = (<FileSlice>item).length if type(item) is FileSlice else PyBytes_GET_SIZE(item)
            if count < size:
                break
            count -= size
            self.queue[self.head] = None
            self.head += 1
        self.head_offset = count
        if self.head >= 32:
            del self.queue[:self.head]
            self.head = 0
        return 0

    def limit_rate(self, int64_t rate, int64_t after=0, *, double start=0, int64_t base=-1):
        """Send `rate` bytes a second once `after` are out, counted from `start` and the count `base`, else now."""
        if self.rate is not None:
            self.poller.timers.remove(self.rate)
            self.rate.stream = None
            self.rate = None
        if rate > 0 and self.fd >= 0:
            self.rate = Rate.__new__(Rate)
            self.rate.stream = self
            self.rate.rate = rate
            self.rate.after = after
            self.rate.base = self.sent if base < 0 else base
            self.rate.start = start if start else self.poller.fresh()
        if self.pending:
            self.drain()

    @property
    def delayed(self):
        """The rate holds the output back now."""
        return self.rate is not None and self.rate.until > self.poller.fresh()

    # -- the end

    def shutdown_write(self):
        """End the output (FIN) and keep the input."""
        if self.fd >= 0 and not self.write_closed:
            self.write_closed = True
            c_shutdown(self.fd, SHUT_WR)

    def close(self, bint reset=False):
        """Close the descriptor, with RST instead of FIN when asked; a second call does nothing."""
        cdef linger option
        cdef int fd = self.fd
        if fd < 0:
            return
        if reset:
            option.l_onoff = 1
            option.l_linger = 0
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, sizeof(option))
        self.fd = -1
        self._deadline = 0
        self.readable = self.writable = self.connecting = False
        self.drop_queue()
        if self.rate is not None:
            self.rate.stream = None
            self.rate = None
        self.handler = self.on_deadline = None
        self.poller.streams -= 1
        c_close(fd)
        if self.waiter is not None:
            self.waiter.rouse()
        self.poller.forget(fd)

    cdef int end(self) except -1:
        self.close()
        return 0

    # -- socket options

    def set_option(self, int level, int option, int value):
        return setsockopt(self.fd, level, option, &value, sizeof(value)) == 0

    def nodelay(self):
        return self.set_option(IPPROTO_TCP, TCP_NODELAY, 1)

    # -- waits of fibres

    def wait_readable(self, double deadline=0.0):
        """Until there is input, its end, an error or close(); False at the deadline."""
        return stream_wait(self, deadline, READABLE, 0)

    def wait_room(self, int64_t below=1, double deadline=0.0):
        """Until less than `below` bytes are queued (1: all is sent), an error or close(); False at the deadline."""
        return stream_wait(self, deadline, ROOM, below if below > 0 else 1)

    def wait_connected(self, double deadline=0.0):
        """Until connect() came to an end, good or bad (`error`); False at the deadline."""
        return stream_wait(self, deadline, CONNECTED, 0)


cdef enum Kind:
    READABLE
    ROOM
    CONNECTED


@cython.final
cdef class StreamWait(Wait):
    cdef Stream stream
    cdef Kind kind
    cdef int64_t below

    cdef bint ready(self) except -1:
        cdef Stream stream = self.stream
        if stream.fd < 0 or stream.error:
            return True
        if self.kind == READABLE:
            return stream.readable
        if self.kind == ROOM:
            return stream.pending < self.below
        return not stream.connecting

    cdef int attach(self) except -1:
        if self.stream.waiter is not None:
            raise RuntimeError("another fibre waits for this stream")
        self.stream.waiter = self.fibre
        return 0

    cdef int detach(self) except -1:
        if self.stream.waiter is self.fibre:
            self.stream.waiter = None
        return 0

    cdef State state(self):
        return WAITING


cdef stream_wait(Stream stream, double deadline, Kind kind, int64_t below):
    cdef StreamWait wait = StreamWait.__new__(StreamWait)
    wait.fibre = running()
    if wait.fibre is None:
        raise RuntimeError("this wait is for the code of a fibre")
    wait.stream = stream
    wait.deadline = deadline
    wait.kind = kind
    wait.below = below
    return wait
