# The types of core_variables.py's compiled form.
cimport cython

from gateway._fast.cut cimport decimal, thousandths
from gateway._fast.request_head cimport RequestHead
from gateway._fast.value cimport Value
from gateway.http.client cimport Client
from gateway.http.request cimport Request

cdef tuple _STATUS_TEXT
cdef dict _addresses


cdef class _LocalTime:
    cdef readonly long second
    cdef readonly bytes local
    cdef readonly bytes iso

    cpdef _LocalTime at(self, long second)

@cython.locals(main=Request)
cpdef long long request_length(Request request) except? -1
cpdef bytes _sent_connection(Request request)
@cython.locals(length='long long')
cpdef bytes _sent_content_length(Request request)
@cython.locals(client=Client, text=bytes, packed=bytes)
cpdef bytes _binary_remote_addr(Request request)
@cython.locals(status=long)
cpdef bytes _status(Request request)
@cython.locals(sent='long long')
cpdef bytes _body_bytes_sent(Request request)
cpdef bytes _bytes_sent(Request request)
@cython.locals(client=Client, elapsed=double)
cpdef bytes _request_time(Request request)
@cython.locals(client=Client)
cpdef bytes _msec(Request request)
@cython.locals(client=Client, times=_LocalTime)
cpdef bytes _time_local(Request request)
@cython.locals(client=Client, times=_LocalTime)
cpdef bytes _time_iso8601(Request request)
@cython.locals(head=RequestHead)
cpdef bytes _remote_user(Request request)
@cython.locals(main=Request)
cpdef bytes _request_length(Request request)
cpdef bytes _request_filename(Request request)
@cython.locals(main=Request)
cpdef bytes _request_line(Request request)
cpdef bytes _is_args(Request request)
@cython.locals(client=Client)
cpdef bytes _https(Request request)
cpdef bytes _server_addr(Request request)
@cython.locals(client=Client)
cpdef bytes _connection(Request request)
@cython.locals(client=Client)
cpdef bytes _connection_requests(Request request)
cpdef bytes _pipe(Request request)


cdef class _Arg(Value):
    cdef readonly bytes name

    @cython.locals(args=bytes)
    cpdef value(self, request)


cdef class _Cookie(Value):
    cdef readonly bytes name

    cpdef value(self, request)


cdef class _SentField(Value):
    cdef readonly bytes name

    cpdef value(self, request)
