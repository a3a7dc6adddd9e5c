# cython: language_level=3, boundscheck=False, wraparound=False
"""Watchers: who is told of a stream's events and of times that came by a C call, where a callable would do as well."""

from gateway._fast.timers cimport Due


cdef class Watcher(Due):
    """Set as a stream's handler, or put into the lane's heap; a subclass says what it does."""

    cpdef happened(self):
        """The stream has news, or whoever else it is told to."""

    cpdef late(self):
        """The time that it stands in the heap for has come, or the stream's deadline where that has no callback."""

    cpdef stopped(self):
        """The lane ends, and closes the stream."""

    def __call__(self):
        self.happened()

    cdef int fire(self) except -1:
        self.late()
        return 0
