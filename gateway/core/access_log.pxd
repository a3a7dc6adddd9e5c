# The types of access_log.py's compiled form.
from gateway._fast.files cimport write_line


cdef class _Complaints:
    cdef long full_at
    cdef long told_at

    cdef bint full(self)


cdef class FileLog:
    cdef readonly object file  # its descriptor changes when logs are reopened
    cdef readonly object parameters
    cdef _Complaints _complaints
    cdef list _lines
    cdef long _held
    cdef object _timer
    cdef object _call_later
    cdef object _report

    cpdef write(self, bytes line, object report)
    cpdef _drain(self, object report)
    cpdef _send(self, bytes block, object report)


cdef class PathLog:
    cdef object _opener
    cdef object _options
    cdef _Complaints _complaints


cdef _write(long fd, bytes block, object file, _Complaints complaints, object report)
