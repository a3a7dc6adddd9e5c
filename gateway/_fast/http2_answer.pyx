# cython: language_level=3, boundscheck=False, wraparound=False
"""Heads and trailers of answers over HTTP/2 from upstreams: the fields that a decoder read, checked as nginx does.

A head is what HTTP/1's parser would make of it: the same object, with fields trimmed alike and known by the same kinds.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t
from libc.string cimport memcmp

from gateway._fast.hpack cimport Decoder, Span
from gateway._fast.header_line cimport fold_hash
from gateway._fast.http1_response cimport ResponseHead, kind_of

from gateway._fast.errors import HeadError
from gateway._fast.http1_response import KINDS

cdef enum:
    EARLY_HINTS = 103

cdef tuple NAMES = KINDS
cdef int CONTENT_LENGTH = NAMES.index(b"content-length") + 1
cdef tuple NO_BODY = (b"content-length", b"0")


cdef str text(const uint8_t *p, Py_ssize_t n):
    return PyBytes_FromStringAndSize(<const char *> p, n).decode("utf-8", "surrogateescape")


cdef refused(str message):
    return HeadError(502, message, level="error")


cdef int check(const uint8_t *name, Py_ssize_t n, const uint8_t *value, Py_ssize_t size) except -1:
    """What nginx calls an invalid header. Errors: HeadError."""
    cdef bint good = n > 0
    cdef Py_ssize_t i
    for i in range(n):
        if name[i] <= 0x20 or name[i] == 0x7f or name[i] == 0x3a or 0x41 <= name[i] <= 0x5a:
            good = False
    for i in range(size):
        if value[i] == 0 or value[i] == 0x0a or value[i] == 0x0d:
            good = False
    if not good:
        raise refused(f'upstream sent invalid header: "{text(name, n)}: {text(value, size)}"')
    return 0


cdef tuple pair(const uint8_t *name, Py_ssize_t n, int kind, const uint8_t *value, Py_ssize_t size):
    return (
        <bytes> NAMES[kind - 1] if kind else PyBytes_FromStringAndSize(<const char *> name, n),
        PyBytes_FromStringAndSize(<const char *> value, size),
    )


cpdef ResponseHead answer_head(Decoder decoder, bint over, bint sizes_none=True):
    """The head of the fields that were read; `over`: no body follows, and `sizes_none`: then a length of 0 is added.

    nginx adds it for grpc_pass and not for proxy_pass, whose client gets a chunked answer. Errors: HeadError.
    """
    cdef ResponseHead head = ResponseHead.__new__(ResponseHead)
    cdef list fields = []
    cdef list kinds = []
    cdef Span *span
    cdef const uint8_t *name
    cdef const uint8_t *value
    cdef Py_ssize_t n, size
    cdef int i, kind
    cdef bint sized = False
    head.status = 0
    head.size = 16      # as it would be in HTTP/1
    for i in range(decoder.count):
        span = &decoder.spans[i]
        name = decoder.text + span.name
        n = span.name_len
        value = decoder.text + span.value
        size = span.value_len
        if n and name[0] == 0x3a:
            if n != 7 or memcmp(name, b":status", 7) != 0:
                raise refused(f'upstream sent invalid header "{text(name, n)}: {text(value, size)}"')
            if head.status:
                raise refused("upstream sent duplicate :status header")
            if size != 3 or not (48 <= value[0] <= 57 and 48 <= value[1] <= 57 and 48 <= value[2] <= 57):
                raise refused(f'upstream sent invalid :status "{text(value, size)}"')
            head.status = (value[0] - 48) * 100 + (value[1] - 48) * 10 + value[2] - 48
            if head.status < 200 and head.status != EARLY_HINTS:
                raise refused(f'upstream sent unexpected :status "{text(value, size)}"')
            continue
        if not head.status:
            break
        check(name, n, value, size)
        head.size += n + size + 4
        while size and value[0] == 0x20:
            value += 1
            size -= 1
        while size and value[size - 1] == 0x20:
            size -= 1
        kind = kind_of(name, n, fold_hash(name, n))
        if kind == CONTENT_LENGTH:
            sized = True
        fields.append(pair(name, n, kind, value, size))
        kinds.append(kind)
    if not head.status:
        raise refused("upstream sent no :status header")
    if over:
        if head.status == EARLY_HINTS:
            raise refused("upstream prematurely closed stream")
        if sizes_none and not sized:
            fields.append(NO_BODY)
            kinds.append(CONTENT_LENGTH)
    head.version = 11
    head.status_line = b""      # there is no text: the client gets the usual one
    head.fields = fields
    head.kinds = kinds
    return head


cpdef list answer_trailers(Decoder decoder):
    """The fields behind a body. Errors: HeadError."""
    cdef list fields = []
    cdef Span *span
    cdef const uint8_t *name
    cdef const uint8_t *value
    cdef int i
    for i in range(decoder.count):
        span = &decoder.spans[i]
        name = decoder.text + span.name
        value = decoder.text + span.value
        if span.name_len and name[0] == 0x3a:
            raise refused(
                f'upstream sent invalid trailer "{text(name, span.name_len)}: {text(value, span.value_len)}"'
            )
        check(name, span.name_len, value, span.value_len)
        fields.append(pair(name, span.name_len, 0, value, span.value_len))
    return fields
