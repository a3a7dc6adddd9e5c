from gateway._fast.fibre cimport Fibre, State


cdef class Wait:
    cdef Fibre fibre
    cdef double deadline
    cdef bint begun

    cdef bint ready(self) except -1
    cdef int attach(self) except -1
    cdef int detach(self) except -1
    cdef State state(self)


cdef Fibre need_fibre()
