from gateway._fast.timers cimport Due


cdef class Watcher(Due):
    cpdef happened(self)
    cpdef late(self)
    cpdef stopped(self)
