# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=False
"""A request's head as http1 scanned it: the bytes it came in, offsets into them, objects when they are asked for."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memcmp

from gateway._fast.header_line cimport fold_hash, same_name, same_variable
from gateway._fast.known_fields cimport *

cdef enum:
    LF = 10
    CR = 13


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

    cpdef bint has_path(self) noexcept:
        """False for "http://host?args"."""
        return not self.line.empty_path

    cpdef Py_ssize_t room_left(self) noexcept:
        """How much of a body nginx would have beside the head, in the same buffer."""
        return self.buffer_end - self.pos if self.buffer_end > self.pos else 0

    @property
    def request_line(self):
        """$request: the line, or what came of it when it is not complete."""
        return self.get_request_line()

    cpdef bytes get_request_line(self):
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
        return self.get_target()

    cpdef bytes get_target(self):
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
        return self.get_protocol()

    cpdef bytes get_protocol(self):
        cdef const uint8_t *p = self.base() + self.line.proto_start
        if not self.line.proto_start:
            return b""
        if self.line.end - self.line.proto_start == 8 and memcmp(p, b"HTTP/1.1", 8) == 0:
            return b"HTTP/1.1"
        return self.span(self.line.proto_start, self.line.end)

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
        """The head's part of $request_length: of one that was refused, its whole lines."""
        return self.get_length()

    cpdef Py_ssize_t get_length(self) noexcept:
        if self.complete:
            return self.pos - self.line.start
        if not self.line_complete:
            return 0
        return (self.pos if self.field_line.phase == 0 else self.field_line.name) - self.line.start

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

    cpdef bytes get_te(self):
        return self.known(K_TE)

    cpdef bytes get_upgrade(self):
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

    cpdef bytes get_authorization(self):
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
