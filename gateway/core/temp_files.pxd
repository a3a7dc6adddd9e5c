# The types of temp_files.py's compiled form.


cdef long _FEW


cdef class TempFile:
    cdef public long fd
    cdef readonly bytes path
    cdef readonly long long size
    cdef bint _delete

    cpdef write(self, data)
    cpdef write_parts(self, parts)
    cdef _unlink(self)
