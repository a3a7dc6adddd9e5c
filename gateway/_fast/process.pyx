# cython: language_level=3
"""prctl, capabilities and the process title: system calls that Python has no function for."""

from libc.string cimport memcpy, memset

cdef extern from "<sys/prctl.h>" nogil:
    int prctl(int option, ...)
    int PR_SET_PDEATHSIG
    int PR_SET_DUMPABLE
    int PR_SET_KEEPCAPS

cdef extern from "<sys/mman.h>" nogil:
    int madvise(void* start, size_t size, int advice)
    int MADV_DONTNEED

cdef extern from "<linux/capability.h>" nogil:
    ctypedef struct cap_header "struct __user_cap_header_struct":
        unsigned int version
        int pid
    ctypedef struct cap_data "struct __user_cap_data_struct":
        unsigned int effective
        unsigned int permitted
        unsigned int inheritable
    unsigned int _LINUX_CAPABILITY_VERSION_3
    int CAP_NET_RAW

cdef extern from "<sys/syscall.h>" nogil:
    long SYS_capset

cdef extern from "<unistd.h>" nogil:
    long syscall(long number, ...)

cdef extern from "<errno.h>" nogil:
    int errno

cdef extern from *:
    """
    #include <stdlib.h>
    #ifdef __GLIBC__
    #include <malloc.h>
    #define give_back() ((void) malloc_trim(0))
    #else
    #define give_back() ((void) 0)
    #endif
    """
    void give_back() nogil

cdef size_t _title_start = 0
cdef size_t _title_size = 0


def give_memory_back():
    """Return to the system what is free among the memory that was got of it; it takes a while."""
    give_back()


def forget_code():
    """Let go of the pages of programs and libraries, which come back from their files when they are needed.

    Of mappings that are not written to and have no page of this process's own, here or in swap: relocated data stays.
    """
    cdef size_t start = 0, end = 0
    cdef bint untouched = False
    try:
        with open("/proc/self/smaps", "rb") as file:
            for line in file:
                name, *values = line.split(None, 5)
                if not name.endswith(b":"):  # the head of a mapping
                    first, _, last = name.partition(b"-")
                    start, end = int(first, 16), int(last, 16)
                    untouched = len(values) == 5 and values[0] in (b"r--p", b"r-xp") and values[4].startswith(b"/")
                elif name in (b"Anonymous:", b"Swap:"):
                    untouched = untouched and values[0] == b"0"
                elif name == b"VmFlags:" and untouched:  # its end
                    madvise(<void *> start, end - start, MADV_DONTNEED)
    except OSError:  # no /proc
        return


def signal_when_parent_dies(int signal):
    """Ask the kernel for this signal when the parent ends; setuid clears it, so call it afterwards."""
    if prctl(PR_SET_PDEATHSIG, <unsigned long> signal, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_PDEATHSIG)")


def keep_capabilities():
    """What setuid would take away stays permitted, for limit_capabilities() afterwards."""
    if prctl(PR_SET_KEEPCAPS, <unsigned long> 1, 0, 0, 0) != 0:
        raise OSError(errno, "prctl(PR_SET_KEEPCAPS, 1)")


def limit_capabilities():
    """Of all capabilities CAP_NET_RAW alone, which IP_TRANSPARENT asks for."""
    cdef cap_header header
    cdef cap_data data[2]
    header.version = _LINUX_CAPABILITY_VERSION_3
    header.pid = 0
    memset(data, 0, sizeof(data))
    data[0].effective = data[0].permitted = (<unsigned int> 1) << CAP_NET_RAW
    if syscall(SYS_capset, &header, data) != 0:
        raise OSError(errno, "capset()")


def allow_core_dumps():
    """setuid makes a process undumpable; undo that."""
    if prctl(PR_SET_DUMPABLE, <unsigned long> 1, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_DUMPABLE)")


def arguments(bytes stat):
    """Where the arguments that ps shows lie, and their size, by /proc/self/stat; (0, 0): it does not say.

    proc(5): arg_start and arg_end are fields 48 and 49. An emulator may write fewer.
    """
    fields = stat.rpartition(b") ")[2].split()  # from field 3 on
    if len(fields) < 47:
        return 0, 0
    start = int(fields[45])
    return start, int(fields[46]) - start


def set_title(bytes title):
    """Put the title over the arguments that ps shows, as much of it as fits there; without /proc it stays as it is."""
    global _title_start, _title_size
    if _title_start == 0:
        try:
            with open("/proc/self/stat", "rb") as file:
                _title_start, _title_size = arguments(file.read())
        except OSError:
            return
    if _title_start == 0 or _title_size < 2:
        return
    cdef size_t size = len(title)
    if size > _title_size - 1:
        size = _title_size - 1
    memset(<void *> _title_start, 0, _title_size)
    memcpy(<void *> _title_start, <const char *> title, size)
