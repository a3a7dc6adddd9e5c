from gateway._fast.openssl cimport BIO

# What OpenSSL's reads and writes reach: a socket, what was read of it before, and records that it does not take yet.
cdef struct Wire:
    int fd
    bint drained                # nothing is there until the next edge
    bint closing                # the peer's end is near: a short read does not say that there is nothing more
    bint ended
    int error
    bint corked                 # records are put together, for one system call
    bint holding                # the same, for as long as wanted, in memory of its own
    char* out                   # records that are still to be sent, from out_at on
    size_t out_at
    size_t out_size
    size_t out_room             # 0: `out` is the memory that all share for a moment
    void* early                 # bytes that were received before TLS began, borrowed from Engine.received
    size_t early_at
    size_t early_size


cdef BIO* bio_of(Wire* wire) except NULL
cdef int cork(Wire* wire) noexcept
cdef int uncork(Wire* wire) noexcept
cdef int flush(Wire* wire) noexcept
cdef int drop(Wire* wire) noexcept
