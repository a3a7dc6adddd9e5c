# The types of log.py's compiled form.
from gateway._fast.log_line cimport LineFormat
from gateway.core.access_log cimport FileLog
from gateway.http.part cimport Part
from gateway.http.request cimport Request


cdef class LogLine(Part):
    cdef readonly LineFormat line
    cdef readonly object condition
    cdef readonly object writer
    cdef readonly FileLog file

    cpdef run(self, Request request)
