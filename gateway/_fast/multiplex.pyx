# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Many requests over one HTTP/2 connection to an upstream: a multiplexer of frames, and streams that look like sockets.

Each Substream is to its user a connection with one stream on it, of the number 1: it is written to and read from in
frames, as a socket would be, so that whoever speaks HTTP/2 over a connection of its own does so over a share of one.
The multiplexer looks at the heads of frames alone. It gives streams their numbers, and its other half (demultiplex.pyx)
keeps for itself what is the connection's: SETTINGS, PING, GOAWAY, its window. Blocks of fields go by as they are, since
we allow the peer no table, and so each of them can be read by itself.

The socket is always read. What a stream's user does not take waits in its Substream, and the stream's window, which is
given back as it is taken, says how much that may be: nobody waits for somebody else's client.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EBADF, EIO
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove, memset

from gateway._fast.http2_writer cimport FrameWriter
from gateway._fast.poller cimport READ_COST, os_error
from gateway._fast.stream cimport Stream
from gateway._fast.timers cimport Due
from gateway._fast.watcher cimport Watcher

cdef bytes PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

cdef enum:
    DATA = 0
    HEADERS = 1
    SETTINGS = 4
    GOAWAY = 7
    CONTINUATION = 9

    END_STREAM = 0x1
    CANCEL = 0x8

    HEAD = 9
    LARGEST_FRAME = 16384
    DEFAULT_WINDOW = 65535
    MAX_WINDOW = 0x7fffffff
    LAST_NUMBER = 0x7fffff00    # no stream begins after it

    KEPT = 65536                # of a stream's memory while nothing lies there

# SUBSTREAM_WINDOW for those that are not compiled.
WINDOW = SUBSTREAM_WINDOW
# As much is written before the socket has to take some of it.
cdef int64_t ENOUGH = 65536
# Instead of a descriptor: it says that a substream is open.
cdef int NO_DESCRIPTOR = 0x3fffffff


cdef class Substream(Stream):
    """One stream of a connection that others use as well; `connecting` until it may begin. Made by Multiplexer.add."""

    def __init__(self, Multiplexer mux not None, handler=None):
        self.mux = mux
        self.poller = mux.stream.poller
        self.fd = NO_DESCRIPTOR
        self.handler = handler
        self.connecting = True
        self.recv_window = SUBSTREAM_WINDOW
        self.heard_before = mux.stream.received

    def __dealloc__(self):
        free(self.data)

    def __repr__(self):
        return f"<Substream number={self.number} pending={self.pending} error={self.error}>"

    # -- input

    cpdef recv(self, Py_ssize_t limit=0):
        """What has come, as Stream.recv."""
        cdef Py_ssize_t size = self.end_at - self.start
        if self.fd < 0:
            raise os_error(EBADF)
        if self.spent and not self.error:
            return None
        if size:
            if 0 < limit < size:
                size = limit
            data = PyBytes_FromStringAndSize(self.data + self.start, size)
            self.start += size
            self.received += size
            if self.start == self.end_at:
                self.start = self.end_at = 0
                if self.room > KEPT:
                    free(self.data)
                    self.data = NULL
                    self.room = 0
                self.readable = self.peer_closed or self.error != 0
            self.give_back()
            self.took(max(size, READ_COST))
            return data
        if self.error and not self.raised:
            self.raised = True
            raise os_error(self.error)
        if self.error or self.peer_closed:
            return b""
        self.readable = False
        return None

    cdef int put(self, const uint8_t *p, Py_ssize_t size) except -1:
        """These bytes have come."""
        cdef Py_ssize_t room
        cdef char *data
        if self.end_at + size > self.room:
            if self.start:
                memmove(self.data, self.data + self.start, self.end_at - self.start)
                self.end_at -= self.start
                self.start = 0
            if self.end_at + size > self.room:
                room = max(self.end_at + size, 2 * self.room, 1024)
                data = <char *> realloc(self.data, room)
                if data == NULL:
                    raise MemoryError
                self.data = data
                self.room = room
        memcpy(self.data + self.end_at, p, size)
        self.end_at += size
        if not self.spent:
            self.readable = True
        self.mux.tell(self)
        return 0

    cdef int put_frame(self, int kind, int flags, const uint8_t *p, Py_ssize_t size) except -1:
        cdef uint8_t head[HEAD]
        put_head(head, size, kind, flags)
        self.put(head, HEAD)
        if size:
            self.put(p, size)
        return 0

    cdef int give_back(self) except -1:
        """Widen the window by what was taken, once that is worth a frame."""
        cdef int64_t taken = self.owed - (self.end_at - self.start)
        if self.start == self.end_at:
            taken = self.owed
        if taken >= SUBSTREAM_WINDOW // 2 and not self.heard_all and not self.error:
            self.owed -= taken
            self.recv_window += taken
            self.mux.out.window_update(self.number, taken)
            self.mux.post()
        return 0

    # -- output

    cpdef int64_t send(self, bytes data) except -1:
        """Frames of this stream; those of a connection are left out. What the windows hold back is queued."""
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t end = PyBytes_GET_SIZE(data)
        cdef Py_ssize_t size
        cdef int kind, flags
        cdef Multiplexer mux = self.mux
        if self.fd < 0 or self.error or self.peer_closed or self.was_reset:
            return 0
        while at + HEAD <= end:
            size = p[at] << 16 | p[at + 1] << 8 | p[at + 2]
            kind = p[at + 3]
            flags = p[at + 4]
            at += HEAD
            if at + size > end:
                raise ValueError("a part of a frame")
            if kind == HEADERS or kind == CONTINUATION:
                if not self.number:
                    mux.begin_stream(self)
                mux.out.frame(size, kind, flags, self.number)
                mux.out.put_part(data, at, size)
                self.sent += HEAD + size
                if kind == HEADERS and flags & END_STREAM:
                    self.said_all = True
            elif kind == DATA:
                if flags & END_STREAM:
                    self.last = True
                if not self.pending and size <= min(self.window, mux.send_window) and mux.has_room():
                    mux.out.frame(size, DATA, flags & END_STREAM, self.number)
                    mux.out.put_part(data, at, size)
                    self.sent += HEAD + size
                    self.window -= size
                    mux.send_window -= size
                    self.said_all = self.last
                elif size:
                    Stream.write(self, data[at:at + size])
            at += size
        if self.pending:
            self.held_back = True
            mux.want(self)
        elif self.last and not self.said_all:
            self.emit()
        mux.post()
        return self.pending

    cdef int64_t drain(self) except -1:
        return self.pending

    cdef int emit(self) except -1:
        """The next frame of what is queued, as the windows let it."""
        cdef Multiplexer mux = self.mux
        cdef int64_t size = min(LARGEST_FRAME, self.pending)
        cdef int64_t part
        cdef bytes item
        if self.pending:
            size = min(size, min(self.window, mux.send_window))
            if size <= 0:
                return 0
        self.said_all = self.last and size == self.pending
        mux.out.frame(size, DATA, END_STREAM if self.said_all else 0, self.number)
        self.window -= size
        mux.send_window -= size
        self.sent += HEAD
        while size:
            item = <bytes> self.queue[self.head]
            part = min(size, PyBytes_GET_SIZE(item) - self.head_offset)
            mux.out.put_part(item, self.head_offset, part)
            self.consume(part)
            size -= part
        return 0

    # -- the end

    cdef int lose(self, int number) except -1:
        """The connection is gone; 0: the peer ended it."""
        self.connecting = False
        self.peer_closed = True
        if number:
            self.fail(number)
        else:
            self.drop_queue()
        self.readable = True
        self.mux.tell(self)
        return 0

    cdef int abandon(self) except -1:
        """The peer has closed the stream: it says nothing more, and hears nothing."""
        self.heard_all = self.was_reset = True
        self.drop_queue()
        return 0

    cpdef refuse(self):
        """The peer does nothing for it: it has to be asked anew on another connection."""
        cdef uint8_t nothing[8]
        memset(nothing, 0, sizeof(nothing))
        self.refused = True
        self.connecting = False
        self.abandon()
        self.put_frame(GOAWAY, 0, nothing, sizeof(nothing))

    cpdef doubt(self):
        """Its user waited in vain: where the whole connection has been silent, nobody else is to join it."""
        if self.mux.stream.received == self.heard_before:
            self.mux.closing = True
            self.mux.ended()

    def shutdown_write(self):
        """There is no such thing: END_STREAM is written."""

    def set_option(self, int level, int option, int value):
        return True

    cpdef nodelay(self):
        return True

    cpdef close(self, bint reset=False):
        """Leave the connection; the peer is told, if it has not said all."""
        if self.fd < 0:
            return
        self.fd = -1
        self.readable = self.writable = self.connecting = False
        self.drop_queue()
        self.start = self.end_at = 0
        self.handler = self.on_deadline = self.on_crash = None
        self.mux.leave(self)
        if self.waiter is not None:
            self.waiter.fibre.rouse()


cdef class Push(Due):
    """What was written in a turn goes out in one call at its end."""

    cdef int fire(self) except -1:
        self.mux.push()
        return 0


cdef class Multiplexer(Watcher):
    """A connection that many streams share. It is told by its socket; a subclass says how it is made and kept."""

    def __init__(self, Stream stream not None):
        self.stream = stream
        stream.handler = self
        stream.on_crash = self
        self.out = FrameWriter()
        self.members = set()
        self.streams = {}
        self.news = []
        self.row = []
        self.peak = MAX_WINDOW
        self.initial_window = self.send_window = DEFAULT_WINDOW
        self.recv_window = MAX_WINDOW
        self.next_number = 1
        self.pushing = Push.__new__(Push)
        self.pushing.mux = self

    # what a subclass does

    cpdef establish(self):
        """Something happened while the connection is being made."""

    cpdef settle(self):
        """The peer's SETTINGS have come, the first or others."""

    cpdef emptied(self):
        """Nobody uses it any more."""

    cpdef ended(self):
        """Nobody may join any more."""

    # -- members

    cpdef start(self):
        """The connection is there: say who we are."""
        cdef FrameWriter out = self.out
        self.begun = True
        out.put(PREFACE)
        out.frame(18, SETTINGS, 0, 0)
        out.put(b"\0\1\0\0\0\0" b"\0\2\0\0\0\0" b"\0\4" + int(SUBSTREAM_WINDOW).to_bytes(4, "big"))
        out.window_update(0, MAX_WINDOW - DEFAULT_WINDOW)
        self.post()

    cpdef add(self, Substream member):
        self.members.add(member)

    cpdef admit(self, Substream member):
        """It may begin."""
        if member.connecting:
            member.connecting = False
            member.writable = True
            self.tell(member)

    cdef int begin_stream(self, Substream member) except -1:
        member.number = self.next_number
        member.window = self.initial_window
        member.heard_before = self.stream.received
        self.streams[member.number] = member
        self.next_number += 2
        if self.next_number > LAST_NUMBER and not self.closing:
            self.closing = True
            self.ended()
        return 0

    cdef int leave(self, Substream member) except -1:
        if member.number and self.streams.pop(member.number, None) is not None and self.stream.fd >= 0:
            if not member.heard_all:
                self.out.rst_stream(member.number, CANCEL)
                self.post()
        self.members.discard(member)
        if not self.members:
            self.emptied()
        return 0

    cpdef breaks(self, int number):
        """The connection is gone, with this error, or (0) because the peer ended it: so are all of its streams."""
        cdef Substream member
        self.closing = True
        if self.stream.fd >= 0:
            self.stream.close()
        self.streams.clear()
        for member in list(self.members):
            member.lose(number)
        self.ended()
        if not self.members:
            self.emptied()
        self.tell_news()

    def crashed(self, BaseException error):
        """A handler raised."""
        self.stream.poller.crash(error, self)
        self.breaks(EIO)

    cpdef stopped(self):
        cdef Substream member
        self.closing = True
        for member in list(self.members):
            handler = member.handler
            member.close()
            if isinstance(handler, Watcher):
                (<Watcher> handler).stopped()

    # -- output

    cdef bint has_room(self) except -1:
        return self.stream.pending + self.out.size < ENOUGH

    cdef int want(self, Substream member) except -1:
        """It has DATA to send."""
        if not member.in_row:
            member.in_row = True
            self.row.append(member)
        return 0

    cdef int serve(self) except -1:
        """One frame of each in turn, as far as the connection's window and the socket go."""
        cdef Substream member
        while self.row and self.send_window > 0 and self.has_room():
            member = <Substream> self.row.pop(0)
            member.in_row = False
            if member.fd < 0 or not member.pending:
                continue
            member.emit()
            if not member.pending:
                if member.held_back:
                    member.held_back = False
                    self.tell(member)
            elif member.window > 0:
                self.want(member)
        return 0

    cdef int post(self) except -1:
        """push() in this turn, or at the beginning of the next one."""
        if not self.posted and not self.busy:
            self.posted = True
            self.stream.poller.plan(self.pushing, 0)
        return 0

    cpdef wake(self):
        """push() soon."""
        self.post()

    cpdef push(self):
        """Send what there is, and tell who has news."""
        cdef Stream stream = self.stream
        cdef int64_t size
        self.posted = False
        if not self.begun and not self.closing:
            self.establish()
            return
        while stream.fd >= 0:
            self.serve()
            size = self.out.size
            if size:
                stream.send(self.out.take())
            elif stream.pending:
                stream.flush()
            if stream.error:
                self.breaks(stream.error)
                return
            if not size or stream.pending or stream.spend(size):
                break
        self.tell_news()

    # -- input

    cpdef happened(self):
        if not self.begun:
            self.establish()
        elif self.read():
            self.push()

    cdef int tell(self, Substream member) except -1:
        """Call its handler when this is done."""
        if not member.in_news:
            member.in_news = True
            self.news.append(member)
            self.post()
        return 0

    cdef int tell_news(self) except -1:
        cdef list news
        cdef Substream member
        while self.news:
            news = self.news
            self.news = []
            for member in news:
                member.in_news = False
                if member.fd >= 0:
                    (<Stream> member).tell()
        return 0

    cdef int read(self) except -1:
        """Take what has come; 0 when the connection has ended."""
        raise NotImplementedError  # abstract: demultiplex.pyx has it
