# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=False
"""A RequestHead out of the fields of an HTTP/2 request, with nginx's checks (RFC 9113, 8.3).

The head is written down as HTTP/1 would have it, and what variables and upstreams ask of it are offsets into that.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp

from gateway._fast.header_line cimport fold_hash, same_name
from gateway._fast.host cimport clean_host
from gateway._fast.http1 cimport choose, keep_field, known_method, read_length, read_uri, refuse, text
from gateway._fast.known_fields cimport *
from gateway._fast.request_head cimport Field, HeadLimits, RequestHead
from gateway._fast.request_line cimport scan_path

cdef bytes ENDING = b" HTTP/2.0\r\n"
cdef bytes COOKIE = b"cookie"

cdef enum:
    NAME_OK = 0
    NAME_ODD        # a byte that ignore_invalid_headers is about
    NAME_BAD


cdef int check_name(bytes name, bint underscores) noexcept:
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(name)
    cdef Py_ssize_t i
    cdef uint8_t c
    cdef int result = NAME_OK
    for i in range(p[0] == 58, PyBytes_GET_SIZE(name)):
        c = p[i]
        if 97 <= c <= 122 or c == 45 or 48 <= c <= 57 or (c == 95 and underscores):
            continue
        if c <= 0x20 or c == 0x7f or c == 58 or 65 <= c <= 90:
            return NAME_BAD
        result = NAME_ODD
    return result


cdef int check_field(RequestHead head, bytes name, bytes value) except -1:
    """Whether nginx refuses it (400), and else what it thinks of the name."""
    cdef const char *p = PyBytes_AS_STRING(value)
    cdef Py_ssize_t n = PyBytes_GET_SIZE(value)
    cdef int named = check_name(name, head.limits.underscores_in_headers)
    if named == NAME_BAD:
        raise refuse(head, 400, f'client sent invalid header name: "{text(name)}"')
    if memchr(p, 0, n) != NULL or memchr(p, 10, n) != NULL or memchr(p, 13, n) != NULL:
        raise refuse(head, 400, f'client sent header "{text(name)}" with invalid value: "{text(value)}"')
    return named


cdef bint is_method(bytes value) noexcept:
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(value)
    cdef Py_ssize_t i
    for i in range(PyBytes_GET_SIZE(value)):
        if not 65 <= p[i] <= 90 and p[i] != 95 and p[i] != 45:
            return False
    return True


cdef bint is_scheme(bytes value) noexcept:
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(value)
    cdef Py_ssize_t i
    for i in range(PyBytes_GET_SIZE(value)):
        if 97 <= p[i] | 0x20 <= 122 or (i and (48 <= p[i] <= 57 or p[i] == 43 or p[i] == 45 or p[i] == 46)):
            continue
        return False
    return True


cdef class Http2Head:
    """The fields of one request on their way into a head; `head` is what there is so far, whatever is refused."""

    cdef readonly RequestHead head
    cdef object on_host
    cdef bytes method, path, scheme, authority

    def __init__(self, HeadLimits limits not None, Py_ssize_t size, on_host):
        self.head = RequestHead.__new__(RequestHead)
        self.head.limits = limits
        self.head.version = 20
        self.head.line.major = 2
        self.head.line_complete = True  # what is logged says "reading client request headers"
        self.head.pos = size  # $request_length counts what came
        self.on_host = on_host

    def read(self, list fields not None):
        """Take the fields in. Errors: HeadError."""
        cdef Py_ssize_t i = 0
        cdef Py_ssize_t n = len(fields)
        cdef bytes name, value
        cdef int named = NAME_OK
        while i < n:
            name, value = fields[i]
            named = check_field(self.head, name, value)
            if PyBytes_AS_STRING(name)[0] != 58:
                break
            self.pseudo(name, value)
            i += 1
        if self.method is None or self.scheme is None or self.path is None:
            missing = "method" if self.method is None else "scheme" if self.scheme is None else "path"
            raise refuse(self.head, 400, f"client sent no :{missing} header")
        self.write_down(fields, i)
        self.take_fields(fields, i, named)

    cdef int pseudo(self, bytes name, bytes value) except -1:
        cdef RequestHead head = self.head
        cdef int port = 0
        cdef bytes host
        if name == b":path":
            self.once(name, self.path, value)
            self.path = value
        elif name == b":method":
            self.once(name, self.method, value)
            if not is_method(value):
                raise refuse(head, 400, f'client sent invalid method: "{text(value)}"')
            self.method = value
            head.method = known_method(<const uint8_t *> PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        elif name == b":scheme":
            self.once(name, self.scheme, value)
            if not is_scheme(value):
                raise refuse(head, 400, f'client sent invalid :scheme header: "{text(value)}"')
            self.scheme = value
        elif name == b":authority":
            if self.authority is not None:
                raise refuse(head, 400, 'client sent duplicate ":authority" header')
            self.authority = value
            host = clean_host(<const uint8_t *> PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), &port)
            if host is None:
                raise refuse(head, 400, 'client sent invalid ":authority" header')
            head.hostname = host
            head.port = port
            choose(head, self.on_host)
        else:
            raise refuse(head, 400, f'client sent unknown pseudo-header "{text(name)}"')
        return 0

    cdef int once(self, bytes name, bytes before, bytes value) except -1:
        if before is not None:
            raise refuse(self.head, 400, f"client sent duplicate {text(name)} header")
        if not value:
            raise refuse(self.head, 400, f"client sent empty {text(name)} header")
        return 0

    cdef int write_down(self, list fields, Py_ssize_t first) except -1:
        """The head's bytes; cookies and the Host of :authority come last, as nginx has them."""
        cdef RequestHead head = self.head
        cdef list parts = [self.method, b" ", self.path, ENDING]
        cdef list cookies = None
        cdef bytes name, value
        cdef Py_ssize_t i
        cdef bint has_host = False
        for i in range(first, len(fields)):
            name, value = fields[i]
            if name == COOKIE:
                if cookies is None:
                    cookies = []
                cookies.append(value)
                continue
            if name == b"host":
                has_host = True
            parts += (name, b": ", value, b"\r\n")
        if cookies is not None:
            parts += (COOKIE, b": ", b"; ".join(cookies), b"\r\n")
        if self.authority is not None and not has_host:
            parts += (b"host: ", self.authority, b"\r\n")
        parts += (b"\r\n", self.scheme)
        head.data = b"".join(parts)
        head.line.method_end = PyBytes_GET_SIZE(self.method)
        head.line.schema_start = PyBytes_GET_SIZE(head.data) - PyBytes_GET_SIZE(self.scheme)
        head.line.schema_end = PyBytes_GET_SIZE(head.data)
        i = head.line.method_end + 1
        if not scan_path(&head.line, head.base(), i, i + PyBytes_GET_SIZE(self.path)):
            head.line.uri_end = head.line.uri_start
            head.line.args_start = head.line.ext_start = 0
            raise refuse(head, 400, f'client sent invalid :path header: "{text(self.path)}"')
        head.line.proto_start = head.line.uri_end + 1
        head.line.end = head.line.proto_start + 8
        read_uri(head)
        return 0

    cdef int take_fields(self, list fields, Py_ssize_t first, int named) except -1:
        """Fields are taken in from where they were written down. `named`: what was found of the first one's name."""
        cdef RequestHead head = self.head
        cdef const uint8_t *p = head.base()
        cdef Py_ssize_t at = head.line.end + 2
        cdef Py_ssize_t taken = 0
        cdef bytes name, value
        cdef Py_ssize_t i
        for i in range(first, len(fields)):
            name, value = fields[i]
            if i > first:
                named = check_field(head, name, value)
                if PyBytes_AS_STRING(name)[0] == 58:
                    raise refuse(head, 400, "client sent out of order pseudo-headers")
            if name == COOKIE:
                continue
            self.place(p, at, PyBytes_GET_SIZE(name), PyBytes_GET_SIZE(value))
            at = head.field_line.value_end + 2
            if named == NAME_ODD and head.limits.ignore_invalid_headers:
                if head.notes is None:
                    head.notes = []
                head.notes.append(f'client sent invalid header: "{text(name)}"')
                continue
            if taken >= head.limits.max_headers:
                raise refuse(head, 494, "client sent too many header lines", True)
            if PyBytes_GET_SIZE(name) == 16 and memcmp(PyBytes_AS_STRING(name), b"proxy-connection", 16) == 0:
                raise refuse(head, 400, 'client sent "Proxy-Connection" header')
            taken += 1
            keep_field(head, p, self.on_host)
        while at + 2 < head.line.schema_start:
            # "cookie" or "host", and ": "
            i = at + (6 if p[at] == 99 else 4)
            self.place(p, at, i - at, <const uint8_t *> memchr(p + i, 13, head.line.schema_start - i) - p - i - 2)
            at = head.field_line.value_end + 2
            keep_field(head, p, self.on_host)
        return 0

    cdef int place(self, const uint8_t *p, Py_ssize_t at, Py_ssize_t name, Py_ssize_t value) noexcept:
        self.head.field_line.name = at
        self.head.field_line.name_end = at + name
        self.head.field_line.value = at + name + 2
        self.head.field_line.value_end = at + name + 2 + value
        self.head.field_line.hash = fold_hash(p + at, name)

    def finish(self, bint ended) -> RequestHead:
        """The checks that nginx makes when all fields are there; `ended`: no body follows. Errors: HeadError."""
        cdef RequestHead head = self.head
        cdef const uint8_t *p = head.base()
        cdef Field *field
        if head.first[K_CONNECTION]:
            raise refuse(head, 400, 'client sent "Connection" header')
        if head.first[K_KEEP_ALIVE]:
            raise refuse(head, 400, 'client sent "Keep-Alive" header')
        if head.first[K_TRANSFER_ENCODING]:
            raise refuse(head, 400, 'client sent "Transfer-Encoding" header')
        if head.first[K_UPGRADE]:
            raise refuse(head, 400, 'client sent "Upgrade" header')
        if head.first[K_TE]:
            field = &head.spans[head.first[K_TE] - 1]
            if field.value_len != 8 or not same_name(p + field.value, b"trailers", 8) or len(head.get_all(b"te")) > 1:
                raise refuse(head, 400, 'client sent invalid "TE" header')
        if not head.hostname:
            raise refuse(head, 400, 'client sent neither ":authority" nor "Host" header')
        if self.authority is not None and head.host != self.authority:
            raise refuse(head, 400, 'client sent ":authority" and "Host" headers with different values')
        if head.first[K_CONTENT_LENGTH]:
            read_length(head, p)
            if head.content_length > 0 and ended:
                raise refuse(head, 400, "client prematurely closed stream")
        elif not ended:
            head.chunked = True
        if self.method == b"CONNECT" or self.method == b"TRACE":
            raise refuse(head, 405, f"client sent {text(self.method)} method")
        head.complete = True
        return head
