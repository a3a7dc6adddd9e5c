# The types of script.py's compiled form.
cimport cython

from gateway._fast.value cimport Value
from gateway.core.regex cimport Captures, Regex
from gateway.core.template cimport Capture, Template
from gateway.http.locations cimport Location
from gateway.http.part cimport Part
from gateway.http.request cimport Request


cdef class _EscapedCapture(Capture):
    cpdef value(self, request)


cdef class _ValueCapture(Capture):
    cpdef value(self, request)


cdef class _Matcher:
    cdef Regex regex
    cdef bint log

    @cython.locals(captures=Captures)
    cpdef bint match(self, Request request, bytes subject) except -1


cdef class _Set(Part):
    cdef str name
    cdef Template template

    cpdef run(self, Request request)


cdef class _Branch(Part):
    cdef Part condition
    cdef object enter
    cdef tuple operations

    @cython.locals(operation=Part)
    cpdef run(self, Request request)


cdef class _Script(Part):
    cdef tuple operations
    cdef bint cleans

    @cython.locals(operation=Part, entered=Location)
    cpdef run(self, Request request)


cdef class _IsTrue(Part):
    cdef Value variable

    cpdef run(self, Request request)


cdef class _IsEqual(Part):
    cdef Value variable
    cdef Template template
    cdef bint negated

    cpdef run(self, Request request)


cdef class _Matches(Part):
    cdef Value variable
    cdef _Matcher matcher
    cdef bint negated

    cpdef run(self, Request request)
