cdef class OpenedFile:
    cdef readonly int fd
    cdef readonly long long size
    cdef readonly long long allocated
    cdef readonly long long mtime
    cdef readonly unsigned long long uniq
    cdef readonly unsigned int mode
    cdef readonly bint is_dir
    cdef readonly bint is_file

    cpdef bytes content(self)
    cpdef bytes make_etag(self)
    cdef void fill(self, void *stat_buffer) noexcept


cpdef open_path(bytes path, int flags=*, unsigned int mode=*)
cpdef adopt(int fd)
cpdef stat_path(bytes path)
cpdef Py_ssize_t write_line(int fd, bytes data) except -1
