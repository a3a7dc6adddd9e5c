# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""limit_rate and limit_rate_after, by nginx's arithmetic."""
from libc.stdint cimport int64_t


cdef class Rate(Due):
    """The limit of one stream: it holds the output until `until`, when the heap resumes the stream."""

    cdef int64_t allow(self, int64_t sent, int64_t limit, double now) noexcept:
        """How many bytes may go now; 0 with `until` set when the stream must wait."""
        cdef int64_t allowed
        if now < self.until:
            return 0
        # a second's worth is free at the start, as in nginx, which counts whole seconds
        allowed = self.rate * (<int64_t>(now - self.start) + 1) - (sent - self.base)
        if allowed <= 0:
            self.until = now + <double>(-allowed) / self.rate + 0.001
            return 0
        return min(limit, allowed)

    cdef void charge(self, int64_t before, int64_t sent, double now) noexcept:
        """What went out beyond the free part must have taken its time before more goes."""
        cdef int64_t count = max(sent - self.base, 0) - max(before - self.base, 0)
        if count * 1000 >= self.rate:
            self.until = now + <double>count / self.rate

    cdef int fire(self) except -1:
        self.source.go_on()
        return 0
