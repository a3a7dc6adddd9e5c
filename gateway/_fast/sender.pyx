# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What a stream has of its output: the queue, what of it leaves in one call, and how fast."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, EIO, EPIPE, errno
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from gateway._fast.file_slice cimport FileSlice
from gateway._fast.handled cimport Handled
from gateway._fast.linux cimport *
from gateway._fast.poller cimport BUFFER
from gateway._fast.rate cimport Rate

cdef enum:
    VECTORS = 64            # pieces of bytes sent by one call
    SMALL = 479             # with what an object of bytes has besides, Python's own allocator still serves it
    TOGETHER = 512 * 1024   # of a larger file the peer reads a part while the rest is sent, if the head is there first

# For a stream without a chunk.
cdef int64_t NO_LIMIT = 0x7fffffff


cdef class Sender(Handled):
    """The output of a socket: a queue of bytes and slices of files, sent as the socket has room."""

    cpdef write(self, data):
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
        elif self.pending + size > SMALL or not self.joined(data):
            self.queue.append(data)
        self.pending += size

    cdef bint joined(self, data) except -1:
        """A head and a small body become one piece: less than a second one in the queue, and a cheaper call."""
        cdef list queue = self.queue
        cdef object first, both
        if self.head_offset or PyList_GET_SIZE(queue) != 1 or type(data) is not bytes:
            return False
        first = <object>PyList_GET_ITEM(queue, 0)
        if type(first) is not bytes:
            return False
        both = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(first) + PyBytes_GET_SIZE(data))
        memcpy(PyBytes_AS_STRING(both), PyBytes_AS_STRING(first), PyBytes_GET_SIZE(first))
        memcpy(PyBytes_AS_STRING(both) + PyBytes_GET_SIZE(first), PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        queue[0] = both
        return True

    cpdef int64_t send(self, bytes data) except -1:
        """write() and flush() in one; what is still queued."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef ssize_t count
        if self.queue is None and self.writable and self.rate is None and size and not self.error and self.fd >= 0:
            if self.nodelay_due:
                self.hurry()
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

    cpdef int64_t flush(self) except -1:
        """Send what the socket takes now; what is still queued. A failure drops the queue and sets `error`."""
        return self.drain()

    cpdef nodelay_later(self):
        """Set TCP_NODELAY before a second send: the first never waits for an acknowledgement, and is often the only
        one of its connection."""
        if self.sent:
            self.nodelay()
        else:
            self.nodelay_due = True

    cdef int hurry(self) except -1:
        # not between a head and its file, which the option would send in two packets
        if self.sent and not self.corked:
            self.nodelay_due = False
            self.nodelay()
        return 0

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
        cdef int64_t limit = self.chunk if self.chunk > 0 else NO_LIMIT
        cdef int64_t before = self.sent
        cdef int64_t count
        cdef Rate rate = self.rate
        if not self.pending or not self.writable or self.fd < 0:
            return self.pending
        if rate is not None:
            limit = rate.allow(before, limit, self.poller.fresh())
        while limit > 0 and self.pending:
            if self.nodelay_due:
                self.hurry()
            count = self.send_some(limit)
            if count <= 0:
                break
            limit -= count
            if self.pending and self.writable and self.poller.overtime():
                break
        if rate is not None and self.sent > before:
            rate.charge(before, self.sent, self.poller.fresh())
        if self.pending and self.writable:
            if rate is not None and rate.until > self.poller.fresh():
                self.poller.plan(rate, rate.until)
            else:
                self.stopped = True
                self.post()
        return self.pending

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
            self.corked = False
            return self.send_file(<FileSlice>item, limit)
        while i < length and count < VECTORS and wanted < limit:
            item = self.queue[i]
            if type(item) is FileSlice:
                if (<FileSlice>item).length <= TOGETHER:
                    flags |= MSG_MORE           # the head leaves in one packet with the file's beginning
                break
            size = min(PyBytes_GET_SIZE(item) - offset, limit - wanted)
            vectors[count].iov_base = PyBytes_AS_STRING(item) + offset
            vectors[count].iov_len = size
            wanted += size
            offset = 0
            count += 1
            i += 1
        if count > 1:
            memset(&message, 0, sizeof(message))
            message.msg_iov = vectors
            message.msg_iovlen = count
        while True:
            if count == 1:
                result = c_send(self.fd, vectors[0].iov_base, vectors[0].iov_len, flags)
            else:
                result = c_sendmsg(self.fd, &message, flags)
            if result >= 0:
                break
            if errno != EINTR:
                return self.hindered()
        self.corked = flags & MSG_MORE != 0
        self.consume(result)
        if result < wanted:
            self.full()
        return result

    cdef int64_t send_file(self, FileSlice slice, int64_t limit) except -2:
        cdef ssize_t result
        while True:
            result = slice.send(self.fd, self.head_offset, limit, self.poller.buffer, BUFFER)
            if result > 0:
                self.consume(result)
                return result
            if result == 0:
                # the file became shorter than the length that was promised
                self.fail(EIO)
                return -1
            if errno != EINTR:
                return self.hindered()

    cdef int hindered(self) except -2:
        """What errno says of a call: 0, the socket is full; -1, it failed."""
        if errno == EAGAIN:
            self.full()
            return 0
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
            self.rate = None
        if rate > 0 and self.fd >= 0:
            self.rate = Rate.__new__(Rate)
            self.rate.source = self
            self.rate.rate = rate
            self.rate.base = (self.sent if base < 0 else base) + after
            self.rate.start = start if start else self.poller.fresh()
        if self.pending:
            self.drain()

    @property
    def delayed(self):
        """The rate holds the output back now."""
        return self.rate is not None and self.rate.until > self.poller.fresh()

    def give_up(self):
        """The peer is taken for gone: what is queued is dropped, and what is written from now on goes nowhere."""
        self.fail(EPIPE)

    def shutdown_write(self):
        """End the output (FIN) and keep the input."""
        if self.fd >= 0 and not self.write_closed:
            self.write_closed = True
            c_shutdown(self.fd, SHUT_WR)
