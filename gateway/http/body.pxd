# The types of body.py's compiled form.
cimport cython

from gateway._fast.request_head cimport RequestHead
from gateway.core.temp_files cimport TempFile
from gateway.http.output cimport Output
from gateway.http.request cimport Request
from gateway.http.settings cimport EngineSettings


cdef class BodyDecoder:
    cdef readonly object chunked
    cdef readonly long long left
    cdef public bint done
    cdef readonly long long received

    cpdef long long wanted(self) except -1
    cpdef tuple feed(self, bytes data)


cdef class RequestBody:
    cdef public Request request
    cdef public list memory
    cdef public TempFile file
    cdef public long long size
    cdef public bint complete
    cdef public bint given
    cdef public object failed
    cdef public long long limit
    cdef long long preread
    cdef bint spills

    cpdef leave(self)
    cpdef list give(self)
    @cython.locals(core=EngineSettings)
    cpdef add(self, bytes data)
    cpdef hold(self, bytes data)
    @cython.locals(core=EngineSettings)
    cdef _to_file(self)
    @cython.locals(core=EngineSettings)
    cpdef finish(self)
    @cython.locals(core=EngineSettings)
    cdef bint _may_spill(self, Request request, Output output) except -1
    cpdef list pieces(self)


@cython.locals(body=RequestBody, output=Output, count="long long", data=bytes)
cpdef RequestBody read_body_part(Request request, long long most)


@cython.locals(body=RequestBody, output=Output)
cpdef bint read_body_nowait(Request request) except -1
