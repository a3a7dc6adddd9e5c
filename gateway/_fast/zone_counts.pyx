# cython: language_level=3, boundscheck=False, wraparound=False
"""What a status_zone counts, in words that the workers share; see zone_counts.pyi."""

cimport cython
from libc.stdint cimport int64_t

from gateway._fast.zones cimport Words

cdef extern from *:
    """
    #include <stdint.h>
    static int64_t word_add(int64_t *p, int64_t v) { return __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST); }
    """
    int64_t word_add(int64_t *p, int64_t v) nogil

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
        self._first = words.words  # 330 instructions a request less than Words.add() of each
        self._codes = codes
        self._times = times
        self._sum = times + sum_

    cpdef begins(self):
        word_add(self._first + ZONE_PROCESSING, 1)

    cpdef leaves(self):
        word_add(self._first + ZONE_PROCESSING, -1)

    cpdef ended(self, long status, int64_t received, int64_t sent, int64_t ms):
        if ms >= 0:
            word_add(self._first + self._times, 1)
            word_add(self._first + self._sum, ms)
        word_add(self._first + ZONE_REQUESTS, 1)
        word_add(self._first + ZONE_RECEIVED, received)
        if 100 <= status < 600:
            word_add(self._first + self._codes + status - 100, 1)
            word_add(self._first + ZONE_SENT, sent)
        else:
            word_add(self._first + ZONE_DISCARDED, 1)

    cpdef took(self, Py_ssize_t bucket, Py_ssize_t sum_, int64_t ms):
        word_add(self._words.at(bucket), 1)
        word_add(self._words.at(sum_), ms)
