from libc.stdint cimport int64_t

from gateway._fast.stream cimport Stream


cdef class TlsStream(Stream):
    cdef readonly object ssl    # an ssl.SSLObject, or what has its methods
    cdef object incoming        # ssl.MemoryBIO: records from the peer
    cdef object outgoing        # records for the peer
    cdef bytes sealed           # records on their way to the kernel, from sealed_at on
    cdef Py_ssize_t sealed_at
    cdef int64_t sealed_of      # how much of the queue is in them
    cdef public Py_ssize_t record   # the most that goes into one record (ssl_buffer_size)
    cdef readonly bint established
    cdef readonly bytes fault   # what broke the connection, in the words of the log
    cdef bint drained           # the socket is empty until the next edge
    cdef bint said_goodbye

    cpdef bint handshake(self) except -1
    cdef bint fill(self) except -1
    cdef int seal(self, int64_t limit) except -1
    cdef bint push(self) except -1
    cdef int goodbye(self) except -1
