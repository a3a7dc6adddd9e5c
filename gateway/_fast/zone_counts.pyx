# cython: language_level=3, boundscheck=False, wraparound=False
"""What a status_zone counts, in words of a worker's own; see zone_counts.pyi."""

cimport cython
from libc.stdint cimport int64_t

from gateway._fast.zones cimport Words

cdef enum:
    # words of a status_zone before its histograms
    ZONE_PROCESSING = 0
    ZONE_REQUESTS = 1
    ZONE_DISCARDED = 2
    ZONE_RECEIVED = 3
    ZONE_SENT = 4


@cython.final
cdef class ZoneCounts:
    def __init__(self, Words words not None, Py_ssize_t codes, Py_ssize_t times, Py_ssize_t sum_):
        words.at(codes + 499)
        words.at(times)
        words.at(times + sum_)
        self._words = words
        self._first = words.words
        self._codes = codes
        self._times = times
        self._sum = times + sum_

    cpdef begins(self):
        (self._first + ZONE_PROCESSING)[0] += 1

    cpdef leaves(self):
        (self._first + ZONE_PROCESSING)[0] -= 1

    cpdef ended(self, long status, int64_t received, int64_t sent, int64_t ms):
        self.add(status, received, sent, ms)

    cdef void add(self, long status, int64_t received, int64_t sent, int64_t ms) noexcept:
        """ended(), as a call of C's."""
        if ms >= 0:
            (self._first + self._times)[0] += 1
            (self._first + self._sum)[0] += ms
        (self._first + ZONE_REQUESTS)[0] += 1
        (self._first + ZONE_RECEIVED)[0] += received
        if 100 <= status < 600:
            (self._first + self._codes + status - 100)[0] += 1
            (self._first + ZONE_SENT)[0] += sent
        else:
            (self._first + ZONE_DISCARDED)[0] += 1

    cpdef took(self, Py_ssize_t bucket, Py_ssize_t sum_, int64_t ms):
        self._words.at(bucket)[0] += 1
        self._words.at(sum_)[0] += ms


cdef int64_t _sum(list rows, Py_ssize_t word) except? -1:
    cdef int64_t found = 0
    cdef Words row
    for row in rows:
        found += row.at(word)[0]
    return found


def sums(list rows not None, Py_ssize_t first, Py_ssize_t end):
    return [_sum(rows, word) for word in range(first, end)]


def nonzero(list rows not None, Py_ssize_t first, Py_ssize_t end):
    cdef dict found = {}
    cdef int64_t count
    cdef Py_ssize_t word
    for word in range(first, end):
        count = _sum(rows, word)
        if count:
            found[word - first] = count
    return found
