# The types of murmur.py's compiled form.
cimport cython
from libc.stdint cimport uint32_t

cdef uint32_t _M, _MASK


@cython.locals(size=Py_ssize_t, whole=Py_ssize_t, at=Py_ssize_t, h=uint32_t, k=uint32_t)
cpdef uint32_t murmur_hash2(bytes data) except? 0
