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
    LINE_AGAIN, LINE_END, LINE_OK, HeaderLine, fold_hash, quoted, same_name, same_variable, scan_header_line,
)
from gateway._fast.host cimport clean_host
from gateway._fast.known_fields cimport *
from gateway._fast.request_line cimport SCAN_AGAIN, SCAN_OK, scan_request_line

from gateway._fast.errors import HeadError
from gateway._fast.uri import normalize

cdef enum:
    LF = 10
    CR = 13

cdef tuple LINE_ERRORS = (
    None, None,
    (400, "client sent invalid method"),
    (400, "client sent invalid request"),
    (505, "client sent invalid version"),
    (400, "client sent invalid method in HTTP/0.9 request"),
)

cdef bytes GET = b"GET"
cdef bytes HEAD = b"HEAD"
cdef bytes POST = b"POST"
cdef bytes SLASH = b"/"


cdef bint contains_word(const uint8_t *text, Py_ssize_t n, const char *word, Py_ssize_t m) noexcept:
    """Whether the lower-case word is anywhere in the text, whatever its case (nginx looks for "close" so)."""
    cdef Py_ssize_t i
    for i in range(n - m + 1):
        if text[i] | 0x20 == <uint8_t> word[0] and same_name(text + i, <const uint8_t *> word, m):
            return True
    return False


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

    cdef Py_ssize_t path_end(self) noexcept:
        return self.line.args_start - 1 if self.line.args_start else self.line.uri_end

    @property
    def http_major(self):
        return self.line.major

    @property
    def http_minor(self):
        return self.line.minor

    @property
    def complex_uri(self):
        """Whether the URI had dots, doubled slashes or a fragment."""
        return self.line.complex_uri

    @property
    def quoted_uri(self):
        """Whether the path had %XX."""
        return self.line.quoted_uri

    @property
    def plus_in_uri(self):
        return self.line.plus_in_uri

    @property
    def empty_path(self):
        """Whether the URI was "http://host?args"."""
        return self.line.empty_path

    @property
    def request_line(self):
        """$request: the line, or what came of it when it is not complete."""
        cdef const uint8_t *p
        cdef Py_ssize_t i, end
        if self._line is None:
            p = self.base()
            if self.line_complete:
                self._line = self.span(self.line.start, self.line.end)
            else:
                i = self.line.start
                end = PyBytes_GET_SIZE(self.data) - self.origin
                while i < end and p[i] != CR and p[i] != LF:
                    i += 1
                return self.span(self.line.start, i)
        return self._line

    @property
    def target(self):
        """$request_uri: the URI as sent, without schema and host."""
        return self.span(self.line.uri_start, self.line.uri_end)

    @property
    def uri(self):
        return self.get_uri()

    cpdef bytes get_uri(self):
        """$uri before any rewrite: the path, decoded."""
        if self._uri is None:
            self._uri = self.span(self.line.uri_start, self.path_end())
        return self._uri

    @property
    def args(self):
        return self.get_args()

    cpdef bytes get_args(self):
        """$args before any rewrite; b"" without."""
        if self._args is None:
            self._args = self.span(self.line.args_start, self.line.uri_end) if self.line.args_start else b""
        return self._args

    @property
    def exten(self):
        """What follows the last dot of the last path segment; b"" without."""
        if self._exten is None:
            if self.line.ext_start:
                self._exten = self.span(self.line.ext_start, self.path_end())
            else:
                self._exten = b""
        return self._exten

    @property
    def protocol(self):
        """$server_protocol as sent: b"HTTP/1.1", or b"" for HTTP/0.9."""
        return self.span(self.line.proto_start, self.line.end) if self.line.proto_start else b""

    @property
    def schema(self):
        """Of a URI in absolute form; b"" otherwise."""
        return self.span(self.line.schema_start, self.line.schema_end)

    @property
    def absolute_host(self):
        """Host and port as they stand in a URI of absolute form, or None."""
        return self.span(self.line.host_start, self.line.host_end) if self.line.host_end else None

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
        return self.pos - self.line.start

    # --- the fields

    cpdef bytes get(self, bytes name):
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

    cpdef bytes variable(self, bytes name):
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
    def expect_100(self):
        cdef Field *field
        if self.first[K_EXPECT] == 0 or self.line.major * 100 + self.line.minor <= 100:
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
        while not self.line_complete:
            end = size if size < self.buffer_end else self.buffer_end
            rc = scan_request_line(&self.line, p, end)
            self.pos = self.line.pos
            if rc == SCAN_AGAIN:
                if self.pos < self.buffer_end:
                    return False
                self.grow()
                continue
            if rc != SCAN_OK:
                # nginx sets $uri and $args of a whole line only
                self.line.uri_end = self.line.uri_start
                self.line.args_start = self.line.ext_start = self.line.proto_start = 0
                error = LINE_ERRORS[rc]
                raise self.refuse(error[0], error[1])
            self.line_complete = True
            self.line_done(on_host)
            if self.complete:
                return True
            self.field_line.pos = self.pos
            self.field_line.name = self.pos
        while True:
            end = size if size < self.buffer_end else self.buffer_end
            rc = scan_header_line(&self.field_line, p, end, self.limits.underscores_in_headers, False)
            self.pos = self.field_line.pos
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
                raise self.refuse(400, "client sent invalid header line: " + text(quoted(p, &self.field_line)))

    cdef bint grow(self) except -1:
        """The buffer is full: take a large one for the line at hand, if the server allows (414 or 494)."""
        cdef Py_ssize_t start, shown
        cdef bint in_line = not self.line_complete
        cdef bint between = (self.line.phase == 0) if in_line else (self.field_line.phase == 0)
        if in_line and between:
            # Nothing but empty lines: nginx starts over in the same buffer.
            self.buffer_end = self.pos + self.limits.header_buffer_size
            return True
        start = self.line.start if in_line else self.field_line.name
        if self.buffers_used < self.limits.large_buffers \
                and (between or self.pos - start < self.limits.large_buffer_size):
            self.buffers_used += 1
            self.buffer_end = (self.pos if between else start) + self.limits.large_buffer_size
            return True
        if in_line:
            raise self.refuse(414, "client sent too long URI")
        if self.field_line.name == self.pos:
            raise self.refuse(494, "client sent too large request", True)
        # nginx quotes no more than fits its log line.
        shown = min(self.buffer_end, start + 1748)
        raise self.refuse(
            494, 'client sent too long header line: "' + text(self.span(start, shown)) + '..."', True
        )

    cdef object refuse(self, int status, str message, bint lingering=False):
        action = "reading client request headers" if self.line_complete else "reading client request line"
        return HeadError(status, message, self, action=action, lingering=lingering)

    cdef int line_done(self, object on_host) except -1:
        cdef const uint8_t *p = self.base()
        cdef Py_ssize_t n = self.line.method_end - self.line.start
        cdef bytes name
        cdef int port = 0
        if n == 3 and memcmp(p + self.line.start, b"GET", 3) == 0:
            self.method = GET
        elif n == 4 and memcmp(p + self.line.start, b"POST", 4) == 0:
            self.method = POST
        elif n == 4 and memcmp(p + self.line.start, b"HEAD", 4) == 0:
            self.method = HEAD
        else:
            self.method = self.span(self.line.start, self.line.method_end)
        if self.line.major == 0:
            self.version = 9
        else:
            self.version = self.line.major * 10 + (self.line.minor if self.line.minor < 10 else 9)
        self.keep_alive = self.line.major * 100 + self.line.minor > 100
        if self.line.complex_uri or self.line.quoted_uri or self.line.empty_path:
            try:
                self._uri, self._args, self._exten = normalize(
                    self.span(self.line.uri_start, self.line.uri_end), self.limits.merge_slashes, self.line.empty_path
                )
            except ValueError:
                self._uri = self._args = self._exten = b""
                self.line.uri_end = self.line.uri_start
                raise self.refuse_line(400, "client sent invalid request") from None
            # an escape behind the first special byte
            if not self.line.quoted_uri:
                self.line.quoted_uri = b"%" in self.target.split(b"?", 1)[0].split(b"#", 1)[0]
            if not self.line.plus_in_uri:
                self.line.plus_in_uri = b"+" in self._uri
        elif self.line.uri_end == self.line.uri_start + 1:
            self._uri = SLASH
        if self.line.host_end:
            name = clean_host(p + self.line.host_start, self.line.host_end - self.line.host_start, &port)
            if name is None:
                raise self.refuse_line(400, "client sent invalid host in request line")
            self.hostname = name
            self.port = port
            self.choose(on_host)
        if self.line.major == 0:
            if not self.hostname:
                self.choose(on_host)
            self.complete = True
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
        cdef HeaderLine *line = &self.field_line
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
        elif known.which == K_RANGE:
            self.has_range = True
        elif known.which == K_EXPECT:
            self.has_expect = True
        elif known.which in (K_IF_MODIFIED_SINCE, K_IF_NONE_MATCH, K_IF_MATCH, K_IF_UNMODIFIED_SINCE):
            self.conditional = True
        elif known.which == K_CONNECTION:
            if contains_word(p + field.value, field.value_len, b"close", 5):
                self.connection_close = True
                self.keep_alive = False
            elif contains_word(p + field.value, field.value_len, b"keep-alive", 10):
                self.keep_alive = True
                self.connection_close = False
        return 0

    cdef int finish(self, object on_host) except -1:
        """The checks nginx makes when all fields are there."""
        cdef const uint8_t *p = self.base()
        cdef Field *field
        cdef int64_t length = 0
        cdef int digit
        cdef uint32_t i
        cdef int version = self.line.major * 1000 + self.line.minor
        if not self.hostname:
            self.choose(on_host)
        if self.first[K_HOST] == 0 and version > 1000:
            raise self.refuse(400, 'client sent HTTP/1.1 request without "Host" header')
        if self.first[K_CONTENT_LENGTH]:
            field = &self.spans[self.first[K_CONTENT_LENGTH] - 1]
            for i in range(field.value_len):
                digit = p[field.value + i] - 48
                if not 0 <= digit <= 9 or length > (0x7fffffffffffffff - digit) // 10:
                    length = -1
                    break
                length = length * 10 + digit
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
        if self.line.connect:
            if version != 1001 or not self.limits.allow_connect:
                raise self.refuse(405, "client sent CONNECT method")
            if self.content_length > 0 or self.chunked:
                raise self.refuse(400, "client sent CONNECT request with body")
        elif self.method == b"TRACE":
            raise self.refuse(405, "client sent TRACE method")
        self.complete = True
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


cpdef RequestHead parse_head(bytes data, Py_ssize_t offset=0, HeadLimits limits=None, object on_host=None):
    """The head that begins at offset, or None when it is not all there yet; HeadError where nginx refuses.

    `on_host(hostname, head)` is called once, when the server can be chosen, and may return other limits. Nothing is
    kept of an incomplete head: RequestParser goes on where it stopped.
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
        if head.line.phase == 0 and head.pos:
            # empty lines before the request are not kept
            head.data = b""
            head.origin = 0
            head.buffer_end -= head.pos
            head.pos = head.line.pos = head.line.start = 0
        return None
