# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""A multiplexer's other half: frames that come are handed to the streams they are of, or are the connection's own."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EIO, EPROTO
from libc.stdint cimport int64_t, uint8_t

from gateway._fast.multiplex cimport Multiplexer, Substream, put_head
from gateway._fast.poller cimport BUFFER
from gateway._fast.stream cimport Stream

from gateway._fast.errors import Http2Error

cdef enum:
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9

    END_STREAM = 0x1
    ACK = 0x1
    END_HEADERS = 0x4

    PROTOCOL_ERROR = 0x1
    FLOW_CONTROL_ERROR = 0x3
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    ENHANCE_YOUR_CALM = 0xB

    HEAD = 9
    LARGEST_FRAME = 16384
    MAX_WINDOW = 0x7fffffff

    MOST_FIELDS = 1048576       # a block of fields, as it came
    MOST_HELD = 4194304         # a window of the smallest frames, with their heads, and blocks of fields
    MOST_CONTROLS = 1000        # of these in a minute are no conversation
    MINUTE = 60


cdef inline int64_t word(const uint8_t *p) noexcept:
    return <int64_t> p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]


cdef class Demultiplexer(Multiplexer):

    def __cinit__(self, *args, **options):
        self.rest = b""

    cdef int read(self) except -1:
        """Take what has come; 0 when the connection has ended."""
        cdef Stream stream = self.stream
        cdef object data
        self.busy = True    # push() follows
        try:
            while stream.readable and stream.fd >= 0:
                data = stream.recv(BUFFER)
                if data is None:
                    break
                if not data:
                    self.breaks(0)
                    return 0
                self.feed(<bytes> data)
            self.tell_news()
        except OSError as error:
            self.breaks(error.errno or EIO)
            return 0
        except Http2Error as error:
            self.out.goaway(0, error.code)
            stream.send(self.out.take())
            self.breaks(EPROTO)
            return 0
        finally:
            self.busy = False
        return 1

    cdef int feed(self, bytes data) except -1:
        """Frames, in any parts. Errors: Http2Error."""
        cdef const uint8_t *p
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t here
        cdef int64_t size
        cdef int kind, flags
        cdef long number
        if self.rest:
            data = self.rest + data
            self.rest = b""
        p = <const uint8_t *> PyBytes_AS_STRING(data)
        here = PyBytes_GET_SIZE(data)
        while here:
            if self.left:
                size = min(self.left, here)
                if self.target is not None and self.target.fd >= 0:
                    self.target.put(p + at, size)
                self.left -= size
                at += size
                here -= size
                if not self.left:
                    self.frame_ends()
                continue
            if here < HEAD:
                break
            size = p[at] << 16 | p[at + 1] << 8 | p[at + 2]
            kind = p[at + 3]
            flags = p[at + 4]
            number = word(p + at + 5) & MAX_WINDOW
            if size > LARGEST_FRAME:
                raise Http2Error(FRAME_SIZE_ERROR, f"upstream sent too large http2 frame: {size}")
            if self.block and (kind != CONTINUATION or number != self.block):
                raise Http2Error(PROTOCOL_ERROR, "upstream sent inappropriate frame while CONTINUATION was expected")
            if kind in (RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE):
                if here < HEAD + size:
                    break
                self.control(kind, flags, number, p + at + HEAD, size)
                at += HEAD + size
                here -= HEAD + size
                continue
            self.stream_frame(kind, flags, number, size)
            at += HEAD
            here -= HEAD
            self.left = size
            if not size:
                self.frame_ends()
        if here:
            self.rest = PyBytes_FromStringAndSize(<const char *> p + at, here)
        return 0

    cdef int frame_ends(self) except -1:
        if self.target is not None and self.ends and not self.block:
            self.target.heard_all = True
        self.target = None
        return 0

    cdef int stream_frame(self, int kind, int flags, long number, int64_t size) except -1:
        """The head of a frame of a stream: `target` gets it, and will get the rest. Errors: Http2Error."""
        cdef uint8_t head[HEAD]
        cdef Substream member
        self.target = None
        if kind == PUSH_PROMISE:
            raise Http2Error(PROTOCOL_ERROR, "upstream sent unexpected push promise frame")
        if kind == PRIORITY or kind > CONTINUATION:
            return 0
        if not number & 1 or number >= self.next_number:
            raise Http2Error(PROTOCOL_ERROR, f"upstream sent frame for unknown stream {number}")
        if kind == DATA:
            self.recv_window -= size
            if self.recv_window < 0:
                raise Http2Error(FLOW_CONTROL_ERROR, "upstream violated connection flow control")
            if self.recv_window < MAX_WINDOW // 2:
                self.out.window_update(0, MAX_WINDOW - self.recv_window)
                self.recv_window = MAX_WINDOW
        else:
            if kind == CONTINUATION and not self.block:
                raise Http2Error(PROTOCOL_ERROR, "upstream sent unexpected CONTINUATION frame")
            self.block_size = size if kind == HEADERS else self.block_size + size
            if self.block_size > MOST_FIELDS:
                raise Http2Error(ENHANCE_YOUR_CALM, "upstream sent too big header")
            self.block = 0 if flags & END_HEADERS else number
        member = <Substream> self.streams.get(number)
        if member is None or (kind == DATA and not size and not flags & END_STREAM):
            return 0    # it is ended, or nothing is said
        if kind == DATA:
            member.recv_window -= size
            member.owed += size
            if member.recv_window < 0:
                raise Http2Error(FLOW_CONTROL_ERROR, "upstream violated stream flow control")
        if member.end_at - member.start > MOST_HELD:
            raise Http2Error(ENHANCE_YOUR_CALM, "upstream sent too many frames")
        self.target = member
        if kind != CONTINUATION:
            self.ends = flags & END_STREAM  # for its CONTINUATION, too
        put_head(head, size, kind, flags)
        member.put(head, HEAD)
        return 0

    cdef int control(self, int kind, int flags, long number, const uint8_t *p, int64_t size) except -1:
        """A frame of few bytes. Errors: Http2Error."""
        cdef Substream member = None
        cdef int64_t value
        if kind == RST_STREAM or (kind == WINDOW_UPDATE and number):
            if not number & 1 or number >= self.next_number:
                raise Http2Error(PROTOCOL_ERROR, f"upstream sent frame for unknown stream {number}")
            member = <Substream> self.streams.get(number)
        elif number:
            raise Http2Error(PROTOCOL_ERROR, f"upstream sent frame of the connection for stream {number}")
        if kind == SETTINGS:
            if flags & ACK == 0:
                self.read_settings(p, size)
            return 0
        if size != (8 if kind == PING else 4) if kind != GOAWAY else size < 8:
            raise Http2Error(FRAME_SIZE_ERROR, f"upstream sent frame {kind} with incorrect length {size}")
        value = word(p)
        if kind == PING:
            if flags & ACK == 0:
                self.count("ping")
                self.out.ping_ack(PyBytes_FromStringAndSize(<const char *> p, 8))
        elif kind == RST_STREAM:
            if member is not None:
                member.abandon()
                member.refused = value == REFUSED_STREAM
                member.put_frame(kind, 0, p, size)
        elif kind == GOAWAY:
            self.goaway(value & MAX_WINDOW)
        elif number:
            value &= MAX_WINDOW
            if member is not None and not member.was_reset:
                # what is wrong with it is its user's to say
                member.put_frame(kind, 0, p, size)
                if value <= MAX_WINDOW - member.window:
                    member.window += value
                if member.pending:
                    self.want(member)
        else:
            value &= MAX_WINDOW
            if not value:
                raise Http2Error(PROTOCOL_ERROR, "upstream sent WINDOW_UPDATE frame with increment 0")
            if value > MAX_WINDOW - self.send_window:
                raise Http2Error(FLOW_CONTROL_ERROR, "upstream sent too large window update")
            self.send_window += value
        return 0

    cdef int goaway(self, int64_t last) except -1:
        """Streams after this one are nobody's, and none begins any more; the others go on."""
        cdef Substream member
        self.closing = True
        self.ended()
        for member in list(self.members):
            if not member.number or member.number > last:
                member.refuse()
        return 0

    cdef int read_settings(self, const uint8_t *p, int64_t size) except -1:
        cdef Substream member
        cdef int which
        cdef int64_t value, delta
        if size % 6:
            raise Http2Error(FRAME_SIZE_ERROR, f"upstream sent SETTINGS frame with incorrect length {size}")
        self.count("settings")
        while size:
            which = p[0] << 8 | p[1]
            value = word(p + 2)
            if which == 3:
                self.peak = value
            elif which == 4:
                if value > MAX_WINDOW:
                    raise Http2Error(FLOW_CONTROL_ERROR, f"upstream sent too large initial window size: {value}")
                delta = value - self.initial_window
                self.initial_window = value
                for member in self.members:
                    if member.number:
                        member.window += delta
                        if member.window > MAX_WINDOW:
                            raise Http2Error(FLOW_CONTROL_ERROR, "upstream sent too large initial window size")
                        if member.pending:
                            self.want(member)
                    if not member.connecting and not member.was_reset:
                        member.put_frame(SETTINGS, 0, p, 6)
            p += 6
            size -= 6
        self.out.settings_ack()
        self.settled = True
        self.settle()
        return 0

    cdef int count(self, str name) except -1:
        """Frames that are answered; too many within a minute end the connection."""
        cdef double now = self.stream.poller.fresh()
        if now - self.counted_from >= MINUTE:
            self.counted_from = now
            self.controls = 0
        self.controls += 1
        if self.controls > MOST_CONTROLS:
            raise Http2Error(ENHANCE_YOUR_CALM, f"upstream sent too many {name} frames")
        return 0
