# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Streams: connected sockets in the lane's edge-triggered epoll, with a queue of output.

Sockets are registered once, for input and hang-ups; output is added at the first send that does not fit, since a unix
socket otherwise raises an edge each time that its peer reads. An edge only sets a flag, which stays until the kernel
says EAGAIN, so an edge that comes before anybody waits is not lost. What was accepted is registered once it was read,
which many a connection does not outlive: to come into an epoll costs more than any other call that it takes.

Nobody reads for ever, however fast the peer sends: a stream that has taken its budget of a turn (took()) is not
readable until the others had theirs, and then its handler is called as if something had come. So a loop that reads as
long as `readable` is True ends by itself, and comes back.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from libc.errno cimport EAGAIN, EBADF, EINTR, errno
from libc.stdint cimport int64_t, uint32_t

from gateway._fast.fibre cimport WAITING, State
from gateway._fast.linux cimport *
from gateway._fast.poller cimport BUFFER, READ_COST, Poller, os_error
from gateway._fast.sender cimport CHUNK, Sender
from gateway._fast.waits cimport Wait, need_fibre
from gateway._fast.watcher cimport Watcher

# Less is copied from the lane's buffer sooner than an object is made too large and cut.
cdef Py_ssize_t IN_PLACE = 16384

cdef extern from "Python.h":
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *text, Py_ssize_t size) except NULL
    int resize_bytes "_PyBytes_Resize"(PyObject **place, Py_ssize_t size) except -1


# Room for what is received in its place, of the last time that it was not used up.
cdef PyObject *spare = NULL


cdef class Stream(Sender):
    """A connected, non-blocking socket, TCP or unix; it owns the descriptor."""

    def __init__(self, Poller lane not None, int fd, *, bint connecting=False, bint readable=True, handler=None):
        self.handler = handler
        # of a connection just accepted nothing is known yet: the first recv() will tell
        self.begin(lane, fd, connecting, readable)

    cdef int begin(self, Poller lane, int fd, bint connecting, bint readable) except -1:
        self.chunk = CHUNK
        self.connecting = self.out_armed = connecting
        self.readable = readable and not connecting
        self.writable = not connecting
        lane.register(self, fd, EPOLLIN | EPOLLRDHUP | EPOLLET | (EPOLLOUT if connecting else 0))
        lane.streams += 1
        return 0

    def __repr__(self):
        return f"<Stream fd={self.fd} pending={self.pending} error={self.error}>"

    # -- events

    cdef int event(self, uint32_t events) except -1:
        cdef bint news = False
        if events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR):
            if not self.spent:
                self.readable = news = True
            if events & (EPOLLRDHUP | EPOLLHUP):
                self.peer_closed = news = True
            if events & EPOLLERR:
                self.take_error()
                news = True
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
        """Resume the fibre whose wait this ends, else call the handler; a crash of the handler ends the stream."""
        # held: what it does may close the stream, which lets its handler go
        handler = self.handler
        if self.waiter is not None and self.waiter.ready():
            self.waiter.fibre.rouse()
        elif handler is not None:
            try:
                if isinstance(handler, Watcher):
                    (<Watcher>handler).happened()
                else:
                    handler()
            except BaseException as error:
                self.broke(error)
        return 0

    cdef int go_on(self) except -1:
        """It stopped in the middle; the others had their turn."""
        self.stopped = self.posted = False
        if self.unread:
            self.unread = False
            if self.fd >= 0:
                self.first_read()
        elif self.fd >= 0:
            self.drain()
            if self.spent:
                self.renew()
            self.tell()
        return 0

    cdef int first_read(self) except -1:
        """Behind the batch of events that came after its accept(): those of what happened before it were in it.

        Where they had no room, or the stream is not at its end by this, the kernel is asked for its events.
        """
        cdef Poller poller = self.poller
        cdef int fd = self.fd
        cdef uint32_t generation = poller.slots[fd].generation
        cdef Stream stream
        if poller.full:
            self.spent = False
        else:
            self.renew()
            self.tell()
        if poller.slots[fd].generation != generation or poller.slots[fd].watched:
            return 0
        stream = <Stream>poller.slots[fd].source    # not this one where its first bytes were TLS's
        if not poller.rearm(fd, EPOLLIN | EPOLLRDHUP | EPOLLET | (EPOLLOUT if stream.out_armed else 0)):
            stream.broke(os_error(errno))
        return 0

    # -- input

    cpdef recv(self, Py_ssize_t limit=0):
        """What has come: b"" at the end of input, None when nothing is there, or nothing more in this turn; OSError
        once after a reset.

        A large limit is how much the caller expects: that much is received into its place.
        """
        cdef ssize_t count
        cdef int number
        global spare
        cdef PyObject *place = NULL
        cdef char *buffer = self.poller.buffer
        if self.fd < 0:
            raise os_error(EBADF)
        if self.spent and not self.error:
            return None
        if limit <= 0:
            limit = BUFFER
        elif limit >= IN_PLACE:
            limit = min(limit, BUFFER)
            place = spare
            spare = NULL
            if place is NULL:
                place = new_bytes(NULL, BUFFER)
            buffer = PyBytes_AS_STRING(<object>place)
        while True:
            count = c_recv(self.fd, buffer, limit, 0)
            if count > 0:
                if place is NULL or count < IN_PLACE:
                    data = PyBytes_FromStringAndSize(buffer, count)
                    if place is not NULL:
                        spare = place
                        place = NULL
                self.received += count
                if count < limit and not self.peer_closed and not self.error:
                    # less than asked: the buffer is empty, and what comes later raises a new edge
                    self.readable = False
                self.took(max(count, READ_COST))
                if place is NULL:
                    return data
                resize_bytes(&place, count)
                data = <object>place
                Py_DECREF(data)                 # the reference that the variable of C's had
                return data
            number = errno if count < 0 else 0
            if place is not NULL:
                spare = place
                place = NULL
                buffer = self.poller.buffer
            if count == 0:
                break
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

    # -- the end

    cpdef close(self, bint reset=False):
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
        self.rate = None
        self.handler = self.on_deadline = self.on_crash = None
        self.poller.streams -= 1
        c_close(fd)
        if self.waiter is not None:
            self.waiter.fibre.rouse()
        self.poller.forget(fd)

    cdef int end(self) except -1:
        handler = self.handler
        self.close()
        if isinstance(handler, Watcher):
            (<Watcher>handler).stopped()
        return 0

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


cdef Stream connected(Poller lane, int fd, bint connecting):
    """The stream of a connection that this side began; nothing has come on it."""
    cdef Stream stream = Stream.__new__(Stream)
    stream.begin(lane, fd, connecting, False)
    return stream


cpdef Stream accepted(Poller lane, int fd):
    """A connection that was accepted; its handler is called in the next turn, whether or not something has come.

    Not readable before, although the request may be here: first come the events of what happened before it, a client
    that went away and that `limit_conn` still counts.
    """
    cdef Stream stream = Stream.__new__(Stream)
    stream.chunk = CHUNK
    stream.writable = stream.unread = True
    lane.enter(stream, fd)
    lane.streams += 1
    stream.hold()
    return stream


@cython.final
cdef class StreamWait(Wait):
    """A wait for something of a stream; while it is not met, events still reach the stream's handler."""

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
        self.stream.waiter = self
        return 0

    cdef int detach(self) except -1:
        if self.stream.waiter is self:
            self.stream.waiter = None
        return 0

    cdef State state(self):
        return WAITING


cdef stream_wait(Stream stream, double deadline, Kind kind, int64_t below):
    cdef StreamWait wait = StreamWait.__new__(StreamWait)
    wait.fibre = need_fibre()
    wait.stream = stream
    wait.deadline = deadline
    wait.kind = kind
    wait.below = below
    return wait
