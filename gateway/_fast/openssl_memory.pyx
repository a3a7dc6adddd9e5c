# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Memory for OpenSSL: what a connection gave back is kept by size for the next one, in front of malloc().

A handshake takes and frees some 850 pieces, most of them when its connection ends. glibc keeps seven of a size at hand;
the others it puts together and takes apart again, among what Python has left of its heap. These here lie where they
lay for the connection before, and are warm. They are malloc()'s own, so that it does not matter who frees one.

But for those of 16 and 24 bytes, which lie side by side: OpenSSL 3.0 walks through all names of algorithms that it
knows, 409 entries and the nodes of their table, eight times a handshake. Of malloc() each is 32 bytes, with a text
between them, and together they are more than a core's first cache has (bench/PROFILE.md).

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
    static char side_by_side[1 << 18] __attribute__((aligned(64)));
    """
    char side_by_side[1 << 18]
    void* THREAD() noexcept nogil

ctypedef void* (*Take)(size_t, const char*, int) noexcept nogil
ctypedef void* (*Resize)(void*, size_t, const char*, int) noexcept nogil
ctypedef void (*Give)(void*, const char*, int) noexcept nogil
ctypedef int (*SetMemory)(Take, Resize, Give) noexcept nogil

cdef enum:
    LARGEST = 18432         # a record's buffer is the largest of a connection's
    CLASSES = 1153          # of 16 bytes up to that
    KEPT = 1 << 19          # bytes at most: some ten connections'

cdef struct Piece:
    Piece* next

# Pieces of one size, side by side; malloc() never has them.
cdef struct Row:
    size_t size
    char* fresh
    char* end
    Piece* kept

# 24 is no multiple of 16, so nothing of that size wants to begin at one.
cdef Row row_16
cdef Row row_24
row_16.size, row_16.fresh, row_16.end = 16, side_by_side, side_by_side + (1 << 16)
row_24.size, row_24.fresh, row_24.end = 24, side_by_side + (1 << 16), side_by_side + sizeof(side_by_side)

# Of class i, those with room for 16 x i + 8 bytes at least: glibc's sizes.
cdef Piece* kept[CLASSES]
cdef size_t kept_bytes = 0
# Only the thread that has the connections: others ask malloc().
cdef void* owner


cdef inline Row* row_of(void* piece) noexcept nogil:
    if <size_t> (<char*> piece - side_by_side) >= sizeof(side_by_side):
        return NULL
    return &row_16 if <char*> piece < row_16.end else &row_24


cdef inline void* taken(Row* row) noexcept nogil:
    """NULL: all are out."""
    cdef Piece* piece = row.kept
    if piece is not NULL:
        row.kept = piece.next
    elif row.end - row.fresh >= <Py_ssize_t> row.size:
        piece = <Piece*> row.fresh
        row.fresh += row.size
    return piece


cdef inline size_t usable(void* piece) noexcept nogil:
    cdef Row* row = row_of(piece)
    return malloc_usable_size(piece) if row is NULL else row.size


cdef void* take(size_t size, const char* file, int line) noexcept nogil:
    cdef size_t index
    cdef Piece* piece
    global kept_bytes
    if size <= LARGEST and THREAD() == owner:
        if size == 16 or size == 24:
            piece = <Piece*> taken(&row_16 if size == 16 else &row_24)
            if piece is not NULL:
                return piece
        index = (size + 7) >> 4 if size > 8 else 1
        piece = kept[index]
        if piece is not NULL:
            kept[index] = piece.next
            kept_bytes -= index << 4
            return piece
    return malloc(size) if size else NULL


cdef void give(void* piece, const char* file, int line) noexcept nogil:
    cdef size_t index, size
    cdef Row* row
    global kept_bytes
    if piece is NULL:
        return
    row = row_of(piece)
    if row is not NULL:
        if THREAD() == owner:  # another thread's is lost: no more than all of them ever are
            (<Piece*> piece).next = row.kept
            row.kept = <Piece*> piece
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
    before = usable(piece)
    if 0 < size <= before:
        return piece
    if size and (before > LARGEST or size > LARGEST) and row_of(piece) is NULL:
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


def held():
    """How many bytes are kept, for tests."""
    return kept_bytes
