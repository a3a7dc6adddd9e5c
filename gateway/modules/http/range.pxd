# The types of range.py's compiled form.
cimport cython

from gateway._fast.cut cimport first, rest
from gateway._fast.head_writer cimport HeadWriter
from gateway._fast.request_head cimport RequestHead
from gateway.http.request cimport Request
from gateway.http.response cimport Response
from gateway.http.response_fields cimport set_line
from gateway.http.settings cimport EngineSettings


cdef HeadWriter _OUT


cdef class SinglePart:
    cdef readonly long long start
    cdef readonly long long end
    cdef public long long offset


@cython.locals(
    response=Response, head=RequestHead, field=bytes, total='long long', core=EngineSettings, part=SinglePart,
)
cpdef object filter_head(Request request)
@cython.locals(response=Response)
cdef object _single(Request request, SinglePart part, long long total)
cdef bint _in_bytes(bytes field) except -1
@cython.locals(response=Response, field=bytes)
cdef bint _if_range(Request request) except -1
@cython.locals(
    begin='long long', number='long long', digits=long, dash=bint, size=Py_ssize_t, byte=long, start='long long',
    end='long long',
)
cpdef SinglePart only_part(bytes field, Py_ssize_t at, long long total)
@cython.locals(size='long long', low='long long', high='long long', found=list, data=bytes)
cpdef list cut(list pieces, long long offset, long long start, long long end)
