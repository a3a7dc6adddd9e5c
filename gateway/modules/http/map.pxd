# The types of map.py's compiled form.
cimport cython

from gateway._fast.value cimport Value
from gateway.core.regex cimport Captures, Regex
from gateway.core.template cimport Template


cdef class MapValue(Value):
    cdef readonly Template source
    cdef readonly dict exact
    cdef readonly object find
    cdef readonly bint hostnames
    cdef readonly tuple regexes
    cdef readonly object default

    @cython.locals(text=bytes)
    cpdef value(self, request)


@cython.locals(pattern=Regex, captures=Captures)
cdef _matching(object regexes, bytes text, object request)
