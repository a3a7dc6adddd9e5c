# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Streams with TLS over them, by Python's ssl over memory: whoever has a stream does not see the difference.

The queue holds what is written, in plain; a part of it is sealed into records when the socket has room for more, and it
counts as pending until these records are with the kernel. So `sent` and limit_rate count plain bytes, as in nginx.
Decrypted bytes that nobody took yet raise no edge: `readable` stays true while there are any.
"""
import ssl as _ssl

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EBADF, EINTR, EIO, EPROTO, errno
from libc.stdint cimport int64_t, uint32_t

from gateway._fast.file_slice cimport FileSlice
from gateway._fast.linux cimport EPOLLERR, EPOLLHUP, EPOLLOUT, MSG_NOSIGNAL, c_recv, c_send
from gateway._fast.poller cimport BUFFER, READ_COST, os_error
from gateway._fast.stream cimport Stream

# What is sealed at once: a few records for one system call.
cdef int64_t BATCH = 65536

cdef object SSLError = _ssl.SSLError
cdef object SSLWantReadError = _ssl.SSLWantReadError
cdef tuple THE_END = (_ssl.SSLZeroReturnError, _ssl.SSLEOFError)


cdef class TlsStream(Stream):
    """Takes the place of a plain stream with nothing queued; `handshake()` is called on each event until it is done.

    `ssl` is an ssl.SSLObject over the two ssl.MemoryBIO; `data` what was received before.
    """

    def __init__(self, Stream plain not None, ssl, incoming, outgoing, bytes data=b"", Py_ssize_t record=16384):
        if plain.pending or plain.waiter is not None:
            raise ValueError("the plain stream is in use")
        self.ssl = ssl
        self.incoming = incoming
        self.outgoing = outgoing
        self.record = record
        plain.poller.replace(plain, self)
        self.handler = plain.handler
        self.on_deadline = plain.on_deadline
        self._deadline = plain._deadline
        self.chunk = plain.chunk
        self.error = plain.error
        self.readable = plain.readable or plain.spent
        self.writable = plain.writable
        self.out_armed = plain.out_armed
        self.peer_closed = plain.peer_closed
        plain.handler = plain.on_deadline = None
        if data:
            self.incoming.write(data)

    def __repr__(self):
        return f"<TlsStream fd={self.fd} pending={self.pending} error={self.error}>"

    cdef int event(self, uint32_t events) except -1:
        self.drained = False
        if self.sealed is not None and not self.pending and events & (EPOLLOUT | EPOLLERR | EPOLLHUP):
            self.writable = True
            self.push()
        return Stream.event(self, events)

    cpdef bint handshake(self) except -1:
        """Go on with the handshake; whether it is done. Errors: ssl.SSLError, whose alert is sent, and OSError."""
        while not self.established:
            try:
                self.ssl.do_handshake()
            except SSLWantReadError:
                self.push()
                if self.error:
                    raise os_error(self.error)
                if not self.fill():
                    return False
                continue
            except BaseException:
                self.push()
                raise
            self.established = True
            self.readable = True
            self.push()
            self.drain()
        return True

    # -- input

    cpdef recv(self, Py_ssize_t limit=BUFFER):
        """As of a Stream; a peer that closes without close_notify is at its end, as to nginx."""
        if self.fd < 0:
            raise os_error(EBADF)
        if self.spent and not self.error:
            return None
        if not self.established and not self.handshake():
            return None
        if limit > BUFFER or limit <= 0:
            limit = BUFFER
        while self.fault is None:
            try:
                data = self.ssl.read(limit)
            except SSLWantReadError:
                if self.outgoing.pending:
                    self.push()
                if self.fill():
                    continue
                if not self.error:
                    return None
                break
            except THE_END:
                self.readable = True
                break
            except SSLError as error:
                self.fault = b"SSL_read() failed"
                self.broken(error)
                break
            if not data:
                self.readable = True
                break
            if self.outgoing.pending:
                self.push()
            self.received += len(data)
            if self.drained and not self.incoming.pending and not self.error and not self.ssl.pending():
                self.readable = False
            # what is decrypted was counted when it came, but each record has its price
            self.took(READ_COST)
            return data
        if self.error and not self.raised:
            self.raised = True
            raise os_error(self.error)
        return b""

    cdef bint fill(self) except -1:
        """Take what has come from the socket; False when there is nothing."""
        cdef ssize_t count
        if self.drained:
            self.readable = False
            return False
        if self.spent and not self.error:
            return False
        while True:
            count = c_recv(self.fd, self.poller.buffer, BUFFER, 0)
            if count > 0:
                if count < BUFFER and not self.peer_closed and not self.error:
                    self.drained = True
                self.took(count)
                self.incoming.write(PyBytes_FromStringAndSize(self.poller.buffer, count))
                return True
            if count == 0:
                self.incoming.write_eof()
                return True
            if errno == EINTR:
                continue
            if errno == EAGAIN:
                if not self.error:
                    self.readable = False
                    self.drained = True
                return False
            self.fail(errno)
            return False

    def broken(self, error):
        """The peer, or somebody between, broke the protocol: nothing that follows can be read."""
        self.fault += b" (SSL: %b)" % (getattr(error, "reason", None) or str(error)).encode()
        self.push()
        self.fail(EPROTO)

    # -- output

    cpdef int64_t send(self, bytes data) except -1:
        self.write(data)
        return self.drain()

    cdef int64_t drain(self) except -1:
        if not self.established:
            return self.pending
        return Stream.drain(self)

    cdef int64_t send_some(self, int64_t limit) except -2:
        cdef int64_t before = self.sent
        if not self.push():
            return -1 if self.error else 0
        if self.sent == before:
            self.seal(min(limit, BATCH))
            if not self.push():
                return -1 if self.error else 0
        return self.sent - before

    cdef int seal(self, int64_t limit) except -1:
        """Make records of the queue's beginning."""
        cdef list parts = []
        cdef int64_t size = 0
        cdef int64_t offset = self.head_offset
        cdef int64_t wanted
        cdef Py_ssize_t i = self.head
        cdef Py_ssize_t length = len(self.queue)
        cdef Py_ssize_t at = 0
        while i < length and size < limit:
            item = self.queue[i]
            if type(item) is FileSlice:
                wanted = min((<FileSlice>item).length - offset, limit - size)
                item = (<FileSlice>item).read(offset, wanted)
                if len(item) < wanted:
                    # the file became shorter than the length that was promised
                    return self.fail(EIO)
            else:
                wanted = min(PyBytes_GET_SIZE(item) - offset, limit - size)
                if wanted < PyBytes_GET_SIZE(item):
                    item = memoryview(item)[offset:offset + wanted]
            parts.append(item)
            size += wanted
            offset = 0
            i += 1
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        try:
            if size <= self.record:
                at = self.ssl.write(data)
            if at < size:
                view = memoryview(data)
                while at < size:
                    at += self.ssl.write(view[at:at + self.record])
        except SSLError as error:
            self.fault = b"SSL_write() failed"
            self.broken(error)
            return 0
        self.sealed_of = size
        return 0

    cdef bint push(self) except -1:
        """Send the records that are ready; whether all of them are with the kernel."""
        cdef Py_ssize_t size
        cdef ssize_t count
        cdef int64_t done
        while True:
            if self.sealed is None:
                if not self.outgoing.pending:
                    return not self.error
                self.sealed = self.outgoing.read()
                self.sealed_at = 0
            if not self.writable or self.fd < 0:
                return False
            size = PyBytes_GET_SIZE(self.sealed) - self.sealed_at
            count = c_send(self.fd, PyBytes_AS_STRING(self.sealed) + self.sealed_at, size, MSG_NOSIGNAL)
            if count < 0:
                if errno == EINTR:
                    continue
                if errno == EAGAIN:
                    self.full()
                else:
                    self.fail(errno)
                return False
            if count < size:
                self.sealed_at += count
                self.full()
                continue
            self.sealed = None
            done = self.sealed_of
            self.sealed_of = 0
            if done:
                self.consume(done)

    cdef int drop_queue(self) except -1:
        self.sealed = None
        self.sealed_of = 0
        return Stream.drop_queue(self)

    # -- the end

    cdef int goodbye(self) except -1:
        """Send close_notify, if that can be done at once."""
        if not self.established or self.said_goodbye or self.error or self.pending or self.sealed is not None:
            return 0
        self.said_goodbye = True
        try:
            self.ssl.unwrap()
        except OSError:
            pass  # the peer's close_notify is not here yet: nobody waits for it
        self.push()
        return 0

    def shutdown_write(self):
        if self.fd >= 0 and not self.write_closed:
            self.goodbye()
        Stream.shutdown_write(self)

    cpdef close(self, bint reset=False):
        if self.fd >= 0 and not reset:
            self.goodbye()
        Stream.close(self, reset)
