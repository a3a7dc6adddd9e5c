# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=False
"""A RequestHead out of the fields of an HTTP/2 request, with nginx's checks (RFC 9113, 8.3).

The head is written down as HTTP/1 would have it, and what variables and upstreams ask of it are offsets into that.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp, memcpy

from gateway._fast.header_line cimport fold_hash, same_name
from gateway._fast.host cimport clean_host
from gateway._fast.hpack cimport Decoder, Span
from gateway._fast.http1 cimport choose, keep_field, known_method, read_length, read_uri, refuse
from gateway._fast.http1 cimport text as printable
from gateway._fast.known_fields cimport *
from gateway._fast.request_head cimport Field, HeadLimits, RequestHead
from gateway._fast.request_line cimport scan_path

# As long as HTTP/3's.
cdef bytes ENDING = b" HTTP/2.0\r\n"
cdef bytes ENDING_3 = b" HTTP/3.0\r\n"

cdef inline char *put(char *to, const void *from_, Py_ssize_t size) noexcept:
    memcpy(to, from_, size)
    return to + size


cdef enum:
    NAME_OK = 0
    NAME_ODD        # a byte that ignore_invalid_headers is about
    NAME_BAD


cdef int check_name(const uint8_t *p, Py_ssize_t n, bint underscores) noexcept:
    cdef Py_ssize_t i
    cdef uint8_t c
    cdef int result = NAME_OK
    for i in range(p[0] == 58, n):
        c = p[i]
        if 97 <= c <= 122 or c == 45 or 48 <= c <= 57 or (c == 95 and underscores):
            continue
        if c <= 0x20 or c == 0x7f or c == 58 or 65 <= c <= 90:
            return NAME_BAD
        result = NAME_ODD
    return result


cdef int check_field(RequestHead head, const uint8_t *text, Span *span) except -1:
    """Whether nginx refuses it (400), and else what it thinks of the name."""
    cdef const uint8_t *value = text + span.value
    cdef Py_ssize_t n = span.value_len
    cdef int named = NAME_OK
    cdef Py_ssize_t i
    if not span.index:
        named = check_name(text + span.name, span.name_len, head.limits.underscores_in_headers)
        if named == NAME_BAD:
            raise refuse(head, 400, f'client sent invalid header name: "{shown(text + span.name, span.name_len)}"')
    for i in range(n):
        if value[i] <= 13 and (value[i] == 0 or value[i] == 10 or value[i] == 13):
            name = shown(text + span.name, span.name_len)
            raise refuse(head, 400, f'client sent header "{name}" with invalid value: "{shown(value, n)}"')
    return named


cdef str shown(const uint8_t *p, Py_ssize_t n):
    return printable(PyBytes_FromStringAndSize(<const char *> p, n))


cdef bint is_name(const uint8_t *text, Span *span, const char *name, Py_ssize_t n) noexcept:
    return span.name_len == n and memcmp(text + span.name, name, n) == 0


cdef bint is_method(const uint8_t *p, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i
    for i in range(n):
        if not 65 <= p[i] <= 90 and p[i] != 95 and p[i] != 45:
            return False
    return True


cdef bint is_scheme(const uint8_t *p, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i
    for i in range(n):
        if 97 <= p[i] | 0x20 <= 122 or (i and (48 <= p[i] <= 57 or p[i] == 43 or p[i] == 45 or p[i] == 46)):
            continue
        return False
    return True


@cython.final
cdef bint repeated(RequestHead head, int which) noexcept:
    """Whether there is more than one field of this known name."""
    cdef int i
    for i in range(head.first[which], head.count):
        if head.spans[i].known == <uint32_t> which:
            return True
    return False


cdef class Http2Head:
    """The fields of one request on their way into a head; `head` is what there is so far, whatever is refused."""

    def __init__(self, HeadLimits limits not None, Py_ssize_t size, on_host, int version=20):
        """`version`: 20, or 30: there :authority is no Host field, and who reads a body finds it too short."""
        self.head = RequestHead.__new__(RequestHead)
        self.head.limits = limits
        self.head.version = version
        self.head.line.major = version // 10
        self.head.line_complete = True  # what is logged says "reading client request headers"
        self.head.pos = size  # $request_length counts what came
        self.on_host = on_host

    cpdef read(self, Decoder decoder):
        """Take in the fields that the decoder has. Errors: HeadError."""
        cdef const uint8_t *text = decoder.text
        cdef Span *spans = decoder.spans
        cdef int n = decoder.count
        cdef int i = 0
        cdef int named = NAME_OK
        self.text = text
        while i < n:
            named = check_field(self.head, text, &spans[i])
            if text[spans[i].name] != 58:
                break
            self.pseudo(text, &spans[i])
            i += 1
        if self.method == NULL or self.scheme == NULL or self.path == NULL:
            missing = "method" if self.method == NULL else "scheme" if self.scheme == NULL else "path"
            raise refuse(self.head, 400, f"client sent no :{missing} header")
        self.write_down(text, spans, i, n)
        self.take_fields(text, spans, i, n, named)

    cdef int pseudo(self, const uint8_t *text, Span *span) except -1:
        cdef RequestHead head = self.head
        cdef const uint8_t *value = text + span.value
        cdef Py_ssize_t size = span.value_len
        cdef int port = 0
        cdef bytes host
        if is_name(text, span, ":path", 5):
            self.once("path", self.path, size)
            self.path = span
        elif is_name(text, span, ":method", 7):
            self.once("method", self.method, size)
            if not is_method(value, size):
                raise refuse(head, 400, f'client sent invalid method: "{shown(value, size)}"')
            self.method = span
            head.method = known_method(value, size)
        elif is_name(text, span, ":scheme", 7):
            self.once("scheme", self.scheme, size)
            if not is_scheme(value, size):
                raise refuse(head, 400, f'client sent invalid :scheme header: "{shown(value, size)}"')
            self.scheme = span
        elif is_name(text, span, ":authority", 10):
            if self.authority != NULL:
                raise refuse(head, 400, 'client sent duplicate ":authority" header')
            self.authority = span
            host = clean_host(value, size, &port)
            if host is None:
                raise refuse(head, 400, 'client sent invalid ":authority" header')
            head.hostname = host
            head.port = port
            choose(head, self.on_host)
        else:
            raise refuse(
                head, 400, f'client sent unknown pseudo-header "{shown(text + span.name, span.name_len)}"'
            )
        return 0

    cdef int once(self, str name, Span *before, Py_ssize_t size) except -1:
        if before != NULL:
            raise refuse(self.head, 400, f"client sent duplicate :{name} header")
        if not size:
            raise refuse(self.head, 400, f"client sent empty :{name} header")
        return 0

    cdef int write_down(self, const uint8_t *text, Span *spans, int first, int n) except -1:
        """The head's bytes; cookies and the Host of :authority come last, as nginx has them."""
        cdef RequestHead head = self.head
        cdef Py_ssize_t size = self.method.value_len + 1 + self.path.value_len + PyBytes_GET_SIZE(ENDING)
        cdef Py_ssize_t cookies = 0
        cdef bint has_host = False
        cdef bytes ending
        cdef char *to
        cdef int i
        for i in range(first, n):
            if is_name(text, &spans[i], "cookie", 6):
                cookies += spans[i].value_len + 2  # "; ", or its line's end
                continue
            if is_name(text, &spans[i], "host", 4):
                has_host = True
            size += spans[i].name_len + spans[i].value_len + 4
        if cookies:
            size += 8 + cookies
        if self.authority != NULL and not has_host:
            size += 8 + self.authority.value_len
        size += 2 + self.scheme.value_len
        head.data = PyBytes_FromStringAndSize(NULL, size)
        to = PyBytes_AS_STRING(head.data)
        to = put(to, text + self.method.value, self.method.value_len)
        to = put(to, b" ", 1)
        to = put(to, text + self.path.value, self.path.value_len)
        ending = ENDING_3 if head.version == 30 else ENDING
        to = put(to, PyBytes_AS_STRING(ending), PyBytes_GET_SIZE(ending))
        for i in range(first, n):
            if is_name(text, &spans[i], "cookie", 6):
                continue
            to = put(to, text + spans[i].name, spans[i].name_len)
            to = put(to, b": ", 2)
            to = put(to, text + spans[i].value, spans[i].value_len)
            to = put(to, b"\r\n", 2)
        if cookies:
            to = put(to, b"cookie: ", 8)
            for i in range(first, n):
                if is_name(text, &spans[i], "cookie", 6):
                    to = put(to, text + spans[i].value, spans[i].value_len)
                    to = put(to, b"; ", 2)
            put(to - 2, b"\r\n", 2)
        if self.authority != NULL and not has_host:
            to = put(to, b"host: ", 6)
            to = put(to, text + self.authority.value, self.authority.value_len)
            to = put(to, b"\r\n", 2)
        to = put(to, b"\r\n", 2)
        put(to, text + self.scheme.value, self.scheme.value_len)
        head.line.method_end = self.method.value_len
        head.line.schema_start = size - self.scheme.value_len
        head.line.schema_end = size
        size = head.line.method_end + 1
        if not scan_path(&head.line, head.base(), size, size + self.path.value_len):
            head.line.uri_end = head.line.uri_start
            head.line.args_start = head.line.ext_start = 0
            value = shown(text + self.path.value, self.path.value_len)
            raise refuse(head, 400, f'client sent invalid :path header: "{value}"')
        head.line.proto_start = head.line.uri_end + 1
        head.line.end = head.line.proto_start + 8
        read_uri(head)
        return 0

    cdef int take_fields(self, const uint8_t *text, Span *spans, int first, int n, int named) except -1:
        """Fields are taken in from where they were written down. `named`: what was found of the first one's name."""
        cdef RequestHead head = self.head
        cdef const uint8_t *p = head.base()
        cdef Py_ssize_t at = head.line.end + 2
        cdef Py_ssize_t taken = 0
        cdef const uint8_t *line_end
        cdef bint is_host
        cdef Span *span
        cdef Py_ssize_t end
        cdef int i
        for i in range(first, n):
            span = &spans[i]
            if i > first:
                named = check_field(head, text, span)
                if text[span.name] == 58:
                    raise refuse(head, 400, "client sent out of order pseudo-headers")
            if is_name(text, span, "cookie", 6):
                continue
            self.place(p, at, span.name_len, span.value_len)
            at = head.field_line.value_end + 2
            if named == NAME_ODD and head.limits.ignore_invalid_headers:
                if head.notes is None:
                    head.notes = []
                head.notes.append(f'client sent invalid header: "{shown(text + span.name, span.name_len)}"')
                continue
            if taken >= head.limits.max_headers:
                raise refuse(head, 494, "client sent too many header lines", True)
            if is_name(text, span, "proxy-connection", 16):
                raise refuse(head, 400, 'client sent "Proxy-Connection" header')
            taken += 1
            keep_field(head, p, self.on_host)
        while at + 2 < head.line.schema_start:
            # "cookie" or "host", and ": "
            is_host = p[at] != 99
            end = at + (4 if is_host else 6)
            line_end = <const uint8_t *> memchr(p + end, 13, head.line.schema_start - end)
            self.place(p, at, end - at, line_end - p - end - 2)
            at = head.field_line.value_end + 2
            if is_host and head.version == 30:
                continue  # to nginx no field of HTTP/3: $http_host is empty, and only who reads the bytes sees it
            keep_field(head, p, self.on_host)
        return 0

    cdef int place(self, const uint8_t *p, Py_ssize_t at, Py_ssize_t name, Py_ssize_t value) noexcept:
        self.head.field_line.name = at
        self.head.field_line.name_end = at + name
        self.head.field_line.value = at + name + 2
        self.head.field_line.value_end = at + name + 2 + value
        self.head.field_line.hash = fold_hash(p + at, name)
        return 0

    cpdef RequestHead finish(self, bint ended):
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
            if field.value_len != 8 or not same_name(p + field.value, b"trailers", 8) or repeated(head, K_TE):
                raise refuse(head, 400, 'client sent invalid "TE" header')
        if not head.hostname:
            raise refuse(head, 400, 'client sent neither ":authority" nor "Host" header')
        if self.authority != NULL and head.first[K_HOST]:  # HTTP/3 may have none
            field = &head.spans[head.first[K_HOST] - 1]
            if field.value_len != self.authority.value_len or memcmp(
                p + field.value, self.text + self.authority.value, field.value_len
            ) != 0:
                raise refuse(head, 400, 'client sent ":authority" and "Host" headers with different values')
        if head.first[K_CONTENT_LENGTH]:
            read_length(head, p)
            if head.content_length > 0 and ended and head.version == 20:
                raise refuse(head, 400, "client prematurely closed stream")
        elif not ended:
            head.chunked = True
        if head.method == b"CONNECT" or head.method == b"TRACE":
            raise refuse(head, 405, f"client sent {printable(head.method)} method")
        head.complete = True
        return head
