# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=False
"""The head of an HTTP/1 request, by nginx's grammar, scanned in place and as far as the bytes go.

A head holds the bytes it came in and offsets into them; objects are made when they are asked for. An error is raised at
the byte where nginx sees it. What nginx limits by buffers (client_header_buffer_size, large_client_header_buffers) is
counted as if there were buffers: the scan stops where nginx's would be full.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy

from gateway._fast.header_line cimport (
    LINE_AGAIN, LINE_BAD, LINE_END, LINE_OK, HeaderLine, fold_hash, quoted, same_name, same_variable, scan_header_line,
)

from gateway._fast.errors import HeadError
from gateway._fast.uri import normalize

cdef enum:
    LF = 10
    CR = 13

# Where the scan of the request line stands; each phase is a loop, so that a line can be taken up anywhere.
cdef enum:
    R_START = 0
    R_METHOD
    R_SPACES
    R_SCHEMA
    R_SCHEMA_SLASH
    R_SCHEMA_SLASH_2
    R_CONNECT_SPACES
    R_HOST_START
    R_HOST
    R_LITERAL
    R_HOST_END
    R_PORT_START
    R_PORT
    R_AFTER_SLASH
    R_PATH
    R_TAIL
    R_AFTER_URI
    R_PROTOCOL
    R_MAJOR
    R_MAJOR_NEXT
    R_MINOR
    R_MINOR_NEXT
    R_TRAILING
    R_CR
    R_HEADERS
    R_DONE

cdef enum:
    SCAN_AGAIN = 0
    SCAN_OK = 1
    BAD_METHOD = 2
    BAD_REQUEST = 3
    BAD_VERSION = 4
    BAD_09_METHOD = 5

cdef tuple LINE_ERRORS = (
    None, None,
    (400, "client sent invalid method"),
    (400, "client sent invalid request"),
    (505, "client sent invalid version"),
    (400, "client sent invalid method in HTTP/0.9 request"),
)

cdef enum:
    K_HOST = 1
    K_CONNECTION
    K_IF_MODIFIED_SINCE
    K_IF_UNMODIFIED_SINCE
    K_IF_MATCH
    K_IF_NONE_MATCH
    K_USER_AGENT
    K_REFERER
    K_CONTENT_LENGTH
    K_CONTENT_RANGE
    K_CONTENT_TYPE
    K_RANGE
    K_IF_RANGE
    K_TRANSFER_ENCODING
    K_TE
    K_EXPECT
    K_UPGRADE
    K_ACCEPT_ENCODING
    K_VIA
    K_AUTHORIZATION
    K_PROXY_AUTHORIZATION
    K_KEEP_ALIVE
    K_X_FORWARDED_FOR
    K_X_REAL_IP
    K_ACCEPT
    K_ACCEPT_LANGUAGE
    K_COOKIE
    K_END

# Name, its number, and whether nginx refuses a second one (ngx_http_headers_in).
cdef tuple KNOWN = (
    (b"host", K_HOST, True),
    (b"connection", K_CONNECTION, False),
    (b"if-modified-since", K_IF_MODIFIED_SINCE, True),
    (b"if-unmodified-since", K_IF_UNMODIFIED_SINCE, True),
    (b"if-match", K_IF_MATCH, True),
    (b"if-none-match", K_IF_NONE_MATCH, True),
    (b"user-agent", K_USER_AGENT, False),
    (b"referer", K_REFERER, False),
    (b"content-length", K_CONTENT_LENGTH, True),
    (b"content-range", K_CONTENT_RANGE, True),
    (b"content-type", K_CONTENT_TYPE, False),
    (b"range", K_RANGE, False),
    (b"if-range", K_IF_RANGE, True),
    (b"transfer-encoding", K_TRANSFER_ENCODING, True),
    (b"te", K_TE, False),
    (b"expect", K_EXPECT, True),
    (b"upgrade", K_UPGRADE, False),
    (b"accept-encoding", K_ACCEPT_ENCODING, False),
    (b"via", K_VIA, False),
    (b"authorization", K_AUTHORIZATION, True),
    (b"proxy-authorization", K_PROXY_AUTHORIZATION, True),
    (b"keep-alive", K_KEEP_ALIVE, False),
    (b"x-forwarded-for", K_X_FORWARDED_FOR, False),
    (b"x-real-ip", K_X_REAL_IP, False),
    (b"accept", K_ACCEPT, False),
    (b"accept-language", K_ACCEPT_LANGUAGE, False),
    (b"cookie", K_COOKIE, False),
)

cdef struct KnownName:
    uint32_t hash
    uint32_t len
    uint8_t name[24]
    int which
    bint unique

cdef enum:
    KNOWN_TABLE = 128

cdef KnownName known_table[KNOWN_TABLE]

# The bytes that need no look in a path: neither control nor one of space # % + . / ?
cdef uint8_t USUAL[256]
cdef uint8_t METHOD[256]        # A-Z _ -
cdef uint8_t SCHEMA[256]
cdef uint8_t HOST[256]          # in a request line
cdef uint8_t LITERAL[256]       # inside [ ]
cdef uint8_t NAME[256]          # in a Host field: unreserved, sub-delims, %

cdef bytes GET = b"GET"
cdef bytes HEAD = b"HEAD"
cdef bytes POST = b"POST"
cdef bytes SLASH = b"/"


cdef void fill_tables():
    cdef int c
    cdef uint32_t slot
    cdef bytes name
    alnum = set(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    for c in range(256):
        USUAL[c] = c > 0x20 and c != 0x7f and c not in b"#%+./?"
        METHOD[c] = 65 <= c <= 90 or c in b"_-"
        SCHEMA[c] = c in alnum or c in b"+-."
        HOST[c] = c in alnum or c in b".-"
        LITERAL[c] = c in alnum or c in b":-._~!$&'()*+,;="
        NAME[c] = c in alnum or c in b"-._~!$&'()*+,;=%"
    for c in range(KNOWN_TABLE):
        known_table[c].which = 0
    for name, which, unique in KNOWN:
        slot = fold_hash(<const uint8_t *> PyBytes_AS_STRING(name), len(name))
        c = slot % KNOWN_TABLE
        while known_table[c].which:
            c = (c + 1) % KNOWN_TABLE
        known_table[c].hash = slot
        known_table[c].len = <uint32_t> len(name)
        memcpy(known_table[c].name, PyBytes_AS_STRING(name), len(name))
        known_table[c].which = which
        known_table[c].unique = unique


fill_tables()


cdef inline KnownName *find_known(const uint8_t *name, Py_ssize_t n, uint32_t hash) noexcept:
    cdef uint32_t slot = hash % KNOWN_TABLE
    while known_table[slot].which:
        if known_table[slot].hash == hash and known_table[slot].len == n \
                and same_name(name, known_table[slot].name, n):
            return &known_table[slot]
        slot = (slot + 1) % KNOWN_TABLE
    return NULL


cdef bint contains_word(const uint8_t *text, Py_ssize_t n, const char *word, Py_ssize_t m) noexcept:
    """Whether the lower-case word is anywhere in the text, whatever its case (nginx looks for "close" so)."""
    cdef Py_ssize_t i
    for i in range(n - m + 1):
        if text[i] | 0x20 == <uint8_t> word[0] and same_name(text + i, <const uint8_t *> word, m):
            return True
    return False


cdef bytes clean_host(const uint8_t *h, Py_ssize_t n, int *port_out):
    """A host as nginx keeps it (ngx_http_validate_host): lower-case, without the port and one last dot; None if bad."""
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t size
    cdef Py_ssize_t dot = -2
    cdef int port = 0
    cdef bint literal = n > 0 and h[0] == 91
    cdef bint upper = False
    cdef bytes name
    cdef char *out
    if literal:
        i = 1
        while i < n and LITERAL[h[i]]:
            if h[i] == 46:
                if dot == i - 1:
                    return None
                dot = i
            elif 65 <= h[i] <= 90:
                upper = True
            i += 1
        if i >= n or h[i] != 93:
            return None
        i += 1
    else:
        while i < n and NAME[h[i]]:
            if h[i] == 46:
                if dot == i - 1:
                    return None
                dot = i
            elif 65 <= h[i] <= 90:
                upper = True
            i += 1
    size = i
    if i < n:
        if h[i] != 58:
            return None
        i += 1
        while i < n:
            if not 48 <= h[i] <= 57:
                return None
            port = port * 10 + (h[i] - 48)
            if port > 65535:
                return None
            i += 1
    if size and dot == size - 1:
        size -= 1
    if size == 0:
        return None
    port_out[0] = port
    if not upper:
        return PyBytes_FromStringAndSize(<const char *> h, size)
    # A fresh object to write into: those made from text may be shared.
    name = PyBytes_FromStringAndSize(NULL, size)
    out = PyBytes_AS_STRING(name)
    for i in range(size):
        out[i] = h[i] | 0x20 if 65 <= h[i] <= 90 else h[i]
    return name


def validate_host(host: bytes) -> tuple[bytes, int] | None:
    """The name and the port (0 without one) of a Host field or :authority, or None where nginx answers 400."""
    cdef int port = 0
    cdef bytes name = clean_host(<const uint8_t *> PyBytes_AS_STRING(host), len(host), &port)
    return None if name is None else (name, port)


cdef class HeadLimits:
    """What a server's configuration says of heads; the defaults are nginx's."""

    def __init__(
        self, *, header_buffer_size=1024, large_buffers=(4, 8192), max_headers=1000, ignore_invalid_headers=True,
        underscores_in_headers=False, merge_slashes=True, allow_connect=False,
    ):
        self.header_buffer_size = header_buffer_size
        self.large_buffers, self.large_buffer_size = large_buffers
        self.max_headers = max_headers
        self.ignore_invalid_headers = ignore_invalid_headers
        self.underscores_in_headers = underscores_in_headers
        self.merge_slashes = merge_slashes
        self.allow_connect = allow_connect


cdef HeadLimits DEFAULT_LIMITS = HeadLimits()


@cython.final
@cython.freelist(64)
cdef class RequestHead:
    """A request's line and fields. Fields that nginx knows are attributes (None if absent, the first if repeated)."""

    def __cinit__(self):
        self.spans = self.inline_fields
        self.room = INLINE_FIELDS
        self.content_length = -1
        self.hostname = b""
        self.method = b""
        self.data = b""

    def __dealloc__(self):
        if self.spans != self.inline_fields:
            free(self.spans)

    cdef const uint8_t *base(self) noexcept:
        return <const uint8_t *> PyBytes_AS_STRING(self.data) + self.origin

    cdef bytes span(self, Py_ssize_t start, Py_ssize_t end):
        # A line that was refused half-way has starts without ends.
        if end <= start:
            return b""
        return PyBytes_FromStringAndSize(<const char *> self.base() + start, end - start)

    cdef bytes known(self, int which):
        cdef Field *field
        if self.first[which] == 0:
            return None
        field = &self.spans[self.first[which] - 1]
        return self.span(field.value, field.value + field.value_len)

    # --- the request line

    @property
    def version(self):
        """9, 10, 11: the protocol's version times ten."""
        if self.http_major == 0:
            return 9
        return self.http_major * 10 + (self.http_minor if self.http_minor < 10 else 9)

    @property
    def request_line(self):
        """$request: the line, or what came of it when it is not complete."""
        cdef const uint8_t *p
        cdef Py_ssize_t i, end
        if self._line is None:
            p = self.base()
            if self.line_complete:
                self._line = self.span(self.line_start, self.line_end)
            else:
                i = self.line_start
                end = PyBytes_GET_SIZE(self.data) - self.origin
                while i < end and p[i] != CR and p[i] != LF:
                    i += 1
                return self.span(self.line_start, i)
        return self._line

    @property
    def target(self):
        """$request_uri: the URI as sent, without schema and host."""
        return self.span(self.uri_start, self.uri_end)

    @property
    def uri(self):
        """$uri before any rewrite: the path, decoded."""
        if self._uri is None:
            self._uri = self.span(self.uri_start, self.args_start - 1 if self.args_start else self.uri_end)
        return self._uri

    @property
    def args(self):
        """$args before any rewrite; b"" without."""
        if self._args is None:
            self._args = self.span(self.args_start, self.uri_end) if self.args_start else b""
        return self._args

    @property
    def exten(self):
        """What follows the last dot of the last path segment; b"" without."""
        if self._exten is None:
            if self.ext_start:
                self._exten = self.span(self.ext_start, self.args_start - 1 if self.args_start else self.uri_end)
            else:
                self._exten = b""
        return self._exten

    @property
    def protocol(self):
        """$server_protocol as sent: b"HTTP/1.1", or b"" for HTTP/0.9."""
        return self.span(self.proto_start, self.line_end) if self.proto_start else b""

    @property
    def schema(self):
        """Of a URI in absolute form; b"" otherwise."""
        return self.span(self.schema_start, self.schema_end)

    @property
    def absolute_host(self):
        """Host and port as they stand in a URI of absolute form, or None."""
        return self.span(self.host_start, self.host_end) if self.host_end else None

    # --- sizes

    @property
    def size(self):
        """The bytes of the head from where the scan began, the empty lines before it included."""
        return self.pos

    @property
    def end(self):
        """Where in `data` the body, or the next request, begins."""
        return self.origin + self.pos

    @property
    def length(self):
        """The head's part of $request_length."""
        return self.pos - self.line_start

    # --- the fields

    def get(self, name: bytes) -> bytes | None:
        """The first value of the field with this lower-case name."""
        cdef const uint8_t *lower = <const uint8_t *> PyBytes_AS_STRING(name)
        cdef const uint8_t *p = self.base()
        cdef Py_ssize_t n = PyBytes_GET_SIZE(name)
        cdef uint32_t hash = fold_hash(lower, n)
        cdef Field *field
        cdef int i
        for i in range(self.count):
            field = &self.spans[i]
            if field.hash == hash and field.name_len == n and same_name(p + field.name, lower, n):
                return self.span(field.value, field.value + field.value_len)
        return None

    def get_all(self, name: bytes) -> list:
        """All values of the fields with this lower-case name, in order."""
        cdef const uint8_t *lower = <const uint8_t *> PyBytes_AS_STRING(name)
        cdef const uint8_t *p = self.base()
        cdef Py_ssize_t n = PyBytes_GET_SIZE(name)
        cdef uint32_t hash = fold_hash(lower, n)
        cdef Field *field
        cdef list values = []
        cdef int i
        for i in range(self.count):
            field = &self.spans[i]
            if field.hash == hash and field.name_len == n and same_name(p + field.name, lower, n):
                values.append(self.span(field.value, field.value + field.value_len))
        return values

    def combined(self, name: bytes) -> bytes | None:
        """All values of the fields with this lower-case name in one: cookies with "; ", others with ", "."""
        cdef list values = self.get_all(name)
        if not values:
            return None
        if len(values) == 1:
            return values[0]
        return (b"; " if name == b"cookie" else b", ").join(values)

    def variable(self, name: bytes) -> bytes | None:
        """$http_name: the name in lower case, with _ for each -; several values become one."""
        cdef const uint8_t *folded = <const uint8_t *> PyBytes_AS_STRING(name)
        cdef const uint8_t *p = self.base()
        cdef Py_ssize_t n = PyBytes_GET_SIZE(name)
        cdef uint32_t hash = fold_hash(folded, n)
        cdef Field *field
        cdef bytes value = None
        cdef list values = None
        cdef int i
        for i in range(self.count):
            field = &self.spans[i]
            if field.hash == hash and field.name_len == n and same_variable(p + field.name, folded, n):
                if value is None:
                    value = self.span(field.value, field.value + field.value_len)
                else:
                    if values is None:
                        values = [value]
                    values.append(self.span(field.value, field.value + field.value_len))
        if values is not None:
            return (b"; " if name == b"cookie" else b", ").join(values)
        return value

    def fields(self) -> list:
        """(name as sent, value) of each field, in order."""
        cdef Field *field
        cdef list pairs = []
        cdef int i
        for i in range(self.count):
            field = &self.spans[i]
            pairs.append((
                self.span(field.name, field.name + field.name_len),
                self.span(field.value, field.value + field.value_len),
            ))
        return pairs

    @property
    def keep_alive(self):
        """Whether the client would go on: its Connection field, or its version."""
        if self.connection_close:
            return False
        return self.connection_keep_alive or self.http_major * 100 + self.http_minor > 100

    @property
    def expect_100(self):
        cdef Field *field
        if self.first[K_EXPECT] == 0 or self.http_major * 100 + self.http_minor <= 100:
            return False
        field = &self.spans[self.first[K_EXPECT] - 1]
        return field.value_len == 12 and same_name(self.base() + field.value, b"100-continue", 12)

    @property
    def host(self):
        """The Host field as sent; `hostname` is what it means."""
        return self.known(K_HOST)

    @property
    def connection(self):
        return self.known(K_CONNECTION)

    @property
    def if_modified_since(self):
        return self.known(K_IF_MODIFIED_SINCE)

    @property
    def if_unmodified_since(self):
        return self.known(K_IF_UNMODIFIED_SINCE)

    @property
    def if_match(self):
        return self.known(K_IF_MATCH)

    @property
    def if_none_match(self):
        return self.known(K_IF_NONE_MATCH)

    @property
    def if_range(self):
        return self.known(K_IF_RANGE)

    @property
    def range(self):
        return self.known(K_RANGE)

    @property
    def user_agent(self):
        return self.known(K_USER_AGENT)

    @property
    def referer(self):
        return self.known(K_REFERER)

    @property
    def content_type(self):
        return self.known(K_CONTENT_TYPE)

    @property
    def te(self):
        return self.known(K_TE)

    @property
    def expect(self):
        return self.known(K_EXPECT)

    @property
    def upgrade(self):
        return self.known(K_UPGRADE)

    @property
    def accept(self):
        return self.known(K_ACCEPT)

    @property
    def accept_language(self):
        return self.known(K_ACCEPT_LANGUAGE)

    @property
    def accept_encoding(self):
        return self.known(K_ACCEPT_ENCODING)

    @property
    def via(self):
        return self.known(K_VIA)

    @property
    def authorization(self):
        return self.known(K_AUTHORIZATION)

    @property
    def keep_alive_field(self):
        return self.known(K_KEEP_ALIVE)

    @property
    def x_forwarded_for(self):
        return self.known(K_X_FORWARDED_FOR)

    @property
    def x_real_ip(self):
        return self.known(K_X_REAL_IP)

    @property
    def cookie(self):
        return self.known(K_COOKIE)

    # --- the scan

    cdef bint advance(self, object on_host) except -1:
        """Go on with what is in data; True when the head is complete."""
        cdef const uint8_t *p = self.base()
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.data) - self.origin
        cdef Py_ssize_t end
        cdef int rc
        while self.phase < R_HEADERS:
            end = size if size < self.buffer_end else self.buffer_end
            rc = self.scan_line(p, end)
            if rc == SCAN_AGAIN:
                if self.pos < self.buffer_end:
                    return False
                self.grow()
                continue
            if rc != SCAN_OK:
                # nginx sets $uri and $args of a whole line only
                self.uri_end = self.uri_start
                self.args_start = self.ext_start = self.proto_start = 0
                error = LINE_ERRORS[rc]
                raise self.refuse(error[0], error[1])
            self.line_complete = True
            self.phase = R_HEADERS
            self.line_done(on_host)
            if self.complete:
                return True
            self.line.pos = self.pos
            self.line.name = self.pos
        while True:
            end = size if size < self.buffer_end else self.buffer_end
            rc = scan_header_line(&self.line, p, end, self.limits.underscores_in_headers, False)
            self.pos = self.line.pos
            if rc == LINE_OK:
                self.add_field(p, on_host)
            elif rc == LINE_AGAIN:
                if self.pos < self.buffer_end:
                    return False
                self.grow()
            elif rc == LINE_END:
                self.finish(on_host)
                return True
            else:
                raise self.refuse(400, "client sent invalid header line: " + text(quoted(p, &self.line)))

    cdef bint grow(self) except -1:
        """The buffer is full: take a large one for the line at hand, if the server allows (414 or 494)."""
        cdef Py_ssize_t start, shown
        cdef bint in_line = self.phase < R_HEADERS
        cdef bint between = (self.phase == R_START) if in_line else (self.line.phase == 0)
        if in_line and between:
            # Nothing but empty lines: nginx starts over in the same buffer.
            self.buffer_end = self.pos + self.limits.header_buffer_size
            return True
        start = self.line_start if in_line else self.line.name
        if self.buffers_used < self.limits.large_buffers \
                and (between or self.pos - start < self.limits.large_buffer_size):
            self.buffers_used += 1
            self.buffer_end = (self.pos if between else start) + self.limits.large_buffer_size
            return True
        if in_line:
            raise self.refuse(414, "client sent too long URI")
        if self.line.name == self.pos:
            raise self.refuse(494, "client sent too large request", True)
        # nginx quotes no more than fits its log line.
        shown = min(self.buffer_end, start + 1748)
        raise self.refuse(
            494, 'client sent too long header line: "' + text(self.span(start, shown)) + '..."', True
        )

    cdef object refuse(self, int status, str message, bint lingering=False):
        action = "reading client request headers" if self.line_complete else "reading client request line"
        return HeadError(status, message, self, action=action, lingering=lingering)

    cdef int scan_line(self, const uint8_t *p, Py_ssize_t end) noexcept:
        cdef Py_ssize_t i = self.pos
        cdef uint8_t c
        cdef int phase = self.phase
        cdef int rc = SCAN_AGAIN

        while i < end:
            c = p[i]
            if phase == R_AFTER_SLASH:
                if USUAL[c]:
                    phase = R_PATH
                elif c == 46 or c == 47 or c == 35:
                    self.complex_uri = True
                    phase = R_TAIL
                elif c == 37:
                    self.quoted_uri = True
                    phase = R_TAIL
                elif c == 63:
                    self.args_start = i + 1
                    phase = R_TAIL
                elif c == 43:
                    self.plus_in_uri = True
                else:
                    # a space or a line's end, or refused
                    phase = R_TAIL
                    continue

            elif phase == R_PATH:
                while USUAL[c]:
                    i += 1
                    if i == end:
                        break
                    c = p[i]
                if i == end:
                    break
                if c == 47:
                    self.ext_start = 0
                    phase = R_AFTER_SLASH
                elif c == 46:
                    self.ext_start = i + 1
                elif c == 63:
                    self.args_start = i + 1
                    phase = R_TAIL
                elif c == 37:
                    self.quoted_uri = True
                    phase = R_TAIL
                elif c == 43:
                    self.plus_in_uri = True
                elif c == 35:
                    self.complex_uri = True
                    phase = R_TAIL
                else:
                    phase = R_TAIL
                    continue

            elif phase == R_TAIL:
                while c > 0x20 and c != 0x7f:
                    if c == 35:
                        self.complex_uri = True
                    i += 1
                    if i == end:
                        break
                    c = p[i]
                if i == end:
                    break
                if c == 32:
                    phase = R_AFTER_URI
                elif c == CR or c == LF:
                    phase = R_AFTER_URI
                    self.uri_end = i
                    continue
                else:
                    rc = BAD_REQUEST
                    break
                self.uri_end = i

            elif phase == R_METHOD:
                while METHOD[c]:
                    i += 1
                    if i == end:
                        break
                    c = p[i]
                if i == end:
                    break
                if c != 32:
                    rc = BAD_METHOD
                    break
                self.method_end = i
                phase = R_SPACES
                if i - self.line_start == 7 and memcmp(p + self.line_start, b"CONNECT", 7) == 0:
                    self.is_connect = True
                    phase = R_CONNECT_SPACES

            elif phase == R_SPACES:
                if c == 47:
                    self.uri_start = i
                    phase = R_AFTER_SLASH
                elif 97 <= c | 0x20 <= 122:
                    self.schema_start = i
                    phase = R_SCHEMA
                elif c != 32:
                    rc = BAD_REQUEST
                    break

            elif phase == R_START:
                self.line_start = i
                if c != CR and c != LF:
                    if not METHOD[c]:
                        rc = BAD_METHOD
                        break
                    phase = R_METHOD

            elif phase == R_AFTER_URI:
                if c == 72:
                    self.proto_start = i
                    phase = R_PROTOCOL
                elif c == CR or c == LF:
                    self.http_minor = 9
                    self.line_end = i
                    if c == LF:
                        rc = SCAN_OK
                        i += 1
                        break
                    phase = R_CR
                elif c != 32:
                    rc = BAD_REQUEST
                    break

            elif phase == R_PROTOCOL:
                if c != (<const uint8_t *> b"HTTP/")[i - self.proto_start]:
                    rc = BAD_REQUEST
                    break
                if c == 47:
                    if self.is_connect:
                        # nginx gives CONNECT the path "/" so
                        self.uri_start = i
                        self.uri_end = i + 1
                    phase = R_MAJOR

            elif phase == R_MAJOR:
                if not 49 <= c <= 57:
                    rc = BAD_REQUEST
                    break
                if c != 49:
                    rc = BAD_VERSION
                    break
                self.http_major = 1
                phase = R_MAJOR_NEXT

            elif phase == R_MAJOR_NEXT:
                if c != 46:
                    rc = BAD_VERSION if 48 <= c <= 57 else BAD_REQUEST
                    break
                phase = R_MINOR

            elif phase == R_MINOR:
                if not 48 <= c <= 57:
                    rc = BAD_REQUEST
                    break
                self.http_minor = c - 48
                phase = R_MINOR_NEXT

            elif phase == R_MINOR_NEXT or phase == R_TRAILING:
                if c == CR or c == LF:
                    self.line_end = i
                    if c == LF:
                        rc = SCAN_OK
                        i += 1
                        break
                    phase = R_CR
                elif c == 32:
                    phase = R_TRAILING
                elif phase == R_TRAILING or not 48 <= c <= 57 or self.http_minor > 99:
                    rc = BAD_REQUEST
                    break
                else:
                    self.http_minor = self.http_minor * 10 + (c - 48)

            elif phase == R_CR:
                if c != LF:
                    rc = BAD_REQUEST
                    break
                rc = SCAN_OK
                i += 1
                break

            elif phase == R_SCHEMA:
                if c == 58:
                    self.schema_end = i
                    phase = R_SCHEMA_SLASH
                elif not SCHEMA[c]:
                    rc = BAD_REQUEST
                    break

            elif phase == R_SCHEMA_SLASH or phase == R_SCHEMA_SLASH_2:
                if c != 47:
                    rc = BAD_REQUEST
                    break
                phase += 1
                if phase == R_CONNECT_SPACES:
                    phase = R_HOST_START

            elif phase == R_CONNECT_SPACES or phase == R_HOST_START:
                if c != 32 or phase == R_HOST_START:
                    self.host_start = i
                    if c == 91:
                        phase = R_LITERAL
                    else:
                        phase = R_HOST
                        continue

            elif phase == R_HOST or phase == R_HOST_END:
                if phase == R_HOST and HOST[c]:
                    pass
                elif c == 58:
                    phase = R_PORT_START
                elif self.is_connect:
                    rc = BAD_REQUEST
                    break
                else:
                    phase = self.host_done(c, i)
                    if phase < 0:
                        rc = BAD_REQUEST
                        break

            elif phase == R_LITERAL:
                if c == 93:
                    phase = R_HOST_END
                elif not LITERAL[c]:
                    rc = BAD_REQUEST
                    break

            elif phase == R_PORT_START or phase == R_PORT:
                if not 48 <= c <= 57:
                    if self.is_connect and (phase == R_PORT_START or c != 32):
                        rc = BAD_REQUEST
                        break
                    phase = self.host_done(c, i)
                    if phase < 0:
                        rc = BAD_REQUEST
                        break
                else:
                    phase = R_PORT

            i += 1

        self.pos = i
        if phase >= 0:
            self.phase = phase
        if rc == SCAN_OK and self.http_major == 0 \
                and (self.method_end - self.line_start != 3 or memcmp(p + self.line_start, b"GET", 3) != 0):
            return BAD_09_METHOD
        return rc

    cdef int host_done(self, uint8_t c, Py_ssize_t i) noexcept:
        """The host of a URI in absolute form ends at i: what follows, or -1."""
        self.host_end = i
        if c == 47:
            self.uri_start = i
            return R_AFTER_SLASH
        if c == 63 and not self.is_connect:
            self.uri_start = i
            self.args_start = i + 1
            self.empty_path = True
            return R_TAIL
        if c == 32:
            # the path is "/": the first slash after the schema
            self.uri_start = self.schema_end + 1
            self.uri_end = self.schema_end + 2
            return R_AFTER_URI
        return -1

    cdef int line_done(self, object on_host) except -1:
        cdef const uint8_t *p = self.base()
        cdef Py_ssize_t n = self.method_end - self.line_start
        cdef bytes name
        cdef int port = 0
        if n == 3 and memcmp(p + self.line_start, b"GET", 3) == 0:
            self.method = GET
        elif n == 4 and memcmp(p + self.line_start, b"POST", 4) == 0:
            self.method = POST
        elif n == 4 and memcmp(p + self.line_start, b"HEAD", 4) == 0:
            self.method = HEAD
        else:
            self.method = self.span(self.line_start, self.method_end)
        if self.complex_uri or self.quoted_uri or self.empty_path:
            try:
                self._uri, self._args, self._exten = normalize(
                    self.span(self.uri_start, self.uri_end), self.limits.merge_slashes, self.empty_path
                )
            except ValueError:
                self._uri = self._args = self._exten = b""
                self.uri_end = self.uri_start
                raise self.refuse_line(400, "client sent invalid request") from None
            # an escape behind the first special byte
            if not self.quoted_uri:
                self.quoted_uri = b"%" in self.target.split(b"?", 1)[0].split(b"#", 1)[0]
            if not self.plus_in_uri:
                self.plus_in_uri = b"+" in self._uri
        elif self.uri_end == self.uri_start + 1:
            self._uri = SLASH
        if self.host_end:
            name = clean_host(p + self.host_start, self.host_end - self.host_start, &port)
            if name is None:
                raise self.refuse_line(400, "client sent invalid host in request line")
            self.hostname = name
            self.port = port
            self.choose(on_host)
        if self.http_major == 0:
            if not self.hostname:
                self.choose(on_host)
            self.complete = True
            self.phase = R_DONE
        return 0

    cdef object refuse_line(self, int status, str message):
        return HeadError(status, message, self, action="reading client request line")

    cdef int choose(self, object on_host) except -1:
        """The host is known: the caller may pick a server, and with it other limits."""
        if on_host is None:
            return 0
        try:
            limits = on_host(self.hostname, self)
        except HeadError as error:
            if error.head is None:
                error.head = self
            raise
        if limits is not None:
            self.limits = limits
        return 0

    cdef int add_field(self, const uint8_t *p, object on_host) except -1:
        cdef HeaderLine *line = &self.line
        cdef KnownName *known
        cdef Field *field
        cdef Field *previous
        cdef Field *grown
        cdef bytes name
        cdef int port = 0
        if line.invalid and self.limits.ignore_invalid_headers:
            if self.notes is None:
                self.notes = []
            self.notes.append('client sent invalid header line: "' + text(p[line.name:line.value_end]) + '"')
            return 0
        if self.count >= self.limits.max_headers:
            raise self.refuse(494, "client sent too many header lines", True)
        if self.count == self.room:
            grown = <Field *> malloc(2 * self.room * sizeof(Field)) if self.spans == self.inline_fields \
                else <Field *> realloc(self.spans, 2 * self.room * sizeof(Field))
            if grown == NULL:
                raise MemoryError
            if self.spans == self.inline_fields:
                memcpy(grown, self.inline_fields, self.count * sizeof(Field))
            self.spans = grown
            self.room *= 2
        field = &self.spans[self.count]
        self.count += 1
        field.name = <uint32_t> line.name
        field.name_len = <uint32_t> (line.name_end - line.name)
        field.value = <uint32_t> line.value
        field.value_len = <uint32_t> (line.value_end - line.value)
        field.hash = line.hash
        field.known = 0
        known = find_known(p + line.name, field.name_len, line.hash)
        if known == NULL:
            return 0
        field.known = known.which
        if self.first[known.which] == 0:
            self.first[known.which] = self.count
        elif known.unique:
            previous = &self.spans[self.first[known.which] - 1]
            raise self.refuse(400, 'client sent duplicate %s: "%s: %s", previous value: "%s: %s"' % (
                "host header" if known.which == K_HOST else "header line",
                text(self.span(field.name, field.name + field.name_len)),
                text(self.span(field.value, field.value + field.value_len)),
                text(self.span(previous.name, previous.name + previous.name_len)),
                text(self.span(previous.value, previous.value + previous.value_len)),
            ))
        if known.which == K_HOST:
            name = clean_host(p + field.value, field.value_len, &port)
            if name is None:
                raise self.refuse(400, "client sent invalid host header")
            if not self.hostname:
                self.hostname = name
                self.port = port
                self.choose(on_host)
        elif known.which == K_CONNECTION:
            if contains_word(p + field.value, field.value_len, b"close", 5):
                self.connection_close = True
                self.connection_keep_alive = False
            elif contains_word(p + field.value, field.value_len, b"keep-alive", 10):
                self.connection_keep_alive = True
                self.connection_close = False
        return 0

    cdef int finish(self, object on_host) except -1:
        """The checks nginx makes when all fields are there."""
        cdef const uint8_t *p = self.base()
        cdef Field *field
        cdef int64_t length = 0
        cdef uint32_t i
        cdef int version = self.http_major * 1000 + self.http_minor
        if not self.hostname:
            self.choose(on_host)
        if self.first[K_HOST] == 0 and version > 1000:
            raise self.refuse(400, 'client sent HTTP/1.1 request without "Host" header')
        if self.first[K_CONTENT_LENGTH]:
            field = &self.spans[self.first[K_CONTENT_LENGTH] - 1]
            for i in range(field.value_len):
                if not 48 <= p[field.value + i] <= 57 or length > (0x7fffffffffffffff - (p[field.value + i] - 48)) // 10:
                    length = -1
                    break
                length = length * 10 + (p[field.value + i] - 48)
            if length < 0 or field.value_len == 0:
                raise self.refuse(400, 'client sent invalid "Content-Length" header')
            self.content_length = length
        if self.first[K_TRANSFER_ENCODING]:
            if version < 1001:
                raise self.refuse(400, 'client sent HTTP/1.0 request with "Transfer-Encoding" header')
            field = &self.spans[self.first[K_TRANSFER_ENCODING] - 1]
            if field.value_len != 7 or not same_name(p + field.value, b"chunked", 7):
                raise self.refuse(501, 'client sent unknown "Transfer-Encoding": "%s"' % text(
                    self.span(field.value, field.value + field.value_len)))
            if self.first[K_CONTENT_LENGTH]:
                raise self.refuse(
                    400, 'client sent "Content-Length" and "Transfer-Encoding" headers at the same time')
            self.chunked = True
        if self.is_connect:
            if version != 1001 or not self.limits.allow_connect:
                raise self.refuse(405, "client sent CONNECT method")
            if self.content_length > 0 or self.chunked:
                raise self.refuse(400, "client sent CONNECT request with body")
        elif self.method == b"TRACE":
            raise self.refuse(405, "client sent TRACE method")
        self.complete = True
        self.phase = R_DONE
        return 0


cdef str text(bytes data):
    """Bytes of a peer in a message; config.text turns them back."""
    return data.decode("utf-8", "surrogateescape")


cdef inline RequestHead new_head(bytes data, Py_ssize_t offset, HeadLimits limits):
    cdef RequestHead head = RequestHead.__new__(RequestHead)
    head.data = data
    head.origin = offset
    head.limits = limits
    head.buffer_end = limits.header_buffer_size
    return head


def parse_head(data: bytes, offset: int = 0, limits: HeadLimits = None, on_host=None) -> RequestHead | None:
    """The head that begins at offset, or None when it is not all there yet; HeadError where nginx refuses.

    `on_host(hostname, head)` is called once, when the server can be chosen, and may return other limits. Nothing is kept
    of an incomplete head: RequestParser goes on where it stopped.
    """
    cdef RequestHead head = new_head(data, offset, DEFAULT_LIMITS if limits is None else limits)
    return head if head.advance(on_host) else None


@cython.final
cdef class RequestParser:
    """A head that comes in pieces: feed() until it returns the head; `head` is what there is so far."""

    def __init__(self, limits: HeadLimits = None, on_host=None):
        self.limits = DEFAULT_LIMITS if limits is None else limits
        self.on_host = on_host

    def feed(self, data: bytes, offset: int = 0) -> RequestHead | None:
        cdef RequestHead head = self.head
        cdef Py_ssize_t start = offset
        if head is None or head.complete:
            head = new_head(data, start, self.limits)
            self.head = head
        else:
            head.data = head.data[head.origin:] + (data[start:] if start else data)
            head.origin = 0
        if head.advance(self.on_host):
            return head
        if head.phase == R_START and head.pos:
            # empty lines before the request are not kept
            head.data = b""
            head.origin = 0
            head.buffer_end -= head.pos
            head.pos = head.line_start = 0
        return None
