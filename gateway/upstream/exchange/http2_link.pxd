# The types of http2_link.py's compiled form.
cimport cython

from gateway._fast.http2_reader cimport FrameReader
from gateway._fast.http2_writer cimport FrameWriter

cdef int BLOCK_BEGINS, DATA, GOAWAY, NOTHING, PING, SETTINGS, WINDOW_UPDATE
cdef long _HEAD_LIMIT, _MAX_WINDOW, _DEFAULT_WINDOW


cdef class Link:
    cdef public FrameReader reader
    cdef public FrameWriter out
    cdef public long long send_window
    cdef public long long initial_window
    cdef public long long frame_size
    cdef public long long recv_window
    cdef public long last_id
    cdef public long control_frames
    cdef public bint goaway

    @cython.locals(reader=FrameReader, event=int)
    cpdef bint hears(self, bytes data, object stream) except -1
