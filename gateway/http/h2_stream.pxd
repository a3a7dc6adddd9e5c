# The types of h2_stream.py's compiled form.
cimport cython

from gateway._fast.http2_head cimport Http2Head
from gateway._fast.http2_reader cimport FrameReader
from gateway._fast.request_head cimport RequestHead
from gateway.core.piece_queue cimport PieceQueue
from gateway.http.h2_connection cimport Http2Connection
from gateway.http.h2_head cimport decide_end, early_hints_block, response_block, trailers_block
from gateway.http.h2_pace cimport Pace
from gateway.http.h2_turns cimport Node
from gateway.http.h2_windows cimport Windows
from gateway.http.request cimport Request
from gateway.http.request_stream cimport RequestStream
from gateway.http.servers cimport AddressServers, Server

cdef long _DATA, _DEFAULT_FRAME_SIZE, _END_STREAM, _FRAME_HEAD, _MAX_WINDOW, _NO_ERROR


cdef class Http2Stream(RequestStream):
    cdef public Http2Connection http2
    cdef public bint rst_sent
    cdef public double deadline
    cdef public bint all_sent
    cdef public long long end_at
    cdef public bint in_turn
    cdef public bint in_moved
    cdef public long long widened
    cdef public bint held
    cdef public Node node
    cdef public long long chunk
    cdef public long long recv_window
    cdef public long long window

    @cython.locals(
        servers=AddressServers, default=Server, server=Server, reading=Http2Head, head=RequestHead, request=Request
    )
    cpdef begin(self, FrameReader reader)
    cpdef open_on(self, Http2Connection connection, long number, bint ended)
    cpdef head_is_late(self)
    cpdef _moves(self)
    @cython.locals(size="long long")
    cpdef _write_block(self, bytes block, int flags)
    cpdef _wrote(self, long long size, long long framing, int flags)
    @cython.locals(windows=Windows, room="long long")
    cpdef long long _room(self) except? -1
    @cython.locals(
        http2=Http2Connection, queue=PieceQueue, room="long long", size="long long", before="long long", data=bytes,
        flags=int, ends=bint, request=Request
    )
    cpdef bint send_frame(self) except -1
    @cython.locals(pace=Pace, now=double, allowed="long long")
    cpdef long long _paced(self) except? -1
    cpdef _write_end(self)
    cpdef complete(self)
    @cython.locals(http2=Http2Connection)
    cpdef _end(self, Request request)
    cpdef _drop(self)
    cpdef reset(self, long code)
    cpdef canceled(self, long long code)
    @cython.locals(request=Request)
    cpdef lose(self)
    cpdef timed_out(self)
    @cython.locals(windows=Windows, window="long long")
    cpdef widen(self, long long increment)
    cpdef resume(self)
    @cython.locals(size="long long", request=Request)
    cpdef receive(self, FrameReader reader)
    cpdef _update_window(self, long long size)
    @cython.locals(size="long long", declared="long long", preread="long long", request=Request)
    cpdef body_begins(self, bint whole)
    cpdef check_length(self, Request request)
