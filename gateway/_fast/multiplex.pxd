from libc.stdint cimport int64_t, uint8_t

from gateway._fast.http2_writer cimport FrameWriter
from gateway._fast.stream cimport Stream
from gateway._fast.timers cimport Due
from gateway._fast.watcher cimport Watcher


cdef enum:
    SUBSTREAM_WINDOW = 262144       # what a peer may send of an answer that nobody takes: 100 Mbit/s over 20 ms


cdef inline void put_head(uint8_t *p, int64_t length, int kind, int flags) noexcept:
    """The head of a frame as a Substream's user sees it."""
    p[0] = <uint8_t> (length >> 16)
    p[1] = <uint8_t> (length >> 8)
    p[2] = <uint8_t> length
    p[3] = <uint8_t> kind
    p[4] = <uint8_t> flags
    p[5] = p[6] = p[7] = 0
    p[8] = 0 if kind == 4 or kind == 7 else 1   # SETTINGS, GOAWAY


cdef class Substream(Stream):
    cdef readonly Multiplexer mux
    cdef readonly long number       # of the stream on the connection; 0: it has not begun
    cdef readonly bint refused      # the peer has done nothing for it: it may be asked anew, elsewhere
    cdef bint heard_all             # the peer's side is closed
    cdef bint said_all              # ours is
    cdef bint was_reset             # by the peer
    cdef bint last                  # our side's end is behind what is queued
    cdef bint in_news
    cdef bint in_row
    cdef bint held_back             # whoever writes was told to wait
    cdef int64_t window             # what may be sent
    cdef int64_t recv_window        # what may come
    cdef int64_t owed               # of DATA that came and was not given back yet
    cdef int64_t heard_before       # what the connection had received when it began
    cdef char *data                 # frames that nobody took yet
    cdef Py_ssize_t start
    cdef Py_ssize_t end_at
    cdef Py_ssize_t room

    cdef int put(self, const uint8_t *p, Py_ssize_t size) except -1
    cdef int put_frame(self, int kind, int flags, const uint8_t *p, Py_ssize_t size) except -1
    cdef int give_back(self) except -1
    cdef int emit(self) except -1
    cdef int abandon(self) except -1
    cdef int lose(self, int number) except -1
    cpdef refuse(self)
    cpdef doubt(self)


cdef class Multiplexer(Watcher):
    cdef public Stream stream
    cdef readonly FrameWriter out
    cdef readonly set members       # all that use the connection, or will
    cdef readonly dict streams      # those that have begun, by number
    cdef readonly bint begun        # our preface is out
    cdef readonly bint settled      # the peer's SETTINGS have come
    cdef public bint closing        # no more may join
    cdef readonly long peak         # how many streams the peer allows at once
    cdef readonly int64_t initial_window
    cdef int64_t send_window
    cdef int64_t recv_window
    cdef long next_number
    cdef list news
    cdef list row
    cdef Push pushing
    cdef bint posted
    cdef bint busy                  # push() follows what is under way

    cpdef establish(self)
    cpdef settle(self)
    cpdef emptied(self)
    cpdef ended(self)
    cpdef start(self)
    cpdef add(self, Substream member)
    cpdef admit(self, Substream member)
    cpdef breaks(self, int number)
    cpdef push(self)
    cpdef wake(self)
    cdef int begin_stream(self, Substream member) except -1
    cdef int leave(self, Substream member) except -1
    cdef bint has_room(self) except -1
    cdef int want(self, Substream member) except -1
    cdef int serve(self) except -1
    cdef int post(self) except -1
    cdef int tell(self, Substream member) except -1
    cdef int tell_news(self) except -1
    cdef int read(self) except -1


cdef class Push(Due):
    cdef Multiplexer mux
