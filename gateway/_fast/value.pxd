# a module's function with one argument, a request, as its .pxd declares it; the second argument is Cython's
ctypedef object (*Entry)(void *request, int skip_dispatch)


cdef class Value:
    cpdef value(self, request)


cdef class Getter(Value):
    cdef readonly object function
    cdef Entry entry
    cdef type asked


cdef class Joined(Value):
    cdef tuple parts

    cdef bytes join(self, request)


cpdef Value value_of(getter)
