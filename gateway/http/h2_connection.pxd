# The types of h2_connection.py's compiled form.
cimport cython

from gateway._fast.http2_reader cimport FrameReader
from gateway._fast.http2_writer cimport FrameWriter
from gateway._fast.stream cimport Stream
from gateway.http.client cimport Client
from gateway.http.h2_deadlines cimport Deadlines
from gateway.http.h2_floods cimport Floods
from gateway.http.h2_stream cimport Http2Stream
from gateway.http.h2_turns cimport Turns
from gateway.http.h2_windows cimport Windows
from gateway.http.settings cimport EngineSettings

cdef int BLOCK_BEGINS, BLOCK_ENDS, DATA, NOTHING, PING, PRIORITY, RST_STREAM, SETTINGS, SETTINGS_ACK, WINDOW_UPDATE
cdef long _ENOUGH, _FRAME_HEAD, _COPIED, _MAX_WINDOW, _DEFAULT_WINDOW
cdef long _NO_ERROR, _PROTOCOL_ERROR, _REFUSED_STREAM


cdef class Http2Connection(Client):
    cdef public EngineSettings core
    cdef public long concurrent_streams
    cdef public long long preread_size
    cdef public FrameReader reader
    cdef public FrameWriter out
    cdef public Windows windows
    cdef public Turns turns
    cdef public Floods floods
    cdef public dict streams
    cdef public list ending
    cdef public list moved
    cdef public Http2Stream block
    cdef public long last_stream
    cdef public long long frame_size
    cdef public bint settings_acknowledged
    cdef public bint table_update
    cdef public bint goaway
    cdef public bint over
    cdef public bint failed
    cdef public bint blocked
    cdef public bint begun
    cdef public Deadlines deadlines

    cpdef on_event(self)
    @cython.locals(error=object)
    cpdef _event(self, bytes data)
    @cython.locals(tcp=Stream)
    cpdef _read(self)
    @cython.locals(reader=FrameReader, event=int, stream=Http2Stream)
    cpdef _receive(self, bytes data)
    cpdef bint room(self) except -1
    @cython.locals(head=bytes, tcp=Stream)
    cpdef write_data(self, bytes data)
    @cython.locals(before="long long", size="long long", out=FrameWriter)
    cpdef long long write_block(self, long number, bytes block, int flags) except -1
    cpdef ends(self, Http2Stream stream)
    cpdef reset(self, long number, long long code)
    cpdef update_window(self, long number, long long increment)
    @cython.locals(
        tcp=Stream, data=bytes, before="long long", waiting="long long", wrote=bint, ended=bint, stream=Http2Stream
    )
    cpdef push(self)
    @cython.locals(turns=Turns, stream=Http2Stream, wrote=bint)
    cpdef bint _take_turns(self) except -1
    @cython.locals(ending=list, done=list, stream=Http2Stream, sent="long long", count=Py_ssize_t)
    cpdef bint _complete(self) except -1
    @cython.locals(tcp=Stream, deadlines=Deadlines)
    cpdef _settle(self)
    cpdef say_goaway(self, long code)
    @cython.locals(stream=Http2Stream)
    cpdef _finalize(self, long code)
    @cython.locals(reader=FrameReader, stream=Http2Stream, wider="long long")
    cpdef _data(self)
    @cython.locals(reader=FrameReader, number=long, core=EngineSettings, refusal=str, stream=Http2Stream)
    cpdef _block_begins(self)
    @cython.locals(stream=Http2Stream)
    cpdef _block_ends(self)
    @cython.locals(reader=FrameReader)
    cpdef _settings(self)
    @cython.locals(reader=FrameReader, stream=Http2Stream, increment="long long")
    cpdef _window_update(self)
