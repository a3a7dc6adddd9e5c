# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Parts of files in a response: read by filters and by TLS, sent by sendfile() otherwise."""
import os

cimport cython
from libc.errno cimport EINVAL, ENOSYS, errno
from libc.stdint cimport int64_t

from gateway._fast.linux cimport MSG_NOSIGNAL, c_pread, c_send, c_sendfile

# What one sendfile() can do.
cdef int64_t SENDFILE_MOST = 2147479552


@cython.final
cdef class FileSlice:
    """A part of a file, sent by sendfile(); `owner` closes the descriptor when nobody holds it any more."""

    def __init__(self, int fd, int64_t offset, int64_t length, owner=None):
        self.fd = fd
        self.offset = offset
        self.length = length
        self.owner = owner

    def __len__(self):
        return self.length

    def read(self, int64_t start=0, int64_t limit=-1):
        """The bytes themselves, for a filter; shorter at the file's end."""
        cdef int64_t count = self.length - start
        if 0 <= limit < count:
            count = limit
        return os.pread(self.fd, max(count, 0), self.offset + start)

    cdef ssize_t send(self, int fd, int64_t start, int64_t limit, char* buffer, size_t room) noexcept:
        """What follows `start` to a socket, in one call: bytes sent, 0 when the file is shorter, -1 with errno."""
        cdef long offset = self.offset + start
        cdef int64_t wanted = min(self.length - start, limit, SENDFILE_MOST)
        cdef ssize_t result
        with nogil:
            result = c_sendfile(fd, self.fd, &offset, wanted)
        if result < 0 and (errno == EINVAL or errno == ENOSYS):
            # a file system without sendfile: through the lane's buffer
            result = c_pread(self.fd, buffer, min(<size_t>wanted, room), offset)
            if result > 0:
                result = c_send(fd, buffer, result, MSG_NOSIGNAL)
        return result
