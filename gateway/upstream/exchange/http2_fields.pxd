# The types of http2_fields.py's compiled form.
cimport cython

from gateway._fast.http2_writer cimport FieldWriter
from gateway._fast.request_head cimport RequestHead

cdef int _CONTENT_LENGTH
cdef FieldWriter _OUT


@cython.locals(out=FieldWriter, name=bytes, value=bytes)
cpdef bytes request_block(
    bytes method, bint secure, bytes target, bytes authority, list fields, RequestHead head=*, frozenset hidden=*,
    long long length=*, bint trailers=*
)
