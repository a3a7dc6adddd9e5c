# The types of http2.py's compiled form.
cimport cython

from gateway._fast.http1_response cimport ResponseHead
from gateway._fast.http2_answer cimport answer_head, answer_trailers
from gateway._fast.http2_reader cimport FrameReader
from gateway._fast.http2_writer cimport FrameWriter
from gateway.core.piece_queue cimport PieceQueue, new_queue
from gateway.http.body cimport RequestBody, read_body_part
from gateway.http.request cimport Request
from gateway.protocol.cgi cimport Reader
from gateway.upstream.exchange.http2_link cimport Link

cdef int BLOCK_BEGINS, BLOCK_ENDS, DATA, GOAWAY, NOTHING, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE
cdef long _EARLY_HINTS, _ENOUGH, _TURN, _DATA, _END_STREAM, _MAX_WINDOW


cdef class Http2Reader(Reader):
    cdef public bint head_only
    cdef public object on_hints
    cdef public bint sizes_none
    cdef public Link link
    cdef public object stream
    cdef public long id
    cdef public PieceQueue queue
    cdef public bint last
    cdef public bint closed
    cdef public long long send_window
    cdef public bint alone
    cdef public long long recv_window
    cdef public bint head_done
    cdef public bint over
    cdef public bint reset
    cdef public long long left
    cdef public list trailers

    cpdef start(self, bint head_only, object on_hints)
    @cython.locals(link=Link, ends=bint)
    cpdef begin(self, object connection, bytes block, list pieces)
    @cython.locals(part=bytes)
    cpdef add(self, list parts, bint last)
    cpdef bint is_blocked(self) except -1
    @cython.locals(body=RequestBody, took=bint, room="long long", parts=list)
    cpdef bint pass_on(self, Request request, bint streaming) except -1
    @cython.locals(out=FrameWriter, size="long long")
    cpdef write(self)
    @cython.locals(link=Link, out=FrameWriter, queue=PieceQueue, room="long long", data=bytes, size="long long")
    cpdef _fill(self)
    @cython.locals(reader=FrameReader)
    cpdef long long head_received(self) except -1
    @cython.locals(event=int, head=ResponseHead)
    cpdef ResponseHead receive_head(self, bytes data)
    @cython.locals(head=ResponseHead)
    cpdef ResponseHead _head(self)
    @cython.locals(reader=FrameReader, parts=list, event=int)
    cpdef bytes _read(self)
    cpdef _take_in(self, bytes part, list parts)
    cpdef _check_end(self)
    cpdef _take_trailers(self)
    @cython.locals(link=Link, reader=FrameReader, event=int, stream=long)
    cpdef int _next(self) except -1
    @cython.locals(link=Link)
    cpdef _count(self, long long size)
    @cython.locals(window="long long")
    cpdef _widen(self, long stream, long long increment)
    @cython.locals(link=Link, reader=FrameReader, delta="long long")
    cpdef _settle(self)
    cpdef _control(self, str what)
    cpdef _reset(self, long long code)


@cython.locals(reader=Http2Reader)
cpdef Http2Reader new_reader(bint head_only, object on_hints)
