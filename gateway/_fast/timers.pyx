# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What is due when: a binary heap of objects that know their place in it."""
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.math cimport INFINITY


cdef class Due:
    """Something that can stand in a heap, once; fire() is called when its time has come."""

    def __cinit__(self):
        self.place = -1

    cdef int fire(self) except -1:
        return 0


cdef inline bint earlier(PyObject* a, PyObject* b) noexcept:
    cdef Due x = <Due>a
    cdef Due y = <Due>b
    # equal times fire in the order in which they were set
    return x.when < y.when or (x.when == y.when and x.turn < y.turn)


cdef class Heap:
    """A binary heap of Due objects; it holds a reference to each."""

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.size):
            (<Due>self.dues[i]).place = -1
            Py_DECREF(<Due>self.dues[i])
        PyMem_Free(self.dues)

    def __len__(self):
        return self.size

    cdef int push(self, Due due, double when) except -1:
        """Put `due` in, or move it when it is in already."""
        cdef PyObject** grown
        due.when = when
        due.turn = self.turns
        self.turns += 1
        if due.place < 0:
            if self.size == self.room:
                grown = <PyObject**>PyMem_Realloc(self.dues, (self.room * 2 + 16) * sizeof(PyObject*))
                if grown == NULL:
                    raise MemoryError
                self.dues = grown
                self.room = self.room * 2 + 16
            Py_INCREF(due)
            self._put(<PyObject*>due, self.size)
            self.size += 1
            self._up(due.place)
        else:
            self._up(due.place)
            self._down(due.place)
        return 0

    cdef int remove(self, Due due) except -1:
        """Take `due` out; nothing happens when it is not in."""
        cdef Py_ssize_t place = due.place
        cdef PyObject* last
        if place < 0:
            return 0
        due.place = -1
        self.size -= 1
        if place != self.size:
            last = self.dues[self.size]
            self._put(last, place)
            self._up(place)
            self._down((<Due>last).place)
        Py_DECREF(due)
        return 0

    cdef double first(self) noexcept:
        """When the next one is due, or infinity."""
        return (<Due>self.dues[0]).when if self.size else INFINITY

    cdef Due pop(self):
        cdef Due due = <Due>self.dues[0]
        self.remove(due)
        return due

    cdef void _put(self, PyObject* due, Py_ssize_t place) noexcept:
        self.dues[place] = due
        (<Due>due).place = place

    cdef void _up(self, Py_ssize_t place) noexcept:
        cdef PyObject* due = self.dues[place]
        cdef Py_ssize_t above
        while place:
            above = (place - 1) >> 1
            if not earlier(due, self.dues[above]):
                break
            self._put(self.dues[above], place)
            place = above
        self._put(due, place)

    cdef void _down(self, Py_ssize_t place) noexcept:
        cdef PyObject* due = self.dues[place]
        cdef Py_ssize_t below
        while True:
            below = 2 * place + 1
            if below >= self.size:
                break
            if below + 1 < self.size and earlier(self.dues[below + 1], self.dues[below]):
                below += 1
            if not earlier(self.dues[below], due):
                break
            self._put(self.dues[below], place)
            place = below
        self._put(due, place)
