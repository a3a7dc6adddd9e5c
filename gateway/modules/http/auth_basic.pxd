# The types of auth_basic.py's compiled form.
cimport cython

from gateway._fast.files cimport OpenedFile, open_path
from gateway.core.template cimport Template
from gateway.http.part cimport Part
from gateway.http.request cimport Request


cdef class UserFile:
    cdef readonly bytes text
    cdef readonly set let_in

    cpdef remember(self, bytes text, bytes given)


cdef class Authenticate(Part):
    cdef readonly Template realm
    cdef readonly Template path
    cdef readonly bytes folder
    cdef readonly bytes absolute
    cdef readonly dict files

    @cython.locals(realm=bytes, given=bytes, path=bytes, file=UserFile)
    cpdef run(self, Request request)
    cpdef _decide(self, Request request, bytes realm, bytes given, bytes path)


@cython.locals(file=OpenedFile)
cdef object _read(Request request, bytes path)
