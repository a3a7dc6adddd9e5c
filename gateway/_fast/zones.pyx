# cython: language_level=3, boundscheck=False, wraparound=False
"""Words, locks and tables in memory that processes share; see zones.pyi for the contract."""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from hashlib import blake2b

cdef extern from *:
    """
    #include <errno.h>
    #include <pthread.h>
    #include <stdint.h>
    static int64_t word_load(int64_t *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
    static void word_store(int64_t *p, int64_t v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }
    static int64_t word_add(int64_t *p, int64_t v) { return __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST); }
    static int64_t word_swap(int64_t *p, int64_t v) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); }
    static int word_cas(int64_t *p, int64_t old, int64_t new_) {
        return __atomic_compare_exchange_n(p, &old, new_, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    static int lock_init(pthread_mutex_t *m) {
        pthread_mutexattr_t a;
        int rc = pthread_mutexattr_init(&a);
        if (rc) return rc;
        rc = pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    #ifndef __APPLE__
        if (!rc) rc = pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    #endif
        if (!rc) rc = pthread_mutex_init(m, &a);
        pthread_mutexattr_destroy(&a);
        return rc;
    }
    #ifdef __APPLE__
    static int lock_mend(pthread_mutex_t *m) { (void) m; return 0; }
    #ifndef EOWNERDEAD
    #define EOWNERDEAD 105
    #endif
    #else
    static int lock_mend(pthread_mutex_t *m) { return pthread_mutex_consistent(m); }
    #endif
    """
    int64_t word_load(int64_t *p) nogil
    void word_store(int64_t *p, int64_t v) nogil
    int64_t word_add(int64_t *p, int64_t v) nogil
    int64_t word_swap(int64_t *p, int64_t v) nogil
    int word_cas(int64_t *p, int64_t old, int64_t new) nogil
    int lock_init(pthread_mutex_t *m)
    int lock_mend(pthread_mutex_t *m)
    int pthread_mutex_lock(pthread_mutex_t *m) nogil
    int pthread_mutex_trylock(pthread_mutex_t *m) nogil
    int pthread_mutex_unlock(pthread_mutex_t *m) nogil
    int EBUSY, EOWNERDEAD

LOCK_SIZE = sizeof(pthread_mutex_t)


cdef class _Part:
    """A stretch of a writable buffer, which it keeps alive."""
    def __cinit__(self, memory, Py_ssize_t offset, *args, **kwargs):
        self._held = False
        PyObject_GetBuffer(memory, &self._buffer, PyBUF_WRITABLE)
        self._held = True
        if offset < 0 or offset % 8 or offset > self._buffer.len:
            raise ValueError("offset outside of the memory, or not a multiple of 8")
        self.start = <char *> self._buffer.buf + offset

    cdef int need(self, Py_ssize_t size) except -1:
        if size < 0 or self.start + size > <char *> self._buffer.buf + self._buffer.len:
            raise ValueError("the memory is too small")
        return 0

    def __dealloc__(self):
        if self._held:
            PyBuffer_Release(&self._buffer)


cdef class Words(_Part):
    def __init__(self, memory, Py_ssize_t offset, Py_ssize_t count):
        self.need(count * 8)
        self.count = count
        self.words = <int64_t *> self.start
        self._view = memoryview(memory).cast("B")[offset:offset + count * 8].cast("q")

    cdef int64_t *at(self, Py_ssize_t index) except NULL:
        if index < 0 or index >= self.count:
            raise IndexError("no such word")
        return &self.words[index]

    def __len__(self):
        return self.count

    @property
    def view(self):
        return self._view

    def load(self, Py_ssize_t index):
        return word_load(self.at(index))

    def store(self, Py_ssize_t index, int64_t value):
        word_store(self.at(index), value)

    cpdef int64_t add(self, Py_ssize_t index, int64_t value) except? -1:
        return word_add(self.at(index), value)

    def fetch(self, Py_ssize_t index, int64_t value):
        return word_swap(self.at(index), value)

    def cas(self, Py_ssize_t index, int64_t old, int64_t new):
        return word_cas(self.at(index), old, new) != 0


cdef enum:
    # words of a worker's slot in core.counters
    ACCEPTED = 0
    HANDLED = 1
    REQUESTS = 2
    ACTIVE = 3
    READING = 4
    WRITING = 5
    WAITING = 6


cdef class WorkerCounters:
    def __init__(self, Words words not None, Py_ssize_t base):
        words.at(base + WAITING)
        self._words = words
        self._slot = words.words + base

    cpdef accepted(self):
        word_add(self._slot + ACCEPTED, 1)
        word_add(self._slot + HANDLED, 1)
        word_add(self._slot + ACTIVE, 1)
        word_add(self._slot + WAITING, 1)

    cpdef dropped(self):
        word_add(self._slot + ACCEPTED, 1)

    cpdef closed(self):
        word_add(self._slot + ACTIVE, -1)
        word_add(self._slot + WAITING, -1)

    cpdef head_begins(self):
        word_add(self._slot + WAITING, -1)
        word_add(self._slot + READING, 1)

    cpdef head_ends(self):
        word_add(self._slot + READING, -1)
        word_add(self._slot + WAITING, 1)

    cpdef request_begins(self):
        word_add(self._slot + REQUESTS, 1)
        word_add(self._slot + WAITING, -1)
        word_add(self._slot + WRITING, 1)

    cpdef request_ends(self):
        word_add(self._slot + WRITING, -1)
        word_add(self._slot + WAITING, 1)


cdef class Lock(_Part):
    def __init__(self, memory, Py_ssize_t offset, bint fresh, check=None):
        self.need(sizeof(pthread_mutex_t))
        self.mutex = <pthread_mutex_t *> self.start
        self.check = check
        if fresh:
            error = lock_init(self.mutex)
            if error:
                raise OSError(error, "pthread_mutex_init() failed")

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *exc):
        pthread_mutex_unlock(self.mutex)

    cpdef release(self):
        pthread_mutex_unlock(self.mutex)

    cpdef acquire(self):
        cdef int error = pthread_mutex_trylock(self.mutex)
        if error == EBUSY:
            # The holder may be a thread of this process that waits for the interpreter.
            with nogil:
                error = pthread_mutex_lock(self.mutex)
        if error == EOWNERDEAD:
            # Whatever the check does, the lock must be usable again: the next one would not be told a second time.
            lock_mend(self.mutex)
            if self.check is not None:
                try:
                    self.check()
                except BaseException:
                    pthread_mutex_unlock(self.mutex)
                    raise
        elif error:
            raise OSError(error, "pthread_mutex_lock() failed")


# One record of a table: links are indexes, -1 for none.
cdef struct Record:
    uint32_t hash
    int32_t chain  # next in its bucket, or in the free list
    int32_t newer
    int32_t older
    uint64_t stamp  # grows with each use: the order of use survives a holder that died between two links
    uint16_t length  # of the key; DIGESTED: the key's digest stands there
    uint8_t used
    uint8_t unused1
    uint32_t unused2

cdef struct Head:
    uint64_t seed
    uint64_t stamp
    int64_t length
    int32_t free
    int32_t newest
    int32_t oldest
    int32_t fresh  # records from here on were never used

cdef enum:
    NONE = -1
    DIGEST = 16
    DIGESTED = 0xFFFF


cdef inline uint32_t _hash(uint64_t seed, const char *key, Py_ssize_t length) noexcept nogil:
    cdef uint64_t value = seed ^ (<uint64_t> length * 0x9E3779B97F4A7C15ULL)
    cdef uint64_t chunk
    cdef Py_ssize_t left = length
    while left > 0:
        chunk = 0
        memcpy(&chunk, key, 8 if left >= 8 else left)
        value = (value ^ chunk) * 0xD6E8FEB86659FD93ULL
        value ^= value >> 32
        key += 8
        left -= 8
    value *= 0xD6E8FEB86659FD93ULL
    return <uint32_t> (value ^ (value >> 29))


cdef class Table(_Part):
    def __init__(
        self, memory, Py_ssize_t offset, Py_ssize_t key_size, Py_ssize_t record_words, Py_ssize_t count, uint64_t seed
    ):
        if key_size < DIGEST or key_size % 8 or key_size >= DIGESTED or record_words < 0 or not 0 < count < 0x7FFFFFFF:
            raise ValueError("a table cannot be like this")
        self.need(table_size(key_size, record_words, count))
        self.key_size = key_size
        self.record_words = record_words
        self.count = count
        self._step = sizeof(Record) + key_size + 8 * record_words
        self._buckets = _buckets_for(count)
        self._head = <Head *> self.start
        self._records = self.start + sizeof(Head)
        self._bucket = <int32_t *> (self._records + count * self._step)
        if seed:
            self._head.seed = seed
            self.clear()

    cdef Record *at(self, Py_ssize_t index) noexcept:
        return <Record *> (self._records + index * self._step)

    cdef char *key_at(self, Py_ssize_t index) noexcept:
        return self._records + index * self._step + sizeof(Record)

    cdef Record *used(self, Py_ssize_t index) except NULL:
        cdef Record *record
        if 0 <= index < self.count:
            record = self.at(index)
            if record.used:
                return record
        raise IndexError("no such record")

    cdef int64_t *word_at(self, Py_ssize_t index, Py_ssize_t word) except NULL:
        self.used(index)
        if word < 0 or word >= self.record_words:
            raise IndexError("no such word")
        return <int64_t *> (self.key_at(index) + self.key_size) + word

    def __len__(self):
        return self._head.length

    def clear(self):
        cdef Py_ssize_t index
        self._head.length = 0
        self._head.free = self._head.newest = self._head.oldest = NONE
        self._head.fresh = 0
        for index in range(self.count):
            if self.at(index).used:
                self.at(index).used = 0
        memset(self._bucket, 0xFF, self._buckets * sizeof(int32_t))

    cdef int32_t find(self, bytes key, uint16_t length, uint32_t hashed) noexcept:
        cdef int32_t index = self._bucket[hashed & (self._buckets - 1)]
        cdef Record *record
        while index != NONE:
            record = self.at(index)
            if (
                record.hash == hashed and record.length == length
                and memcmp(self.key_at(index), PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)) == 0
            ):
                return index
            index = record.chain
        return NONE

    cpdef Py_ssize_t get(self, bytes key) except? -2:
        cdef uint16_t length = 0
        key = self.fitted(key, &length)
        return self.find(key, length, _hash(self._head.seed, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)))

    cdef bytes fitted(self, bytes key, uint16_t *length):
        if key is None:
            raise TypeError("a key is bytes")
        if PyBytes_GET_SIZE(key) <= self.key_size:
            length[0] = <uint16_t> PyBytes_GET_SIZE(key)
            return key
        length[0] = DIGESTED
        return blake2b(key, digest_size=DIGEST).digest()

    cpdef Py_ssize_t insert(self, bytes key) except? -2:
        cdef uint16_t length = 0
        cdef uint32_t hashed
        cdef int32_t index
        cdef Record *record
        key = self.fitted(key, &length)
        hashed = _hash(self._head.seed, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        index = self.find(key, length, hashed)
        if index != NONE:
            self.link_newest(index)
            return index
        index = self._head.free
        if index != NONE:
            self._head.free = self.at(index).chain
        elif self._head.fresh < self.count:
            index = self._head.fresh
            self._head.fresh += 1
        else:
            return NONE
        record = self.at(index)
        record.hash = hashed
        record.length = length
        memcpy(self.key_at(index), PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        memset(self.key_at(index) + self.key_size, 0, 8 * self.record_words)
        record.newer = record.older = NONE
        record.used = 1
        record.chain = self._bucket[hashed & (self._buckets - 1)]
        self._bucket[hashed & (self._buckets - 1)] = index
        self._head.length += 1
        self.push_newest(index)
        return index

    cdef void unlink(self, int32_t index) noexcept:
        cdef Record *record = self.at(index)
        if record.newer != NONE:
            self.at(record.newer).older = record.older
        else:
            self._head.newest = record.older
        if record.older != NONE:
            self.at(record.older).newer = record.newer
        else:
            self._head.oldest = record.newer

    cdef void push_newest(self, int32_t index) noexcept:
        cdef Record *record = self.at(index)
        self._head.stamp += 1
        record.stamp = self._head.stamp
        record.newer = NONE
        record.older = self._head.newest
        if record.older != NONE:
            self.at(record.older).newer = index
        else:
            self._head.oldest = index
        self._head.newest = index

    cdef void link_newest(self, int32_t index) noexcept:
        if self._head.newest != index:
            self.unlink(index)
            self.push_newest(index)

    cpdef touch(self, Py_ssize_t index):
        self.used(index)
        self.link_newest(<int32_t> index)

    cpdef remove(self, Py_ssize_t index):
        cdef Record *record = self.used(index)
        cdef int32_t *link = &self._bucket[record.hash & (self._buckets - 1)]
        while link[0] != index:
            if link[0] == NONE:
                raise RuntimeError("the table's chain is broken")
            link = &self.at(link[0]).chain
        link[0] = record.chain
        self.unlink(<int32_t> index)
        record.used = 0
        record.chain = self._head.free
        self._head.free = <int32_t> index
        self._head.length -= 1

    cpdef Py_ssize_t oldest(self) except? -2:
        return self._head.oldest

    def newest(self, Py_ssize_t most=-1):
        cdef list found = []
        cdef int32_t index = self._head.newest
        while index != NONE and most:
            found.append(index)
            index = self.at(index).older
            most -= 1
        return found

    def key(self, Py_ssize_t index):
        cdef Record *record = self.used(index)
        return PyBytes_FromStringAndSize(self.key_at(index), DIGEST if record.length == DIGESTED else record.length)

    cpdef int64_t word(self, Py_ssize_t index, Py_ssize_t word) except? -1:
        return self.word_at(index, word)[0]

    cpdef set_word(self, Py_ssize_t index, Py_ssize_t word, int64_t value):
        self.word_at(index, word)[0] = value

    cpdef int64_t add_word(self, Py_ssize_t index, Py_ssize_t word, int64_t value) except? -1:
        cdef int64_t *place = self.word_at(index, word)
        place[0] += value
        return place[0]

    def repair(self):
        """Link anew what is in use; a record that its writer left unfinished is dropped."""
        cdef int32_t index
        cdef Record *record
        cdef Py_ssize_t length
        found = []
        for index in range(self._head.fresh if 0 <= self._head.fresh <= self.count else self.count):
            record = self.at(index)
            length = DIGEST if record.length == DIGESTED else record.length
            if (
                record.used and length <= self.key_size
                and record.hash == _hash(self._head.seed, self.key_at(index), length)
            ):
                found.append((record.stamp, index))
            else:
                record.used = 0
        found.sort()
        used = {place for _, place in found}
        self._head.free = self._head.newest = self._head.oldest = NONE
        memset(self._bucket, 0xFF, self._buckets * sizeof(int32_t))
        self._head.length = len(found)
        for _, index in found:
            record = self.at(index)
            record.chain = self._bucket[record.hash & (self._buckets - 1)]
            self._bucket[record.hash & (self._buckets - 1)] = index
            self.push_newest(index)
        self._head.fresh = min(max(self._head.fresh, 0), self.count)
        for index in range(self._head.fresh):
            if index not in used:
                self.at(index).chain = self._head.free
                self._head.free = index


cdef Py_ssize_t _buckets_for(Py_ssize_t count) noexcept:
    cdef Py_ssize_t buckets = 8
    while buckets < count:
        buckets *= 2
    return buckets


def table_size(Py_ssize_t key_size, Py_ssize_t record_words, Py_ssize_t count):
    return (
        sizeof(Head) + count * (sizeof(Record) + key_size + 8 * record_words)
        + _buckets_for(count) * sizeof(int32_t)
    )
