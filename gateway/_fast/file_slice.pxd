from libc.stdint cimport int64_t


cdef class FileSlice:
    cdef readonly int fd
    cdef readonly int64_t offset
    cdef readonly int64_t length
    cdef readonly object owner

    cdef ssize_t send(self, int fd, int64_t start, int64_t limit, char* buffer, size_t room) noexcept
