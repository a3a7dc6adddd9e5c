from libc.stdint cimport int64_t, uint8_t

from gateway._fast.hpack cimport Decoder

cdef class FrameReader:
    cdef readonly Decoder decoder
    cdef public bint refusing       # HEADERS are skipped: no stream begins any more
    cdef readonly long stream       # of the event, as is what follows
    cdef readonly bint ends         # DATA, BLOCK_BEGINS: nothing of the stream comes behind it
    cdef readonly int64_t size      # DATA: of the whole frame, with its first part; BLOCK_ENDS: of the block
    cdef readonly int64_t length    # DATA: of the part that is here
    cdef readonly int64_t value     # a number: the code, the increment, the type of an unknown frame
    cdef readonly long depends_on   # BLOCK_BEGINS, PRIORITY
    cdef readonly bint exclusive
    cdef readonly bint prioritized  # BLOCK_BEGINS: the frame says so; else these are the usual
    cdef readonly long weight
    cdef readonly int64_t window    # SETTINGS: what was set, -1 if it was not
    cdef readonly int64_t frame_size
    cdef readonly bint table_changed
    cdef bint upstream
    cdef bytes data
    cdef Py_ssize_t at
    cdef int state
    cdef int kind
    cdef int flags
    cdef int64_t left               # of the frame
    cdef int64_t padding
    cdef long last_stream
    cdef long block                 # the stream of the block that is under way; 0: none is
    cdef bint continues             # CONTINUATION has to follow
    cdef uint8_t *tail              # a field that is not all here
    cdef Py_ssize_t tail_size
    cdef Py_ssize_t tail_room
    cdef Py_ssize_t payload

    cpdef feed(self, bytes data)
    cpdef int next(self) except -1
    cpdef bytes part(self)
    cpdef bint incomplete(self)
    cpdef Py_ssize_t unread(self)
    cpdef long block_stream(self)
    cdef int head(self, const uint8_t *p) except -1
    cdef int whole(self, const uint8_t *p) except -1
    cdef int begin_data(self, const uint8_t *p, Py_ssize_t here) except -1
    cdef int read_data(self, Py_ssize_t here) except -1
    cdef int begin_block(self, const uint8_t *p) except -1
    cdef int read_block(self, const uint8_t *p, Py_ssize_t here) except -1
    cdef int keep(self, const uint8_t *p, Py_ssize_t size) except -1
    cdef int read_settings(self, const uint8_t *p, Py_ssize_t here) except -1
    cdef str refuse_length(self, str name)
