# cython: language_level=3, boundscheck=False, wraparound=False
"""A peer's words and the round robin over them; see peers.pyi for the contract."""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

cdef extern from "<time.h>" nogil:
    ctypedef long time_t
    struct timespec:
        time_t tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *now)
    int CLOCK_MONOTONIC, CLOCK_REALTIME

cdef enum:
    SLOT, GROUP, ID, PARENT
    WEIGHT, MAX_CONNS, MAX_FAILS, FAIL_TIMEOUT, SLOW_START
    CONNS, FAILS, ACCESSED, CHECKED, EFFECTIVE_WEIGHT, CURRENT_WEIGHT, DOWN, RAMP_SINCE, RAMP_CREDIT
    HEADER_TIME, RESPONSE_TIME, INFLIGHT_TIME, INFLIGHT_LAST, INFLIGHT_CHANGED, INFLIGHT
    HEALTH, CHECKS, CHECK_FAILS, UNHEALTHY, LAST_PASSED, STREAK, LAST_CHECK
    SELECTED, REQUESTS, RESPONSES_1XX, RESPONSES_2XX, RESPONSES_3XX, RESPONSES_4XX, RESPONSES_5XX
    SENT, RECEIVED, FAILED, UNAVAIL, DOWNTIME, DOWNSTART
    COUNT

WORDS = (
    "slot", "group", "id", "parent",
    "weight", "max_conns", "max_fails", "fail_timeout", "slow_start",
    "conns", "fails", "accessed", "checked", "effective_weight", "current_weight", "down", "ramp_since", "ramp_credit",
    "header_time", "response_time", "inflight_time", "inflight_last", "inflight_changed", "inflight",
    "health", "checks", "check_fails", "unhealthy", "last_passed", "streak", "last_check",
    "selected", "requests",
    "responses_1xx", "responses_2xx", "responses_3xx", "responses_4xx", "responses_5xx",
    "sent", "received", "failed", "unavail", "downtime", "downstart",
)
assert len(WORDS) == COUNT

cdef enum:
    _LEFT_ALONE = 1
    _HAS_LEFT = 2
    _IS_BACK = 3

LEFT_ALONE, HAS_LEFT, IS_BACK = _LEFT_ALONE, _HAS_LEFT, _IS_BACK


cdef inline int64_t _ms(int clock) noexcept nogil:
    cdef timespec now
    clock_gettime(clock, &now)
    return <int64_t> now.tv_sec * 1000 + now.tv_nsec // 1000000


def monotonic_ms():
    return _ms(CLOCK_MONOTONIC)


def wall_ms():
    return _ms(CLOCK_REALTIME)


cdef class Word:
    """Reads and writes one word of a PeerState."""
    cdef Py_ssize_t index

    def __init__(self, Py_ssize_t index):
        if not 0 <= index < COUNT:
            raise IndexError(index)
        self.index = index

    def __get__(self, instance, owner):
        if instance is None:
            return self
        return (<PeerState?> instance).words[self.index]

    def __set__(self, instance, int64_t value):
        (<PeerState?> instance).words[self.index] = value


# Of what a buffer belongs to the collector must hear nothing: it would clear it while the buffer is in use.
@cython.no_gc
cdef class PeerState:

    def __cinit__(self, *args, **kwargs):
        self.own = <int64_t *> PyMem_Calloc(COUNT + 2, sizeof(int64_t))
        if self.own == NULL:
            raise MemoryError
        self.words = self.own
        self.mine = self.own + COUNT

    def attach(self, memory not None):
        PyObject_GetBuffer(memory, &self._buffer, PyBUF_WRITABLE)
        self._held = True
        if self._buffer.len < COUNT * 8 or <size_t> self._buffer.buf % 8:
            raise ValueError("the memory is too small, or not aligned")
        self.words = <int64_t *> self._buffer.buf

    def keep_part(self, memory not None):
        if self._in_row:
            PyBuffer_Release(&self._part)
            self._in_row = False
            self.mine = self.own + COUNT
        PyObject_GetBuffer(memory, &self._part, PyBUF_WRITABLE)
        self._in_row = True
        if self._part.len < 2 * 8 or <size_t> self._part.buf % 8:
            raise ValueError("the memory is too small, or not aligned")
        self.mine = <int64_t *> self._part.buf

    def count_codes(self, memory not None):
        if self._codes is not NULL:
            raise ValueError("codes are counted already")
        PyObject_GetBuffer(memory, &self._codes_buffer, PyBUF_WRITABLE)
        if self._codes_buffer.len < 500 * 8 or <size_t> self._codes_buffer.buf % 8:
            PyBuffer_Release(&self._codes_buffer)
            raise ValueError("the memory is too small, or not aligned")
        self._codes = <int64_t *> self._codes_buffer.buf

    @property
    def codes(self):
        cdef Py_ssize_t index
        return [] if self._codes is NULL else [self._codes[index] for index in range(500)]

    @codes.setter
    def codes(self, list counts not None):
        cdef Py_ssize_t index
        if self._codes is not NULL:
            for index in range(500):
                self._codes[index] = counts[index]

    def __dealloc__(self):
        if self._codes is not NULL:
            PyBuffer_Release(&self._codes_buffer)
        if self._held:
            PyBuffer_Release(&self._buffer)
        if self._in_row:
            PyBuffer_Release(&self._part)
        PyMem_Free(self.own)

    def reset(self):
        memset(self.words, 0, COUNT * 8)

    cdef bint may(self, int64_t now, int64_t ignored) noexcept:
        cdef int64_t *w = self.words
        if w[DOWN] & ~ignored or w[HEALTH]:
            return False
        if w[MAX_FAILS] and w[FAILS] >= w[MAX_FAILS] and now - w[CHECKED] <= w[FAIL_TIMEOUT]:
            return False
        return not (w[MAX_CONNS] and w[CONNS] >= w[MAX_CONNS])

    def usable(self, int64_t now, int64_t ignored=0):
        return self.may(now, ignored)

    cpdef bint usable_alone(self) noexcept:
        cdef int64_t *w = self.words
        return not (w[DOWN] or w[HEALTH] or (w[MAX_CONNS] and w[CONNS] >= w[MAX_CONNS]))

    cdef bint held_back(self) noexcept:
        """slow_start: whether the peer lets this pick pass by; a share of them that shrinks with time."""
        cdef int64_t *w = self.words
        cdef int64_t elapsed
        if not w[RAMP_SINCE]:
            return False
        elapsed = _ms(CLOCK_MONOTONIC) - w[RAMP_SINCE]
        if elapsed >= w[SLOW_START] or elapsed < 0:
            w[RAMP_SINCE] = w[RAMP_CREDIT] = 0
            return False
        w[RAMP_CREDIT] += elapsed * 1000000 // w[SLOW_START]
        if w[RAMP_CREDIT] >= 1000000:
            w[RAMP_CREDIT] -= 1000000
            return False
        return True

    def waits(self):
        return self.held_back()

    cdef void raise_weight(self) noexcept:
        cdef int64_t *w = self.words
        w[CURRENT_WEIGHT] += w[EFFECTIVE_WEIGHT]
        if w[EFFECTIVE_WEIGHT] < w[WEIGHT]:
            w[EFFECTIVE_WEIGHT] += 1

    cpdef take(self, int64_t now, bint check):
        cdef int64_t *w = self.words
        if check and now - w[CHECKED] > w[FAIL_TIMEOUT]:
            w[CHECKED] = now
        w[CONNS] += 1
        self.mine[0] += 1
        if self._held:
            # only a zone's are ever shown
            w[REQUESTS] += 1
            w[SELECTED] = _ms(CLOCK_REALTIME)

    def begin_inflight(self):
        self.words[INFLIGHT] += 1
        self.mine[1] += 1

    def end_inflight(self):
        self.words[INFLIGHT] = max(0, self.words[INFLIGHT] - 1)
        self.mine[1] -= 1

    def write_off(self, int64_t conns, int64_t inflight):
        cdef int64_t *w = self.words
        w[CONNS] = max(0, w[CONNS] - conns)
        if 0 < inflight <= w[INFLIGHT]:
            w[INFLIGHT_LAST] -= w[INFLIGHT_LAST] // w[INFLIGHT] * inflight
            w[INFLIGHT] -= inflight

    cdef void leave(self) noexcept:
        if not self.words[DOWNSTART]:
            self.words[DOWNSTART] = _ms(CLOCK_REALTIME)

    cdef void come_back(self) noexcept:
        cdef int64_t *w = self.words
        if w[DOWNSTART]:
            w[DOWNTIME] += max(_ms(CLOCK_REALTIME) - w[DOWNSTART], 0)
            w[DOWNSTART] = 0
        if w[SLOW_START]:
            w[RAMP_SINCE] = _ms(CLOCK_MONOTONIC)
            w[RAMP_CREDIT] = 0

    def left(self):
        self.leave()

    def came_back(self):
        self.come_back()

    cpdef int give(self, bint failed, bint single, int64_t now) noexcept:
        cdef int64_t *w = self.words
        w[CONNS] -= 1
        self.mine[0] -= 1
        if failed:
            w[FAILED] += 1
        if single:
            w[FAILS] = 0
            return 0
        if failed:
            w[FAILS] += 1
            w[ACCESSED] = w[CHECKED] = now
            if w[MAX_FAILS]:
                w[EFFECTIVE_WEIGHT] = max(0, w[EFFECTIVE_WEIGHT] - w[WEIGHT] // w[MAX_FAILS])
                if w[FAILS] >= w[MAX_FAILS]:
                    if w[FAILS] == w[MAX_FAILS]:
                        w[UNAVAIL] += 1
                        self.leave()
                        return _HAS_LEFT
                    return _LEFT_ALONE
        elif w[ACCESSED] < w[CHECKED]:
            if w[MAX_FAILS] and w[FAILS] >= w[MAX_FAILS]:
                self.come_back()
                w[FAILS] = 0
                return _IS_BACK
            w[FAILS] = 0
        return 0

    cpdef account(self, int64_t status, int64_t sent, int64_t received):
        cdef int64_t *w = self.words
        w[SENT] += sent
        w[RECEIVED] += received
        if 100 <= status < 600:
            w[RESPONSES_1XX + status // 100 - 1] += 1
            if self._codes is not NULL:
                self._codes[status - 100] += 1


cdef Py_ssize_t _highest(list peers, object tried, int64_t now, int64_t *total, bint ramps) except -2:
    cdef Py_ssize_t index, count = PyList_GET_SIZE(peers)
    cdef Py_ssize_t best = -1
    cdef int64_t highest = 0
    cdef PeerState peer
    cdef uint64_t few = 0
    cdef bint many = count > 63
    if not many:
        few = tried
    for index in range(count):
        if (tried >> index & 1) if many else (few >> index & 1):
            continue
        peer = <PeerState> PyList_GET_ITEM(peers, index)
        if not peer.may(now, 0):
            continue
        if peer.words[RAMP_SINCE] and ramps and peer.held_back():
            continue
        total[0] += peer.words[EFFECTIVE_WEIGHT]
        peer.raise_weight()
        if best < 0 or peer.words[CURRENT_WEIGHT] > highest:
            best = index
            highest = peer.words[CURRENT_WEIGHT]
    return best


cpdef Py_ssize_t smooth(list peers, object tried, int64_t now, Py_ssize_t wanted=-1,
                        int64_t total_weight=0) except -2:
    cdef int64_t total = 0
    cdef Py_ssize_t best
    if wanted >= 0 and (
        (<PeerState> peers[wanted]).words[CURRENT_WEIGHT]
        <= (<PeerState> peers[wanted]).words[WEIGHT] - total_weight
    ):
        return wanted
    best = _highest(peers, tried, now, &total, True)
    if best < 0:
        # those that ramp up are better than none
        best = _highest(peers, tried, now, &total, False)
    if wanted >= 0:
        best = wanted
    if best >= 0:
        (<PeerState> peers[best]).words[CURRENT_WEIGHT] -= total
    return best


cdef Py_ssize_t _cheapest(
    list peers, object tried, int64_t now, object cost, int64_t *costs, bint *several, bint ramps
) except -2:
    """The first peer with the least cost for its weight; costs is filled, with -1 for those that cannot be taken."""
    cdef Py_ssize_t index, best = -1
    cdef int64_t left, right
    cdef PeerState peer, first = None
    for index in range(PyList_GET_SIZE(peers)):
        costs[index] = -1
        peer = <PeerState> PyList_GET_ITEM(peers, index)
        if tried >> index & 1 or not peer.may(now, 0):
            continue
        if peer.words[RAMP_SINCE] and ramps and peer.held_back():
            continue
        costs[index] = peer.words[CONNS] if cost is None else cost(peer)
        if best >= 0:
            left = costs[index] * first.words[WEIGHT]
            right = costs[best] * peer.words[WEIGHT]
            if left >= right:
                several[0] |= left == right
                continue
        best = index
        first = peer
        several[0] = False
    return best


def least(list peers not None, tried, int64_t now, cost=None):
    cdef Py_ssize_t index, best, chosen, count = PyList_GET_SIZE(peers)
    cdef int64_t total = 0
    cdef bint several = False
    cdef PeerState first, peer, highest
    cdef int64_t *costs = <int64_t *> PyMem_Malloc(max(count, 1) * sizeof(int64_t))
    if costs is NULL:
        raise MemoryError
    try:
        best = _cheapest(peers, tried, now, cost, costs, &several, True)
        if best < 0:
            # those that ramp up are better than none
            best = _cheapest(peers, tried, now, cost, costs, &several, False)
        if best < 0 or not several:
            return best
        chosen = best
        first = highest = <PeerState> PyList_GET_ITEM(peers, best)
        for index in range(best, count):
            peer = <PeerState> PyList_GET_ITEM(peers, index)
            if costs[index] < 0 or costs[index] * first.words[WEIGHT] != costs[best] * peer.words[WEIGHT]:
                continue
            total += peer.words[EFFECTIVE_WEIGHT]
            peer.raise_weight()
            if peer.words[CURRENT_WEIGHT] > highest.words[CURRENT_WEIGHT]:
                highest = peer
                chosen = index
        highest.words[CURRENT_WEIGHT] -= total
        return chosen
    finally:
        PyMem_Free(costs)
