# The types of http2_fields.py's compiled form.
cimport cython

from gateway._fast.hpack cimport Decoder
from gateway._fast.http2_writer cimport FieldWriter
from gateway._fast.request_head cimport RequestHead

cdef long _EARLY_HINTS
cdef FieldWriter _OUT


@cython.locals(out=FieldWriter, name=bytes, value=bytes)
cpdef bytes request_block(
    bytes method, bint secure, bytes target, bytes authority, list fields, RequestHead head=*, frozenset hidden=*
)

@cython.locals(parts=list, status=long, sized=bint, name=bytes, value=bytes)
cpdef bytes head_text(Decoder decoder, bint over)

@cython.locals(name=bytes, value=bytes)
cpdef list trailers_of(Decoder decoder)

@cython.locals(good=bint, byte=cython.uchar)
cpdef check_field(bytes name, bytes value)
