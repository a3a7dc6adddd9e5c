from libc.stdint cimport int64_t

from gateway._fast.stream cimport Stream
from gateway._fast.tls_context cimport Context
from gateway._fast.tls_engine cimport Engine


cdef class TlsStream(Stream):
    cdef readonly Engine ssl
    cdef int64_t sealed_of      # how much of the queue is in records that the socket has not taken yet
    cdef public Py_ssize_t record   # the most that goes into one record (ssl_buffer_size)
    cdef readonly bint established
    cdef readonly bytes fault   # what broke the connection, in the words of the log
    cdef readonly object failure    # the TlsFailure of it
    cdef bint said_goodbye
    cdef bint held              # the end of our handshake is in the wire, for what is sent next, or the next turn
    cdef bint write_waits       # a write needs something read first

    cdef int take_over(self, Stream plain, Context context, bytes data, Py_ssize_t record) except -1
    cpdef bint handshake(self) except -1
    cdef int seal(self, int64_t limit) except -1
    cdef int64_t put(self, const char* data, int64_t size) except -2
    cdef bint push(self) except -1
    cdef int settle(self) except -1
    cdef int broken(self, error) except -1
    cdef int goodbye(self) except -1
    cdef int farewell(self) except -1


cpdef TlsStream secure(Stream plain, Context context, bytes data, Py_ssize_t record)
