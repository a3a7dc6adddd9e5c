# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Streams with TLS over them: whoever has a stream does not see the difference.

The queue holds what is written, in plain; a part of it is sealed into records when the socket has room for more, and it
counts as pending until these records are with the kernel. So `sent` and limit_rate count plain bytes, as in nginx.
Decrypted bytes that nobody took yet raise no edge: `readable` stays true while there are any.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EBADF, EINTR, EIO, EPROTO, errno
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy

from gateway._fast.file_slice cimport FileSlice
from gateway._fast.linux cimport EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, c_pread
from gateway._fast.openssl cimport lib
from gateway._fast.poller cimport BUFFER, READ_COST, os_error
from gateway._fast.stream cimport Stream
from gateway._fast.tls_context cimport Context
from gateway._fast.tls_engine cimport FAILED, WANTS_READ, Engine, clear_errors
from gateway._fast.tls_wire cimport cork, drop, flush, uncork

cdef enum:
    # What is sealed at once: a few records for one system call.
    BATCH = 65536
    RECORDS = 64            # opened by one read: a peer may put one byte into each

# Where small pieces, and those of files, are put together for their records.
cdef char scratch[BATCH]


cdef class TlsStream(Stream):
    """Takes the place of a plain stream with nothing queued; `handshake()` is called on each event until it is done.

    `data` is what was received before.
    """

    def __init__(self, Stream plain not None, Context context not None, bytes data=b"", Py_ssize_t record=16384):
        self.take_over(plain, context, data, record)

    cdef int take_over(self, Stream plain, Context context, bytes data, Py_ssize_t record) except -1:
        if plain.pending or plain.waiter is not None:
            raise ValueError("the plain stream is in use")
        self.ssl = Engine.__new__(Engine)
        self.ssl.begin(context, plain.fd, data)
        self.record = record
        plain.poller.replace(plain, self)
        self.handler = plain.handler
        self.on_deadline = plain.on_deadline
        self.on_crash = plain.on_crash
        self._deadline = plain._deadline
        self.chunk = plain.chunk
        self.error = plain.error
        self.readable = plain.readable or plain.spent or len(data) > 0
        self.writable = plain.writable
        self.out_armed = plain.out_armed
        self.peer_closed = plain.peer_closed
        self.ssl.wire.drained = not plain.readable and not plain.spent
        self.ssl.wire.closing = plain.peer_closed or plain.error != 0
        plain.handler = plain.on_deadline = plain.on_crash = None
        return 0

    def __repr__(self):
        return f"<TlsStream fd={self.fd} pending={self.pending} error={self.error}>"

    cdef int event(self, uint32_t events) except -1:
        if events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR):
            self.ssl.wire.drained = False
            if events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR):
                self.ssl.wire.closing = True
        if self.ssl.wire.out_size and not self.pending and events & (EPOLLOUT | EPOLLERR | EPOLLHUP):
            self.writable = True
            self.push()
        if self.write_waits and events & EPOLLIN:
            self.write_waits = False
            self.writable = True
            self.drain()
        return Stream.event(self, events)

    cdef int go_on(self) except -1:
        cdef bint more = self.stopped or self.spent
        if self.held and not self.pending:
            self.held = False
            self.push()
        if more:
            return Stream.go_on(self)
        self.posted = False
        return 0

    cpdef bint handshake(self) except -1:
        """Go on with the handshake; whether it is done. Errors: TlsFailure, whose alert is sent, and OSError."""
        cdef int answer
        if self.established:
            return True
        answer = self.ssl.shake_hands()
        if answer == 1:
            self.established = True
            self.readable = True
            if self.ssl.wire.out_size and self.writable:
                self.held = True
                if not self.pending:
                    self.post()
            self.drain()
            return True
        self.settle()
        if answer == FAILED:
            self.failure = self.ssl.failure
            raise self.failure
        if self.error:
            raise os_error(self.error)
        if answer == WANTS_READ:
            self.readable = False
        return False

    # -- input

    cpdef recv(self, Py_ssize_t limit=BUFFER):
        """As of a Stream; a peer that closes without close_notify is at its end, as to nginx."""
        cdef ssize_t count = 0
        cdef ssize_t got = 0
        cdef int records = 0
        cdef Engine ssl = self.ssl
        cdef char* buffer = self.poller.buffer
        if self.fd < 0:
            raise os_error(EBADF)
        if self.spent and not self.error:
            return None
        if not self.established and not self.handshake():
            return None
        if limit > BUFFER or limit <= 0:
            limit = BUFFER
        if self.fault is None and not self.error:
            # as much as there is, record after record: what OpenSSL holds raises no edge
            while got < limit and records < RECORDS:
                records += 1
                count = ssl.read(buffer + got, limit - got)
                if count <= 0:
                    break
                got += count
                if ssl.wire.drained and not ssl.more():
                    count = WANTS_READ
                    break
            if ssl.wire.out_size and not self.held:
                self.settle()
            if got:
                self.received += got
                self.readable = count != WANTS_READ
                self.took(max(got, READ_COST * records))
                return PyBytes_FromStringAndSize(buffer, got)
            if count == WANTS_READ:
                self.readable = False
                return None
            if count < 0:
                if count != FAILED:
                    return None
                self.broken(ssl.failure)
            self.readable = True
        if self.error and not self.raised:
            self.raised = True
            raise os_error(self.error)
        return b""

    cdef int broken(self, error) except -1:
        """The peer, or somebody between, broke the protocol, or the socket failed: nothing that follows can be read."""
        self.failure = error
        if self.ssl.wire.error:
            return self.fail(self.ssl.wire.error)
        self.fault = error.words
        self.settle()
        return self.fail(EPROTO)

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
        if self.held:
            self.held = False       # in one packet with what is sealed now
        elif self.ssl.wire.out_size and not self.push():
            return -1 if self.error else 0
        if self.sent == before:
            self.seal(min(limit, BATCH))
            if self.error:
                return -1
        return self.sent - before

    cdef int seal(self, int64_t limit) except -1:
        """Make records of the queue's beginning, and send them."""
        cdef int64_t done = 0
        cdef int64_t gathered = 0
        cdef int64_t offset = self.head_offset
        cdef int64_t wanted, taken
        cdef Py_ssize_t i = self.head
        cdef Py_ssize_t length = len(self.queue)
        cdef FileSlice slice
        cdef ssize_t count
        cdef bint stopped = False
        if self.pending > self.record or self.ending:
            cork(&self.ssl.wire)
        while i < length and done + gathered < limit:
            item = self.queue[i]
            if type(item) is FileSlice:
                slice = <FileSlice>item
                wanted = min(slice.length - offset, limit - done - gathered)
                count = c_pread(slice.fd, scratch + gathered, wanted, slice.offset + offset)
                if count < 0 and errno == EINTR:
                    continue
                if count < wanted:
                    # the file became shorter than the length that was promised
                    drop(&self.ssl.wire)
                    self.ssl.wire.corked = False
                    return self.fail(EIO)
                gathered += wanted
            else:
                wanted = min(PyBytes_GET_SIZE(item) - offset, limit - done - gathered)
                if gathered == 0 and wanted >= self.record:
                    # whole records are sealed from where they are
                    taken = self.put(PyBytes_AS_STRING(item) + offset, wanted - wanted % self.record)
                    if taken < 0:
                        return 0
                    done += taken
                    if taken < wanted - wanted % self.record:
                        stopped = True
                        break
                    offset += taken
                    wanted -= taken
                    if not wanted:
                        if offset == PyBytes_GET_SIZE(item):
                            offset = 0
                            i += 1
                        continue
                memcpy(scratch + gathered, PyBytes_AS_STRING(item) + offset, wanted)
                gathered += wanted
            offset = 0
            i += 1
        if gathered and not stopped:
            taken = self.put(scratch, gathered)
            if taken < 0:
                return 0
            done += taken
        if self.ending and done == self.pending:
            self.farewell()
        self.sealed_of = done
        if self.ssl.wire.corked:
            uncork(&self.ssl.wire)
        self.push()
        return 0

    cdef int64_t put(self, const char* data, int64_t size) except -2:
        """Seal bytes into records; how many, -1 when it failed."""
        cdef int64_t done = 0
        cdef ssize_t count
        while done < size:
            count = self.ssl.write(data + done, min(size - done, self.record))
            if count > 0:
                done += count
                continue
            if count == WANTS_READ:
                self.write_waits = True
                self.writable = False
                break
            self.ssl.wire.corked = False
            drop(&self.ssl.wire)
            self.broken(self.ssl.failure)
            return -1
        return done

    cdef bint push(self) except -1:
        """Send records that are ready; whether all of them are with the kernel."""
        cdef int64_t done
        cdef int answer = 1
        if self.ssl.wire.out_size:
            if not self.writable or self.fd < 0:
                return False
            answer = flush(&self.ssl.wire)
        if self.ssl.wire.error:
            self.fail(self.ssl.wire.error)
            return False
        if answer == 0:
            self.full()
            return False
        done = self.sealed_of
        self.sealed_of = 0
        if done:
            self.consume(done)
        return not self.error

    cdef int settle(self) except -1:
        """OpenSSL has written something of its own: if the socket did not take it, wait for room."""
        if self.ssl.wire.out_size and self.writable and self.fd >= 0:
            self.full()
        return 0

    cdef int drop_queue(self) except -1:
        self.sealed_of = 0
        return Stream.drop_queue(self)

    # -- the end

    cdef int goodbye(self) except -1:
        """Send close_notify, if that can be done at once; nobody waits for the peer's."""
        if not self.established or self.error or self.pending or (self.ssl.wire.out_size and not self.held):
            return 0
        self.farewell()
        if self.held:
            self.held = False
            flush(&self.ssl.wire)
        return 0

    cdef int farewell(self) except -1:
        if not self.said_goodbye:
            self.said_goodbye = True
            lib.SSL_shutdown(self.ssl.ssl)
            clear_errors()
        return 0

    def shutdown_write(self):
        if self.fd >= 0 and not self.write_closed:
            self.goodbye()
        Stream.shutdown_write(self)

    cpdef close(self, bint reset=False):
        if self.fd >= 0:
            if not reset:
                self.goodbye()
            Stream.close(self, reset)
            # What variables ask is still there; nothing may reach the descriptor, which is somebody else's soon.
            self.ssl.wire.fd = -1
            drop(&self.ssl.wire)


cpdef TlsStream secure(Stream plain, Context context, bytes data, Py_ssize_t record):
    """TlsStream(…) for compiled callers."""
    cdef TlsStream made = TlsStream.__new__(TlsStream)
    made.take_over(plain, context, data, record)
    return made
