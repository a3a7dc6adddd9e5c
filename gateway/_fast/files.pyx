# cython: language_level=3
"""Open and stat a file in one call; the object closes its descriptor when its last user drops it."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EINTR, ENOENT, errno
from libc.string cimport memchr, strerror

cdef extern from *:
    """
    #include <fcntl.h>
    #include <sys/stat.h>
    #include <unistd.h>
    #ifdef __APPLE__
    #define mtime_nsec(info) ((info)->st_mtimespec.tv_nsec)
    #else
    #define mtime_nsec(info) ((info)->st_mtim.tv_nsec)
    #endif
    """
    ctypedef long off_t
    struct stat_t "stat":
        off_t st_size
        long st_mtime
        long st_blocks
        unsigned long st_ino
        unsigned int st_mode
    long mtime_nsec(stat_t *info)
    int O_RDONLY, O_NONBLOCK, O_CLOEXEC
    bint S_ISDIR(unsigned int mode)
    bint S_ISREG(unsigned int mode)
    int c_open "open"(const char *path, int flags, unsigned int mode) nogil
    int c_close "close"(int fd) nogil
    ssize_t c_pread "pread"(int fd, void *buffer, size_t size, off_t offset) nogil
    ssize_t c_write "write"(int fd, const void *data, size_t size) nogil
    int c_fstat "fstat"(int fd, stat_t *info) nogil
    int c_stat "stat"(const char *path, stat_t *info) nogil

cdef extern from "Python.h":
    ctypedef struct PyThreadState
    ctypedef struct PyInterpreterState
    PyThreadState *PyThreadState_Get()
    PyInterpreterState *PyThreadState_GetInterpreter(PyThreadState *thread)
    PyThreadState *PyInterpreterState_ThreadHead(PyInterpreterState *interpreter)
    PyThreadState *PyThreadState_Next(PyThreadState *thread)

# a FIFO must not hang the worker; the flag means nothing on a regular file
READ = O_RDONLY | O_NONBLOCK | O_CLOEXEC
cdef int _READ = READ


cdef int hexadecimal(char *text, int end, unsigned long long number) noexcept:
    """Write the number so that it ends before text[end]; where it begins."""
    while True:
        end -= 1
        text[end] = b"0123456789abcdef"[number & 15]
        number >>= 4
        if number == 0:
            return end


@cython.freelist(16)
cdef class OpenedFile:
    def __cinit__(self):
        self.fd = -1

    def __dealloc__(self):
        if self.fd >= 0:
            c_close(self.fd)

    @property
    def is_exec(self):
        return (self.mode & 0o100) != 0

    def same(self, OpenedFile other not None):
        return (
            self.uniq == other.uniq and self.size == other.size and self.mtime == other.mtime
            and self.mode == other.mode
        )

    cdef void fill(self, void *stat_buffer) noexcept:
        cdef stat_t *info = <stat_t *>stat_buffer
        self.size = info.st_size
        self.allocated = info.st_blocks * 512
        self.mtime = info.st_mtime
        self.uniq = info.st_ino
        self.mode = info.st_mode
        self.is_dir = S_ISDIR(info.st_mode)
        self.is_file = S_ISREG(info.st_mode)

    cpdef bytes content(self):
        """The whole file; shorter if it is no longer as long as it was."""
        cdef bytes data = PyBytes_FromStringAndSize(NULL, self.size)
        cdef ssize_t count
        while True:
            count = c_pread(self.fd, PyBytes_AS_STRING(data), self.size, 0)
            if count >= 0:
                break
            if errno != EINTR:
                raise OSError(errno, "pread() failed")
        return data if count == self.size else data[:count]

    cpdef bytes make_etag(self):
        """nginx's ETag: the time of the last change and the size, in hexadecimal."""
        cdef char text[40]
        cdef int end = 40
        end = hexadecimal(text, end - 1, self.size)
        text[39] = c'"'
        end -= 1
        text[end] = c'-'
        end = hexadecimal(text, end, self.mtime if self.mtime >= 0 else -self.mtime)
        if self.mtime < 0:
            end -= 1
            text[end] = c'-'
        end -= 1
        text[end] = c'"'
        return PyBytes_FromStringAndSize(text + end, 40 - end)

    def __repr__(self):
        return f"OpenedFile(fd={self.fd}, size={self.size}, mtime={self.mtime}, uniq={self.uniq}, mode={self.mode:o})"


cdef inline bint _broken(bytes path) except -1:
    if path is None:
        raise TypeError("a path is bytes")
    # C would look at another file than the one that was named
    return memchr(PyBytes_AS_STRING(path), 0, PyBytes_GET_SIZE(path)) != NULL


cpdef open_path(bytes path, int flags=_READ, unsigned int mode=0):
    """OpenedFile (a directory's has no descriptor), or the errno of open()."""
    cdef int fd
    if _broken(path):
        return ENOENT
    while True:
        fd = c_open(PyBytes_AS_STRING(path), flags, mode)
        if fd >= 0:
            return adopt(fd)
        if errno != EINTR:
            return errno


cpdef adopt(int fd):
    """OpenedFile that owns this descriptor, or the errno of fstat(); the descriptor is closed then."""
    cdef stat_t info
    cdef OpenedFile file
    cdef int error
    if c_fstat(fd, &info) != 0:
        error = errno
        c_close(fd)
        return error
    file = OpenedFile.__new__(OpenedFile)
    file.fill(&info)
    if file.is_dir:
        c_close(fd)
    else:
        file.fd = fd
    return file


cpdef stat_path(bytes path):
    """OpenedFile without a descriptor, or the errno of stat()."""
    cdef stat_t info
    cdef OpenedFile file
    if _broken(path):
        return ENOENT
    if c_stat(PyBytes_AS_STRING(path), &info) != 0:
        return errno
    file = OpenedFile.__new__(OpenedFile)
    file.fill(&info)
    return file


cdef inline bint _alone() noexcept:
    """Whether no other thread could use the time of a system call: to let go of the interpreter costs as much."""
    cdef PyThreadState *first = PyInterpreterState_ThreadHead(PyThreadState_GetInterpreter(PyThreadState_Get()))
    return PyThreadState_Next(first) == NULL


cpdef Py_ssize_t write_line(int fd, bytes data) except -1:
    """write(), once: how much was taken. Errors: OSError."""
    cdef ssize_t written
    cdef const char *start
    cdef size_t size
    if data is None:
        raise TypeError("a line is bytes")
    start = PyBytes_AS_STRING(data)
    size = PyBytes_GET_SIZE(data)
    while True:
        if _alone():
            written = c_write(fd, start, size)
        else:
            with nogil:
                written = c_write(fd, start, size)
        if written >= 0:
            return written
        if errno != EINTR:
            raise OSError(errno, strerror(errno).decode())


cdef class FileIdentity:
    cdef off_t size
    cdef long mtime
    cdef long nsec
    cdef unsigned long inode

    def __init__(self, int fd):
        cdef stat_t info
        if c_fstat(fd, &info) != 0:
            raise OSError(errno, "fstat() failed")
        self.size = info.st_size
        self.mtime = info.st_mtime
        self.nsec = mtime_nsec(&info)
        self.inode = info.st_ino

    def still(self, bytes path not None) -> bool:
        cdef stat_t info
        if c_stat(PyBytes_AS_STRING(path), &info) != 0:
            return False
        return (
            info.st_ino == self.inode and info.st_size == self.size and info.st_mtime == self.mtime
            and mtime_nsec(&info) == self.nsec
        )
