# cython: language_level=3, boundscheck=False, wraparound=False
"""Response heads: what an upstream sent, by nginx's grammar."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, memset

from gateway._fast.header_line cimport (
    LINE_AGAIN, LINE_END, LINE_OK, HeaderLine, fold_hash, quoted, same_name, same_variable, scan_header_line,
)

from gateway._fast.errors import HeadError

cdef extern from "Python.h":
    PyObject *PyTuple_GET_ITEM(tuple, Py_ssize_t)

cdef enum:
    LF = 10
    CR = 13

cdef enum:
    STATUS_AGAIN = 0
    STATUS_OK = 1
    STATUS_BAD = 2


# The fields of an answer that a gateway looks at: a field's kind is its place here plus one, 0 for any other. The first
# twelve are those of which only the first counts.
KINDS = (
    b"status", b"content-type", b"date", b"etag", b"server", b"location", b"refresh", b"x-accel-redirect",
    b"x-accel-expires", b"x-accel-limit-rate", b"last-modified", b"expires",
    b"content-length", b"transfer-encoding", b"connection", b"x-accel-buffering", b"x-accel-charset",
    b"keep-alive", b"content-encoding", b"accept-ranges", b"upgrade", b"set-cookie", b"content-disposition",
    b"cache-control",
)
cdef enum:
    KNOWN = 24
cdef tuple names_of_kinds = KINDS
cdef uint32_t hashes_of_kinds[KNOWN]


cdef int fill_kinds() except -1:
    cdef int i
    assert len(names_of_kinds) == KNOWN
    for i in range(KNOWN):
        hashes_of_kinds[i] = fold_hash(
            <const uint8_t *> PyBytes_AS_STRING(<bytes> names_of_kinds[i]), PyBytes_GET_SIZE(<bytes> names_of_kinds[i])
        )
    return 0


fill_kinds()


cdef int kind_of(const uint8_t *name, Py_ssize_t length, uint32_t hash) noexcept:
    cdef int i
    cdef PyObject *known
    for i in range(KNOWN):
        if hashes_of_kinds[i] == hash:
            known = PyTuple_GET_ITEM(names_of_kinds, i)
            if PyBytes_GET_SIZE(<bytes> known) == length and same_name(
                name, <const uint8_t *> PyBytes_AS_STRING(<bytes> known), length
            ):
                return i + 1
    return 0


@cython.final
@cython.freelist(32)
cdef class ResponseHead:
    """Status, version, fields as sent."""

    @property
    def reason(self):
        """The text after the code; b"" without."""
        return self.status_line[4:]

    def get(self, name: bytes) -> bytes | None:
        """The first value of the field with this lower-case name."""
        cdef Py_ssize_t n = PyBytes_GET_SIZE(name)
        cdef bytes sent
        for sent, value in self.fields:
            if PyBytes_GET_SIZE(sent) == n and same_name(
                <const uint8_t *> PyBytes_AS_STRING(sent), <const uint8_t *> PyBytes_AS_STRING(name), n
            ):
                return value
        return None

    def get_all(self, name: bytes) -> list:
        """All values of the fields with this lower-case name, in order."""
        cdef Py_ssize_t n = PyBytes_GET_SIZE(name)
        cdef bytes sent
        cdef list values = []
        for sent, value in self.fields:
            if PyBytes_GET_SIZE(sent) == n and same_name(
                <const uint8_t *> PyBytes_AS_STRING(sent), <const uint8_t *> PyBytes_AS_STRING(name), n
            ):
                values.append(value)
        return values

    def variable(self, name: bytes) -> bytes | None:
        """$upstream_http_name: the name in lower case, with _ for each -; several values become one."""
        cdef Py_ssize_t n = PyBytes_GET_SIZE(name)
        cdef bytes sent
        cdef list values = []
        for sent, value in self.fields:
            if PyBytes_GET_SIZE(sent) == n and same_variable(
                <const uint8_t *> PyBytes_AS_STRING(sent), <const uint8_t *> PyBytes_AS_STRING(name), n
            ):
                values.append(value)
        if not values:
            return None
        return values[0] if len(values) == 1 else b", ".join(values)


cdef int scan_status(ResponseHead head, bytes data, Py_ssize_t start, Py_ssize_t *after):
    """The line "HTTP/1.1 200 OK" as nginx reads it (ngx_http_parse_status_line)."""
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t i
    cdef Py_ssize_t code
    cdef int major = 0
    cdef int minor = 0
    cdef int digits
    for i in range(5):
        if start + i >= end:
            return STATUS_AGAIN
        if p[start + i] != (<const uint8_t *> b"HTTP/")[i]:
            return STATUS_BAD
    i = start + 5
    digits = 0
    while i < end and 48 <= p[i] <= 57:
        if (digits == 0 and p[i] == 48) or major > 99:
            return STATUS_BAD
        major = major * 10 + (p[i] - 48)
        digits += 1
        i += 1
    if i == end:
        return STATUS_AGAIN
    if digits == 0 or p[i] != 46:
        return STATUS_BAD
    i += 1
    digits = 0
    while i < end and 48 <= p[i] <= 57:
        if minor > 99:
            return STATUS_BAD
        minor = minor * 10 + (p[i] - 48)
        digits += 1
        i += 1
    if i == end:
        return STATUS_AGAIN
    if digits == 0 or p[i] != 32:
        return STATUS_BAD
    digits = 0
    head.status = 0
    while digits < 3:
        i += 1
        if i >= end:
            return STATUS_AGAIN
        if p[i] == 32:
            continue
        if not 48 <= p[i] <= 57:
            return STATUS_BAD
        head.status = head.status * 10 + (p[i] - 48)
        digits += 1
    code = i - 2
    i += 1
    if i >= end:
        return STATUS_AGAIN
    # IIS sends "403.1"
    if p[i] != 32 and p[i] != 46 and p[i] != CR and p[i] != LF:
        return STATUS_BAD
    while i < end and p[i] != CR and p[i] != LF:
        i += 1
    if i >= end:
        return STATUS_AGAIN
    if i - code == 6 and memcmp(p + code, b"200 OK", 6) == 0:
        head.status_line = b"200 OK"    # that of most answers is not made anew
    else:
        head.status_line = PyBytes_FromStringAndSize(<const char *> p + code, i - code)
    if p[i] == CR:
        i += 1
        if i >= end:
            return STATUS_AGAIN
        if p[i] != LF:
            return STATUS_BAD
    head.version = major * 10 + (minor if minor < 10 else 9)
    after[0] = i + 1
    return STATUS_OK


cpdef ResponseHead parse_response_head(bytes data, Py_ssize_t offset=0, str form="http"):
    """The head that begins at offset, None when it is not all there, HeadError(502) where nginx refuses.

    `form` says whether there is a status line: "http" (proxy; without one it is HTTP/0.9, version 9 and no head),
    "uwsgi" (may be: uwsgi, scgi), "cgi" (none: fastcgi). Without one the Status field counts, then Location (302), then
    200.
    """
    cdef ResponseHead head = ResponseHead.__new__(ResponseHead)
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t start = offset
    cdef HeaderLine line
    cdef list fields = []
    cdef list kinds = []
    cdef bytes status
    cdef int rc
    memset(&line, 0, sizeof(HeaderLine))
    line.pos = start
    if form != "cgi":
        rc = scan_status(head, data, start, &line.pos)
        if rc == STATUS_AGAIN:
            return None
        if rc == STATUS_BAD:
            if form == "http":
                # an answer of HTTP/0.9: all of it is the body
                head.fields = fields
                head.kinds = kinds
                head.status_line = b""
                head.status = head.size = 0
                head.version = 9
                return head
            head.status = 0
    while True:
        rc = scan_header_line(&line, p, end, True, True)
        if rc == LINE_OK:
            fields.append((
                PyBytes_FromStringAndSize(<const char *> p + line.name, line.name_end - line.name),
                PyBytes_FromStringAndSize(<const char *> p + line.value, line.value_end - line.value),
            ))
            kinds.append(kind_of(p + line.name, line.name_end - line.name, line.hash))
        elif rc == LINE_AGAIN:
            return None
        elif rc == LINE_END:
            break
        else:
            raise HeadError(
                502, f"upstream sent invalid header: {quoted(p, &line).decode('utf-8', 'surrogateescape')}",
                level="error",
            )
    head.fields = fields
    head.kinds = kinds
    head.size = line.pos - start
    if head.status == 0 and head.version == 0:
        status = head.get(b"status")
        if status is not None:
            if not status[:3].isdigit() or len(status) < 3:
                raise HeadError(
                    502, f'upstream sent invalid status "{status.decode("utf-8", "surrogateescape")}"', level="error"
                )
            head.status = int(status[:3])
            if len(status) > 3:
                head.status_line = status  # else there is none, and the code's usual words stand for it
        elif head.get(b"location") is not None:
            head.status = 302
            head.status_line = b"302 Moved Temporarily"
        else:
            head.status = 200
            head.status_line = b"200 OK"
    return head
