from libc.stdint cimport int64_t, uint8_t

from gateway._fast.multiplex cimport Multiplexer, Substream


cdef class Demultiplexer(Multiplexer):
    cdef bytes rest                 # the beginning of a frame
    cdef int64_t left               # of a frame's payload that goes on to `target`
    cdef Substream target           # None: nobody wants it
    cdef bint ends                  # with this frame `target` has heard all
    cdef long block                 # the stream whose CONTINUATION has to follow
    cdef int64_t block_size
    cdef long controls              # frames that want an answer, within a minute
    cdef double counted_from

    cdef int feed(self, bytes data) except -1
    cdef int stream_frame(self, int kind, int flags, long number, int64_t size) except -1
    cdef int frame_ends(self) except -1
    cdef int goaway(self, int64_t last) except -1
    cdef int control(self, int kind, int flags, long number, const uint8_t *p, int64_t size) except -1
    cdef int read_settings(self, const uint8_t *p, int64_t size) except -1
    cdef int count(self, str name) except -1
