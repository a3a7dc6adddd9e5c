# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""HTTP/2 frames (RFC 9113), taken apart and checked with nginx's codes and words: no object for each.

The reader is fed with bytes and next() says what they are, one event after the other; what the event says more is in
the reader's attributes until the next one. DATA comes in parts as its bytes do, and fields are decoded as theirs do, so
that nothing has to be held back and no limit waits for the end of a frame.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memmove

from gateway._fast.hpack cimport Decoder

from gateway._fast.errors import Http2Error

cdef bytes PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# Types of frames; events have the same numbers.
cdef enum:
    F_DATA = 0
    F_HEADERS
    F_PRIORITY
    F_RST_STREAM
    F_SETTINGS
    F_PUSH_PROMISE
    F_PING
    F_GOAWAY
    F_WINDOW_UPDATE
    F_CONTINUATION
    F_UNKNOWN
    E_NOTHING
    E_BLOCK_ENDS
    E_SETTINGS_ACK

    END_STREAM = 0x1
    ACK = 0x1
    END_HEADERS = 0x4
    PADDED = 0x8
    PRIORITIZED = 0x20

    PROTOCOL_ERROR = 0x1
    FLOW_CONTROL_ERROR = 0x3
    FRAME_SIZE_ERROR = 0x6

    HEAD_SIZE = 9
    LARGEST_FRAME = 16384   # of an upstream, which was told of no other size

# What the next bytes are.
cdef enum:
    AT_PREFACE
    AT_HEAD
    AT_WHOLE            # a frame of few bytes, read when all of them are here
    AT_DATA             # the beginning of a DATA frame
    IN_DATA
    AT_BLOCK            # the beginning of a HEADERS frame
    IN_BLOCK
    IN_SETTINGS
    SKIPPING

NOTHING = E_NOTHING
DATA = F_DATA
BLOCK_BEGINS = F_HEADERS
BLOCK_ENDS = E_BLOCK_ENDS
PRIORITY = F_PRIORITY
RST_STREAM = F_RST_STREAM
SETTINGS = F_SETTINGS
SETTINGS_ACK = E_SETTINGS_ACK
PING = F_PING
WINDOW_UPDATE = F_WINDOW_UPDATE
GOAWAY = F_GOAWAY
UNKNOWN = F_UNKNOWN


cdef inline int64_t word(const uint8_t *p) noexcept:
    return <int64_t> p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]


cdef class FrameReader:
    """`decoder`: for the blocks of fields; it has the limits of a head.

    `upstream`: the frames are those of a server. No preface comes before them, blocks are answers to what we began or
    trailers of those, and GOAWAY is an event, with the last stream and the code. Errors say "client" all the same.
    """

    def __init__(self, Decoder decoder not None, bint upstream=False):
        self.decoder = decoder
        self.upstream = upstream
        self.data = b""
        self.state = AT_HEAD if upstream else AT_PREFACE

    def __dealloc__(self):
        free(self.tail)

    cpdef feed(self, bytes data):
        """These bytes follow."""
        if self.at < PyBytes_GET_SIZE(self.data):
            self.data = PyBytes_FromStringAndSize(
                PyBytes_AS_STRING(self.data) + self.at, PyBytes_GET_SIZE(self.data) - self.at
            ) + data
        else:
            self.data = data
        self.at = 0

    cpdef bint incomplete(self):
        """Whether a frame, or a block of fields, has begun and not ended."""
        return self.at < PyBytes_GET_SIZE(self.data) or self.continues or self.state > AT_HEAD

    cpdef Py_ssize_t unread(self):
        """Bytes that wait for next()."""
        return PyBytes_GET_SIZE(self.data) - self.at

    cpdef long block_stream(self):
        """The stream whose block of fields is under way; 0: none is."""
        return self.block

    cpdef bytes part(self):
        """DATA, PING: the bytes that are here."""
        return PyBytes_FromStringAndSize(PyBytes_AS_STRING(self.data) + self.payload, self.length)

    cpdef int next(self) except -1:
        """The next event; NOTHING if more bytes are needed. Errors: Http2Error, which ends the connection."""
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(self.data)
        cdef Py_ssize_t end = PyBytes_GET_SIZE(self.data)
        cdef Py_ssize_t here
        cdef int event
        while True:
            here = end - self.at
            if self.state == AT_HEAD:
                if here < HEAD_SIZE:
                    break
                self.at += HEAD_SIZE
                event = self.head(p + self.at - HEAD_SIZE)
            elif self.state == AT_WHOLE:
                if here < self.left:
                    break
                self.payload = self.at
                self.at += self.left
                self.state = AT_HEAD
                event = self.whole(p + self.payload)
            elif self.state == IN_DATA:
                if not here and self.left:
                    break
                event = self.read_data(here)
            elif self.state == AT_DATA:
                event = self.begin_data(p + self.at, here)
                if event == E_NOTHING:
                    break
            elif self.state == AT_BLOCK:
                if here < self.padding:
                    break
                event = self.begin_block(p + self.at)
            elif self.state == IN_BLOCK:
                if not here and self.left:
                    break
                event = self.read_block(p + self.at, here)
            elif self.state == SKIPPING:
                here = min(here, self.left)
                self.at += here
                self.left -= here
                if self.left:
                    break
                self.state = AT_HEAD
                continue
            elif self.state == IN_SETTINGS:
                event = self.read_settings(p + self.at, here)
                if event == E_NOTHING:
                    break
            else:
                here = min(here, PyBytes_GET_SIZE(PREFACE))
                if memcmp(p, PyBytes_AS_STRING(PREFACE), here) != 0:
                    raise Http2Error(PROTOCOL_ERROR, "invalid connection preface")
                if here < PyBytes_GET_SIZE(PREFACE):
                    break
                self.at = here
                self.state = AT_HEAD
                continue
            if event != E_NOTHING:
                return event
        return E_NOTHING

    cdef int head(self, const uint8_t *p) except -1:
        """The nine bytes before each frame."""
        self.left = p[0] << 16 | p[1] << 8 | p[2]
        self.kind = min(p[3], F_UNKNOWN)
        self.stream = word(p + 5) & 0x7fffffff
        if self.upstream and self.left > LARGEST_FRAME:
            raise Http2Error(FRAME_SIZE_ERROR, f"client sent too large http2 frame: {self.left}")
        if self.continues:
            if p[3] != F_CONTINUATION:
                raise Http2Error(
                    PROTOCOL_ERROR, "client sent inappropriate frame while CONTINUATION was expected"
                )
            if self.stream != self.block:
                raise Http2Error(PROTOCOL_ERROR, "client sent CONTINUATION frame with incorrect identifier")
            self.flags |= p[4] & END_HEADERS
            self.size += self.left
            self.padding = 0
            self.state = IN_BLOCK
            return E_NOTHING
        self.flags = p[4]
        self.state = AT_WHOLE
        if self.kind == F_DATA:
            self.state = AT_DATA
        elif self.kind == F_HEADERS:
            # of the frame's own fields, until its padding is known
            self.padding = (1 if self.flags & PADDED else 0) + (5 if self.flags & PRIORITIZED else 0)
            if self.left < self.padding:
                raise Http2Error(FRAME_SIZE_ERROR, self.refuse_length("HEADERS"))
            if self.left == self.padding:
                raise Http2Error(FRAME_SIZE_ERROR, "client sent HEADERS frame with empty header block")
            self.state = SKIPPING if self.refusing else AT_BLOCK
        elif self.kind == F_PRIORITY:
            if self.left != 5:
                raise Http2Error(FRAME_SIZE_ERROR, self.refuse_length("PRIORITY"))
        elif self.kind == F_RST_STREAM:
            if self.left != 4:
                raise Http2Error(FRAME_SIZE_ERROR, self.refuse_length("RST_STREAM"))
        elif self.kind == F_SETTINGS:
            if self.stream:
                raise Http2Error(PROTOCOL_ERROR, "client sent SETTINGS frame with incorrect identifier")
            if self.flags == ACK:
                if self.left:
                    raise Http2Error(
                        FRAME_SIZE_ERROR, "client sent SETTINGS frame with the ACK flag and nonzero length"
                    )
                self.state = AT_HEAD
                return E_SETTINGS_ACK
            if self.left % 6:
                raise Http2Error(FRAME_SIZE_ERROR, self.refuse_length("SETTINGS"))
            self.window = self.frame_size = -1
            self.table_changed = False
            self.state = IN_SETTINGS
        elif self.kind == F_PING:
            if self.left != 8:
                raise Http2Error(FRAME_SIZE_ERROR, self.refuse_length("PING"))
        elif self.kind == F_WINDOW_UPDATE:
            if self.left != 4:
                raise Http2Error(FRAME_SIZE_ERROR, self.refuse_length("WINDOW_UPDATE"))
        elif self.kind == F_GOAWAY:
            if self.left < 8:
                raise Http2Error(FRAME_SIZE_ERROR, self.refuse_length("GOAWAY"))
            if self.stream:
                raise Http2Error(PROTOCOL_ERROR, "client sent GOAWAY frame with incorrect identifier")
            if not self.upstream:
                self.state = SKIPPING
        elif self.kind == F_PUSH_PROMISE:
            if self.upstream:
                raise Http2Error(PROTOCOL_ERROR, "client sent unexpected push promise frame")
            raise Http2Error(PROTOCOL_ERROR, "client sent PUSH_PROMISE frame")
        elif self.kind == F_CONTINUATION:
            raise Http2Error(PROTOCOL_ERROR, "client sent unexpected CONTINUATION frame")
        else:
            self.value = p[3]
            self.state = SKIPPING
            return F_UNKNOWN
        return E_NOTHING

    cdef str refuse_length(self, str name):
        return f"client sent {name} frame with incorrect length {self.left}"

    cdef int whole(self, const uint8_t *p) except -1:
        """A frame of few bytes, all of which are here."""
        if self.kind == F_PING:
            if self.stream:
                raise Http2Error(PROTOCOL_ERROR, "client sent PING frame with incorrect identifier")
            if self.flags & ACK:
                if self.upstream:
                    raise Http2Error(PROTOCOL_ERROR, "client sent ping frame with ack flag")
                return E_NOTHING
            self.length = 8
            return F_PING
        self.value = word(p)
        if self.kind == F_GOAWAY:
            self.stream = self.value & 0x7fffffff
            self.value = word(p + 4)
            return F_GOAWAY
        if self.kind == F_WINDOW_UPDATE:
            self.value &= 0x7fffffff
            if not self.value:
                raise Http2Error(
                    PROTOCOL_ERROR, "client sent WINDOW_UPDATE frame with incorrect window increment 0"
                )
            return F_WINDOW_UPDATE
        if self.kind == F_RST_STREAM:
            if not self.stream:
                raise Http2Error(PROTOCOL_ERROR, "client sent RST_STREAM frame with incorrect identifier")
            return F_RST_STREAM
        self.exclusive = self.value >> 31
        self.depends_on = self.value & 0x7fffffff
        self.weight = p[4] + 1
        if not self.stream:
            raise Http2Error(PROTOCOL_ERROR, "client sent PRIORITY frame with incorrect identifier")
        if self.depends_on == self.stream:
            raise Http2Error(
                PROTOCOL_ERROR, f"client sent PRIORITY frame for stream {self.stream} with incorrect dependency"
            )
        return F_PRIORITY

    cdef int begin_data(self, const uint8_t *p, Py_ssize_t here) except -1:
        self.size = self.left
        self.padding = 0
        if self.flags & PADDED:
            if not self.left:
                raise Http2Error(FRAME_SIZE_ERROR, "client sent padded DATA frame with incorrect length: 0")
            if not here:
                return E_NOTHING
            self.padding = p[0]
            if self.padding >= self.left:
                raise Http2Error(
                    PROTOCOL_ERROR,
                    f"client sent padded DATA frame with incorrect length: {self.left}, padding: {self.padding}",
                )
            self.at += 1
            here -= 1
            self.left -= 1 + self.padding
        if not self.stream:
            raise Http2Error(PROTOCOL_ERROR, "client sent DATA frame with incorrect identifier")
        return self.read_data(here)

    cdef int read_data(self, Py_ssize_t here) except -1:
        if self.state == IN_DATA:
            self.size = 0
        self.payload = self.at
        self.length = min(here, self.left)
        self.at += self.length
        self.left -= self.length
        self.ends = False
        self.state = IN_DATA
        if not self.left:
            self.ends = self.flags & END_STREAM
            self.left = self.padding
            self.state = SKIPPING if self.padding else AT_HEAD
        return F_DATA

    cdef int begin_block(self, const uint8_t *p) except -1:
        cdef int64_t padding = 0
        self.at += self.padding
        self.left -= self.padding
        if self.flags & PADDED:
            padding = p[0]
            p += 1
            if padding > self.left:
                raise Http2Error(
                    PROTOCOL_ERROR,
                    f"client sent padded HEADERS frame with incorrect length: {self.left}, padding: {padding}",
                )
            self.left -= padding
        self.padding = padding
        self.depends_on = 0
        self.exclusive = False
        self.weight = 16
        self.prioritized = self.flags & PRIORITIZED
        if self.prioritized:
            self.exclusive = p[0] >> 7
            self.depends_on = word(p) & 0x7fffffff
            self.weight = p[4] + 1
        if not self.upstream and (self.stream % 2 == 0 or self.stream <= self.last_stream):
            raise Http2Error(
                PROTOCOL_ERROR,
                f"client sent HEADERS frame with incorrect identifier {self.stream}, the last was {self.last_stream}",
            )
        if self.depends_on == self.stream:
            raise Http2Error(
                PROTOCOL_ERROR, f"client sent HEADERS frame for stream {self.stream} with incorrect dependency"
            )
        self.last_stream = self.block = self.stream
        self.ends = self.flags & END_STREAM
        self.size = self.left
        self.tail_size = 0
        self.decoder.begin()
        self.state = IN_BLOCK
        return F_HEADERS

    cdef int read_block(self, const uint8_t *p, Py_ssize_t here) except -1:
        """Decode what is here of the block; what is no whole field is kept until the rest of it comes."""
        cdef Py_ssize_t size = min(here, self.left)
        cdef Py_ssize_t used
        cdef bint last
        self.at += size
        self.left -= size
        last = not self.left and self.flags & END_HEADERS
        if self.tail_size:
            self.keep(p, size)
            used = self.decoder.read(self.tail, self.tail_size, last)
            self.tail_size -= used
            if self.tail_size and used:
                memmove(self.tail, self.tail + used, self.tail_size)
        else:
            used = self.decoder.read(p, size, last)
            if used < size:
                self.keep(p + used, size - used)
        if self.left:
            return E_NOTHING
        self.left = self.padding
        self.state = SKIPPING if self.padding else AT_HEAD
        self.continues = not last
        if not last:
            return E_NOTHING
        self.stream = self.block
        self.block = 0
        return E_BLOCK_ENDS

    cdef int keep(self, const uint8_t *p, Py_ssize_t size) except -1:
        cdef Py_ssize_t room
        cdef uint8_t *tail
        if self.tail_size + size > self.tail_room:
            room = max(2 * self.tail_room, self.tail_size + size)
            tail = <uint8_t *> realloc(self.tail, room)
            if tail == NULL:
                raise MemoryError
            self.tail = tail
            self.tail_room = room
        memcpy(self.tail + self.tail_size, p, size)
        self.tail_size += size
        return 0

    cdef int read_settings(self, const uint8_t *p, Py_ssize_t here) except -1:
        cdef int which
        cdef int64_t value
        while self.left:
            if here < 6:
                return E_NOTHING
            which = p[0] << 8 | p[1]
            value = word(p + 2)
            if which == 1:
                self.table_changed = True
            elif which == 2:
                if value > 1:
                    raise Http2Error(PROTOCOL_ERROR, wrong_setting("ENABLE_PUSH", value))
            elif which == 4:
                if value > 0x7fffffff:
                    raise Http2Error(FLOW_CONTROL_ERROR, wrong_setting("INITIAL_WINDOW_SIZE", value))
                self.window = value
            elif which == 5:
                if not 16384 <= value <= 0xffffff:
                    raise Http2Error(PROTOCOL_ERROR, wrong_setting("MAX_FRAME_SIZE", value))
                self.frame_size = value
            p += 6
            here -= 6
            self.at += 6
            self.left -= 6
        self.state = AT_HEAD
        return F_SETTINGS


cdef str wrong_setting(str name, int64_t value):
    return f"client sent SETTINGS frame with incorrect {name} value {value}"
