cdef class OpenedFile:
    cdef readonly int fd
    cdef readonly long long size
    cdef readonly long long allocated
    cdef readonly long long mtime
    cdef readonly unsigned long long uniq
    cdef readonly unsigned int mode
    cdef readonly bint is_dir
    cdef readonly bint is_file
    cdef public object prepared

    cdef void fill(self, void *stat_buffer) noexcept
