# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Memory for OpenSSL: what a connection gave back is kept by size for the next one, in front of malloc().

A handshake takes and frees some 850 pieces, most of them when its connection ends. glibc keeps seven of a size at hand;
the others it puts together and takes apart again, among what Python has left of its heap. These here lie where they
lay for the connection before, and are warm. All are malloc()'s own, so that it does not matter who frees one.

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
    """
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

# Of class i, those with room for 16 x i + 8 bytes at least: glibc's sizes.
cdef Piece* kept[CLASSES]
cdef size_t kept_bytes = 0
# Only the thread that has the connections: others ask malloc().
cdef void* owner


cdef void* take(size_t size, const char* file, int line) noexcept nogil:
    cdef size_t index
    cdef Piece* piece
    global kept_bytes
    if size <= LARGEST and THREAD() == owner:
        index = (size + 7) >> 4 if size > 8 else 1
        piece = kept[index]
        if piece is not NULL:
            kept[index] = piece.next
            kept_bytes -= index << 4
            return piece
    return malloc(size) if size else NULL


cdef void give(void* piece, const char* file, int line) noexcept nogil:
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
    before = malloc_usable_size(piece)
    if 0 < size <= before:
        return piece
    if size and (before > LARGEST or size > LARGEST):
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
