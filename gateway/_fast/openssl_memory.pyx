# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Memory for OpenSSL: what a connection gave back is kept by size for the next one, in front of malloc().

A handshake takes and frees some 850 pieces, most of them when its connection ends. glibc keeps seven of a size at hand;
the others it puts together and takes apart again, among what Python has left of its heap. These here lie where they
lay for the connection before, and are warm.

Pieces of up to 1 KiB lie in an arena, those of one size side by side: nothing of malloc()'s is between them, and a
piece's place tells its size. OpenSSL 3.0 walks through all names of algorithms that it knows eight times a handshake,
409 entries of 16 bytes and nodes of 24: of malloc() they are more than a core's first cache has (bench/PROFILE.md).
libc's free() does not know these pieces. Larger ones, and all where the arena is full, are malloc()'s own. Most of the
arena is kept for connections, until serve(): 300 certificates had filled it.

OpenSSL takes functions for memory only as long as it has asked for none: use() comes before Python's hashlib and ssl.
"""
import os

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from gateway._fast.openssl import candidates

cdef extern from "<dlfcn.h>" nogil:
    void* dlopen(const char* path, int mode)
    void* dlsym(void* handle, const char* name)
    enum: RTLD_NOW, RTLD_LOCAL

cdef extern from "<malloc.h>" nogil:
    size_t malloc_usable_size(void* piece)

cdef extern from *:
    """
    #include <pthread.h>
    #if (defined(__x86_64__) || defined(__aarch64__)) && \\
        (defined(__clang__) ? __clang_major__ >= 14 : defined(__GNUC__) && __GNUC__ >= 11)
    #define THREAD() __builtin_thread_pointer()
    #endif
    #ifndef THREAD
    #define THREAD() ((void *) pthread_self())
    #endif
    /* what it needs of the processor's registers is not for give() to save */
    static void gw_give_other(void *piece) __attribute__((noinline));
    static char arena[1024 << 12] __attribute__((aligned(4096)));
    """
    char arena[1024 << 12]
    void* THREAD() noexcept nogil
    void prefetch "__builtin_prefetch"(const void*) noexcept nogil

ctypedef void* (*Take)(size_t, const char*, int) noexcept nogil
ctypedef void* (*Resize)(void*, size_t, const char*, int) noexcept nogil
ctypedef void (*Give)(void*, const char*, int) noexcept nogil
ctypedef int (*SetMemory)(Take, Resize, Give) noexcept nogil

cdef enum:
    SMALL = 1024            # the largest in the arena
    ROWS = 65               # of 16 bytes up to that
    RUN_BITS = 12           # a run of the arena, 4 KiB, has pieces of one size
    RUNS = 1024
    FOR_LOADING = 1 << 19   # before there are connections: for what OpenSSL takes for itself
    LARGEST = 18432         # a record's buffer is the largest of a connection's
    CLASSES = 1153          # of 16 bytes up to that
    KEPT = 1 << 19          # of malloc()'s, bytes at most: some ten connections'

cdef struct Piece:
    Piece* next

# Row i has pieces of 16 x i bytes; row 0 those of 24, which begin at no multiple of 16, nor want to.
cdef Piece* small[ROWS]     # what was given back
cdef char* fresh[ROWS]      # up to end[i], the part of the row's last run that nobody has had
cdef char* end[ROWS]
cdef unsigned char row_of_run[RUNS]
cdef char* unused = arena
cdef char* usable = arena + FOR_LOADING

# Of class i, those with room for 16 x i + 8 bytes at least: glibc's sizes.
cdef Piece* kept[CLASSES]
cdef size_t kept_bytes = 0
# Only the thread that has the connections: others ask malloc().
cdef void* owner


cdef inline bint is_small(void* piece) noexcept nogil:
    return <size_t> (<char*> piece - arena) < sizeof(arena)


cdef inline int row_of(void* piece) noexcept nogil:
    return row_of_run[<size_t> (<char*> piece - arena) >> RUN_BITS]


cdef inline size_t size_of(int row) noexcept nogil:
    return 16 * row if row else 24


cdef void* carved(int row) noexcept nogil:
    """NULL: the arena is full."""
    global unused
    cdef void* piece
    if end[row] - fresh[row] < <Py_ssize_t> size_of(row):
        if unused >= usable:
            return NULL
        row_of_run[(unused - arena) >> RUN_BITS] = row
        fresh[row] = unused
        unused += 1 << RUN_BITS
        end[row] = unused
    piece = fresh[row]
    fresh[row] += size_of(row)
    return piece


cdef void* take(size_t size, const char* file, int line) noexcept nogil:
    cdef size_t index
    cdef Piece* piece
    cdef void* new
    global kept_bytes
    if size <= LARGEST and THREAD() == owner and size:
        if size <= SMALL:
            index = 0 if 16 < size <= 24 else (size + 15) >> 4
            piece = small[index]
            if piece is not NULL:
                small[index] = piece.next
                prefetch(piece.next)  # the next one of this size is asked for soon
                return piece
            new = carved(<int> index)
            if new is not NULL:
                return new
        index = (size + 7) >> 4 if size > 8 else 1
        piece = kept[index]
        if piece is not NULL:
            kept[index] = piece.next
            prefetch(piece.next)
            kept_bytes -= index << 4
            return piece
    return malloc(size) if size else NULL


cdef void give(void* piece, const char* file, int line) noexcept nogil:
    cdef size_t index
    if not is_small(piece):
        give_other(piece)
    elif THREAD() == owner:  # another thread's is lost: no more than all of them ever are
        index = row_of(piece)
        (<Piece*> piece).next = small[index]
        small[index] = <Piece*> piece


cdef void give_other "gw_give_other"(void* piece) noexcept nogil:
    cdef size_t index, size
    global kept_bytes
    if piece is NULL:
        return
    size = malloc_usable_size(piece)
    if 24 <= size <= LARGEST and THREAD() == owner:
        index = (size - 8) >> 4
        (<Piece*>piece).next = kept[index]
        kept[index] = <Piece*>piece
        kept_bytes += index << 4
        if kept_bytes > KEPT:
            drop_all()
        return
    free(piece)


cdef void drop_all() noexcept nogil:
    """Many connections ended, or there are pieces of sizes that nobody asks for any more: begin anew."""
    cdef Piece* piece
    cdef Piece* following
    cdef int index
    global kept_bytes
    for index in range(CLASSES):
        piece = kept[index]
        kept[index] = NULL
        while piece is not NULL:
            following = piece.next
            free(piece)
            piece = following
    kept_bytes = 0


cdef void* resize(void* piece, size_t size, const char* file, int line) noexcept nogil:
    cdef size_t before
    cdef void* other
    if piece is NULL:
        return take(size, file, line)
    before = size_of(row_of(piece)) if is_small(piece) else malloc_usable_size(piece)
    if 0 < size <= before:
        return piece
    if size and (before > LARGEST or size > LARGEST) and not is_small(piece):
        return realloc(piece, size)
    # not by realloc(): each size gets back what was taken of it
    other = take(size, file, line)
    if other is not NULL:
        memcpy(other, piece, min(before, size))
    if other is not NULL or not size:
        give(piece, file, line)
    return other


def use():
    """From now on OpenSSL's memory comes from here; False if it has taken some already."""
    cdef void* handle
    cdef SetMemory set_memory
    cdef bytes path = os.fsencode(candidates()[0])
    cdef const char* place = path
    global owner
    owner = THREAD()
    handle = dlopen(place if path else NULL, RTLD_NOW | RTLD_LOCAL)
    if handle is NULL:
        return False
    set_memory = <SetMemory>dlsym(handle, b"CRYPTO_set_mem_functions")
    return set_memory is not NULL and set_memory(take, resize, give) == 1


def serve():
    """There are connections from now on: all of the arena may be used."""
    global usable
    usable = arena + sizeof(arena)


def held():
    """How many bytes are kept, for tests."""
    return kept_bytes
