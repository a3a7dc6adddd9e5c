# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The socket as OpenSSL sees it: a BIO that knows what the lane knows.

When a read was short, the socket is empty until its next edge, and OpenSSL is told so without a system call. What the
socket does not take is kept here, so that a write of OpenSSL's never fails for want of room. From cork() to uncork()
records are put together in memory that all connections share for that moment, and go out in one call; a handshake's are
held in memory of their own, since others may get their turn meanwhile.
"""
from libc.errno cimport EAGAIN, EINTR, ENOMEM, errno
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from gateway._fast.linux cimport MSG_NOSIGNAL, c_recv, c_send
from gateway._fast.openssl cimport *

from gateway._fast.errors import TlsError

cdef enum:
    # As much as is sealed at once (tls.pyx), with the heads and tags of its records, and a few small ones more.
    BATCH_ROOM = 81920

cdef void* methods = NULL
cdef char batch[BATCH_ROOM]


cdef int wire_read(BIO* bio, char* buffer, int size) noexcept:
    cdef Wire* wire = <Wire*>lib.BIO_get_data(bio)
    cdef ssize_t count
    lib.BIO_clear_flags(bio, BIO_FLAGS_RETRY)
    if size <= 0:
        return 0
    if wire.early_at < wire.early_size:
        count = min(<size_t>size, wire.early_size - wire.early_at)
        memcpy(buffer, <char*>wire.early + wire.early_at, count)
        wire.early_at += count
        return <int>count
    while not wire.drained:
        count = c_recv(wire.fd, buffer, size, 0)
        if count > 0:
            if count < size and not wire.closing:
                wire.drained = True
            return <int>count
        if count == 0:
            wire.ended = True
            return 0
        if errno == EINTR:
            continue
        if errno != EAGAIN:
            wire.error = errno
            return -1
        wire.drained = True
    lib.BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
    return -1


cdef int wire_write(BIO* bio, char* data, int size) noexcept:
    cdef Wire* wire = <Wire*>lib.BIO_get_data(bio)
    cdef ssize_t count = 0
    lib.BIO_clear_flags(bio, BIO_FLAGS_RETRY)
    if wire.error:
        return -1
    while not wire.corked and not wire.holding and not wire.out_size and size > 0:
        count = c_send(wire.fd, data, size, MSG_NOSIGNAL)
        if count == size:
            return size
        if count >= 0:
            break
        if errno == EINTR:
            continue
        if errno != EAGAIN:
            wire.error = errno
            return -1
        count = 0
        break
    if not keep(wire, data + count, size - count):
        wire.error = ENOMEM
        return -1
    return size


cdef bint keep(Wire* wire, const char* data, size_t size) noexcept:
    """Records that go out later."""
    cdef char* larger
    cdef size_t wanted = wire.out_size + size
    if wire.corked and not wire.out_room and wanted <= BATCH_ROOM:
        wire.out = batch
    elif wanted > wire.out_room:
        larger = <char*>(malloc(wanted) if not wire.out_room else realloc(wire.out, wanted))
        if larger is NULL:
            return False
        if not wire.out_room and wire.out_size:
            memcpy(larger, wire.out, wire.out_size)     # the batch overflows
        wire.out = larger
        wire.out_room = wanted
    memcpy(wire.out + wire.out_size, data, size)
    wire.out_size = wanted
    return True


cdef long wire_ctrl(BIO* bio, int command, long number, void* data) noexcept:
    if command == BIO_CTRL_FLUSH or command == BIO_CTRL_DUP:
        return 1
    if command == BIO_CTRL_EOF:
        return (<Wire*>lib.BIO_get_data(bio)).ended
    return 0


cdef BIO* bio_of(Wire* wire) except NULL:
    """A BIO over this wire, which has to live longer."""
    cdef BIO* bio
    global methods
    if methods is NULL:
        # BIO_TYPE_SOURCE_SINK, and a number that no other has
        made = lib.BIO_meth_new(0x0400 | 100, b"lane")
        if made is NULL:
            raise TlsError(f"BIO_meth_new() failed{queued_errors().decode()}")
        lib.BIO_meth_set_read(made, wire_read)
        lib.BIO_meth_set_write(made, wire_write)
        lib.BIO_meth_set_ctrl(made, wire_ctrl)
        methods = made
    bio = lib.BIO_new(methods)
    if bio is NULL:
        raise TlsError(f"BIO_new() failed{queued_errors().decode()}")
    lib.BIO_set_data(bio, wire)
    lib.BIO_set_init(bio, 1)
    return bio


cdef int cork(Wire* wire) noexcept:
    if not wire.out_size:
        wire.corked = True
    return 0


cdef int uncork(Wire* wire) noexcept:
    """Send the records since cork(), and keep what the socket does not take; as flush()."""
    cdef char* mine
    cdef int answer
    wire.corked = False
    answer = flush(wire)
    if wire.out_size and not wire.out_room:
        mine = <char*>malloc(wire.out_size - wire.out_at)
        if mine is NULL:
            wire.error = ENOMEM
            drop(wire)
            return -1
        memcpy(mine, wire.out + wire.out_at, wire.out_size - wire.out_at)
        wire.out_size -= wire.out_at
        wire.out_at = 0
        wire.out = mine
        wire.out_room = wire.out_size
    return answer


cdef int flush(Wire* wire) noexcept:
    """Send records that were kept: 1 when none is left, 0 when the socket is full, -1 with wire.error."""
    cdef ssize_t count
    while wire.out_at < wire.out_size:
        count = c_send(wire.fd, wire.out + wire.out_at, wire.out_size - wire.out_at, MSG_NOSIGNAL)
        if count >= 0:
            wire.out_at += count
        elif errno == EAGAIN:
            return 0
        elif errno != EINTR:
            wire.error = errno
            drop(wire)
            return -1
    drop(wire)
    return 1


cdef int drop(Wire* wire) noexcept:
    if wire.out_room:
        free(wire.out)
    wire.out = NULL
    wire.out_at = wire.out_size = wire.out_room = 0
    return 0
