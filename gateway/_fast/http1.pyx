# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=False
"""The head of an HTTP/1 request, by nginx's grammar, scanned in place and as far as the bytes go.

A head holds the bytes it came in and offsets into them; objects are made when they are asked for. An error is raised at
the byte where nginx sees it. What nginx limits by buffers (client_header_buffer_size, large_client_header_buffers) is
counted as if there were buffers: the scan stops where nginx's would be full.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport malloc, realloc
from libc.string cimport memcmp, memcpy

from gateway._fast.header_line cimport (
    LINE_AGAIN, LINE_END, LINE_OK, HeaderLine, fold_hash, quoted, same_name, scan_header_line,
)
from gateway._fast.host cimport clean_host
from gateway._fast.known_fields cimport *
from gateway._fast.request_head cimport Field, HeadLimits, RequestHead
from gateway._fast.request_line cimport BAD_09_METHOD, SCAN_AGAIN, SCAN_OK, scan_request_line

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

cdef HeadLimits default_limits = HeadLimits()


cdef bint contains_word(const uint8_t *text, Py_ssize_t n, const char *word, Py_ssize_t m) noexcept:
    """Whether the lower-case word is anywhere in the text, whatever its case (nginx looks for "close" so)."""
    cdef Py_ssize_t i
    for i in range(n - m + 1):
        if text[i] | 0x20 == <uint8_t> word[0] and same_name(text + i, <const uint8_t *> word, m):
            return True
    return False


# -- the scan

cdef bint advance(RequestHead head, object on_host) except -1:
    """Go on with what is in data; True when the head is complete."""
    cdef const uint8_t *p = head.base()
    cdef Py_ssize_t size = PyBytes_GET_SIZE(head.data) - head.origin
    cdef Py_ssize_t end
    cdef int rc
    while not head.line_complete:
        end = size if size < head.buffer_end else head.buffer_end
        rc = scan_request_line(&head.line, p, end)
        head.pos = head.line.pos
        if rc == SCAN_AGAIN:
            if head.pos < head.buffer_end:
                return False
            grow(head)
            continue
        if rc != SCAN_OK:
            if rc == BAD_09_METHOD:
                head.version = 9
            # nginx sets $uri and $args of a whole line only
            head.line.uri_end = head.line.uri_start
            head.line.args_start = head.line.ext_start = head.line.proto_start = 0
            error = LINE_ERRORS[rc]
            raise refuse(head, error[0], error[1])
        head.line_complete = True
        line_done(head, on_host)
        if head.complete:
            return True
        head.field_line.pos = head.pos
        head.field_line.name = head.pos
    while True:
        end = size if size < head.buffer_end else head.buffer_end
        rc = scan_header_line(&head.field_line, p, end, head.limits.underscores_in_headers, False)
        head.pos = head.field_line.pos
        if rc == LINE_OK:
            add_field(head, p, on_host)
        elif rc == LINE_AGAIN:
            if head.pos < head.buffer_end:
                return False
            grow(head)
        elif rc == LINE_END:
            head.field_line.phase = 0       # whatever is found now, all of the head was read
            finish(head, on_host)
            return True
        else:
            raise refuse(head, 400, "client sent invalid header line: " + text(quoted(p, &head.field_line)))


cdef bint grow(RequestHead head) except -1:
    """The buffer is full: take a large one for the line at hand, if the server allows (414 or 494)."""
    cdef Py_ssize_t start, shown
    cdef bint in_line = not head.line_complete
    cdef bint between = (head.line.phase == 0) if in_line else (head.field_line.phase == 0)
    if in_line and between:
        # Nothing but empty lines: nginx starts over in the same buffer.
        head.buffer_end = head.pos + head.limits.header_buffer_size
        return True
    start = head.line.start if in_line else head.field_line.name
    if head.buffers_used < head.limits.large_buffers \
            and (between or head.pos - start < head.limits.large_buffer_size):
        head.buffers_used += 1
        head.buffer_end = (head.pos if between else start) + head.limits.large_buffer_size
        return True
    if in_line:
        raise refuse(head, 414, "client sent too long URI")
    if head.field_line.name == head.pos:
        raise refuse(head, 494, "client sent too large request", True)
    # nginx quotes no more than fits its log line.
    shown = min(head.buffer_end, start + 1748)
    raise refuse(head, 494, f'client sent too long header line: "{text(head.span(start, shown))}..."', True)


cdef object refuse(RequestHead head, int status, str message, bint lingering=False):
    action = "reading client request headers" if head.line_complete else "reading client request line"
    return HeadError(status, message, head, action=action, lingering=lingering)


cdef bytes known_method(const uint8_t *p, Py_ssize_t n):
    """The method's bytes; of the frequent ones, those that are here already."""
    if n == 3 and memcmp(p, b"GET", 3) == 0:
        return GET
    if n == 4 and memcmp(p, b"POST", 4) == 0:
        return POST
    if n == 4 and memcmp(p, b"HEAD", 4) == 0:
        return HEAD
    return PyBytes_FromStringAndSize(<const char *> p, n)


cdef int line_done(RequestHead head, object on_host) except -1:
    cdef const uint8_t *p = head.base()
    cdef bytes name
    cdef int port = 0
    head.method = known_method(p + head.line.start, head.line.method_end - head.line.start)
    if head.line.major == 0:
        head.version = 9
    else:
        head.version = head.line.major * 10 + (head.line.minor if head.line.minor < 10 else 9)
    head.keep_alive = head.line.major * 100 + head.line.minor > 100
    read_uri(head)
    if head.line.host_end:
        name = clean_host(p + head.line.host_start, head.line.host_end - head.line.host_start, &port)
        if name is None:
            raise refuse_line(head, 400, "client sent invalid host in request line")
        head.hostname = name
        head.port = port
        choose(head, on_host)
    if head.line.major == 0:
        if not head.hostname:
            choose(head, on_host)
        head.complete = True
        return 0


cdef int read_uri(RequestHead head) except -1:
    """Decode and normalise the path of the line that was scanned, where there is anything to do."""
    if head.line.complex_uri or head.line.quoted_uri or head.line.empty_path:
        try:
            head._uri, head._args, head._exten = normalize(
                head.span(head.line.uri_start, head.line.uri_end), head.limits.merge_slashes, head.line.empty_path
            )
        except ValueError:
            head._uri = head._args = head._exten = b""
            head.line.uri_end = head.line.uri_start
            raise refuse_line(head, 400, "client sent invalid request") from None
        # an escape behind the first special byte
        if not head.line.quoted_uri:
            head.line.quoted_uri = b"%" in head.target.split(b"?", 1)[0].split(b"#", 1)[0]
        if not head.line.plus_in_uri:
            head.line.plus_in_uri = b"+" in head._uri
    elif head.line.uri_end == head.line.uri_start + 1:
        head._uri = SLASH
    return 0


cdef object refuse_line(RequestHead head, int status, str message):
    return HeadError(status, message, head, action="reading client request line")


cdef int choose(RequestHead head, object on_host) except -1:
    """The host is known: the caller may pick a server, and with it other limits."""
    if on_host is None:
        return 0
    try:
        limits = on_host(head.hostname, head)
    except HeadError as error:
        if error.head is None:
            error.head = head
        raise
    if limits is not None:
        head.limits = limits
    return 0


cdef int add_field(RequestHead head, const uint8_t *p, object on_host) except -1:
    cdef HeaderLine *line = &head.field_line
    if line.invalid and head.limits.ignore_invalid_headers:
        if head.notes is None:
            head.notes = []
        head.notes.append('client sent invalid header line: "' + text(p[line.name:line.value_end]) + '"')
        return 0
    if head.count >= head.limits.max_headers:
        raise refuse(head, 494, "client sent too many header lines", True)
    keep_field(head, p, on_host)
    return 0


cdef int keep_field(RequestHead head, const uint8_t *p, object on_host) except -1:
    """Take the field of field_line in, and what it means if nginx knows its name."""
    cdef HeaderLine *line = &head.field_line
    cdef KnownName *known
    cdef Field *field
    cdef Field *previous
    cdef Field *grown
    cdef bytes name
    cdef int port = 0
    if head.count == head.room:
        grown = <Field *> malloc(2 * head.room * sizeof(Field)) if head.spans == head.inline_fields \
            else <Field *> realloc(head.spans, 2 * head.room * sizeof(Field))
        if grown == NULL:
            raise MemoryError
        if head.spans == head.inline_fields:
            memcpy(grown, head.inline_fields, head.count * sizeof(Field))
        head.spans = grown
        head.room *= 2
    field = &head.spans[head.count]
    head.count += 1
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
    if head.first[known.which] == 0:
        head.first[known.which] = head.count
    elif known.unique:
        head.count -= 1  # of the two, only the first one counts
        previous = &head.spans[head.first[known.which] - 1]
        raise refuse(head, 400, 'client sent duplicate %s: "%s: %s", previous value: "%s: %s"' % (
            "host header" if known.which == K_HOST else "header line",
            text(head.span(field.name, field.name + field.name_len)),
            text(head.span(field.value, field.value + field.value_len)),
            text(head.span(previous.name, previous.name + previous.name_len)),
            text(head.span(previous.value, previous.value + previous.value_len)),
        ))
    if known.which == K_HOST:
        name = clean_host(p + field.value, field.value_len, &port)
        if name is None:
            raise refuse(head, 400, "client sent invalid host header")
        if not head.hostname:
            head.hostname = name
            head.port = port
            choose(head, on_host)
    elif known.which == K_RANGE:
        head.has_range = True
    elif known.which == K_EXPECT:
        head.has_expect = True
    elif known.which in (K_IF_MODIFIED_SINCE, K_IF_NONE_MATCH, K_IF_MATCH, K_IF_UNMODIFIED_SINCE):
        head.conditional = True
    elif known.which == K_CONNECTION:
        if contains_word(p + field.value, field.value_len, b"close", 5):
            head.connection_close = True
            head.keep_alive = False
        elif contains_word(p + field.value, field.value_len, b"keep-alive", 10):
            head.keep_alive = True
            head.connection_close = False
    return 0


cdef int finish(RequestHead head, object on_host) except -1:
    """The checks nginx makes when all fields are there."""
    cdef const uint8_t *p = head.base()
    cdef Field *field
    cdef int version = head.line.major * 1000 + head.line.minor
    if not head.hostname:
        choose(head, on_host)
    if head.first[K_HOST] == 0 and version > 1000:
        raise refuse(head, 400, 'client sent HTTP/1.1 request without "Host" header')
    if head.first[K_CONTENT_LENGTH]:
        read_length(head, p)
    if head.first[K_TRANSFER_ENCODING]:
        if version < 1001:
            raise refuse(head, 400, 'client sent HTTP/1.0 request with "Transfer-Encoding" header')
        field = &head.spans[head.first[K_TRANSFER_ENCODING] - 1]
        if field.value_len != 7 or not same_name(p + field.value, b"chunked", 7):
            raise refuse(head, 501, 'client sent unknown "Transfer-Encoding": "%s"' % text(
                head.span(field.value, field.value + field.value_len)))
        if head.first[K_CONTENT_LENGTH]:
            raise refuse(head, 400, 'client sent "Content-Length" and "Transfer-Encoding" headers at the same time')
        head.chunked = True
    if head.line.connect:
        # Whatever becomes of it: what the client sends next is meant for the tunnel, and no request.
        head.keep_alive = False
        if version != 1001 or not head.limits.allow_connect:
            raise refuse(head, 405, "client sent CONNECT method")
        if head.content_length > 0 or head.chunked:
            raise refuse(head, 400, "client sent CONNECT request with body")
    elif head.method == b"TRACE":
        raise refuse(head, 405, "client sent TRACE method")
    head.complete = True
    return 0


cdef int read_length(RequestHead head, const uint8_t *p) except -1:
    cdef Field *field = &head.spans[head.first[K_CONTENT_LENGTH] - 1]
    cdef int64_t most = 0x7fffffffffffffff
    cdef int64_t length = 0
    cdef int64_t digit
    cdef uint32_t i
    for i in range(field.value_len):
        digit = p[field.value + i] - 48
        if not 0 <= digit <= 9 or (length >= most // 10 and (length > most // 10 or digit > 7)):
            length = -1
            break
        length = length * 10 + digit
    if length < 0 or field.value_len == 0:
        raise refuse(head, 400, 'client sent invalid "Content-Length" header')
    head.content_length = length
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


cpdef RequestHead with_fields(RequestHead head, list fields):
    """The same head with these fields, (name, value) in order, in place of its own.

    The line, how long the body is and how the connection goes on stay as the client said them. HeadError for what
    nginx would refuse, as a Host with a slash.
    """
    cdef RequestHead changed = RequestHead.__new__(RequestHead)
    cdef HeaderLine *line = &changed.field_line
    cdef Py_ssize_t at = head.pos
    cdef bytes name, value
    cdef list pieces = [head.data[head.origin:head.origin + at]]
    for name, value in fields:
        pieces.append(name)
        pieces.append(value)
    changed.data = b"".join(pieces)
    changed.line = head.line
    changed.limits, changed.server, changed.notes, changed.method = head.limits, head.server, head.notes, head.method
    changed.version, changed.pos, changed.line_complete = head.version, head.pos, head.line_complete
    changed.buffer_end, changed.buffers_used = head.buffer_end, head.buffers_used
    changed._uri, changed._args, changed._exten, changed._line = head._uri, head._args, head._exten, head._line
    for name, value in fields:
        line.name, line.name_end = at, at + PyBytes_GET_SIZE(name)
        line.value, line.value_end = line.name_end, line.name_end + PyBytes_GET_SIZE(value)
        line.hash = fold_hash(changed.base() + at, PyBytes_GET_SIZE(name))
        at = line.value_end
        keep_field(changed, changed.base(), None)
    if not changed.hostname:
        changed.hostname, changed.port = head.hostname, head.port
    changed.content_length, changed.chunked = head.content_length, head.chunked
    changed.keep_alive, changed.connection_close = head.keep_alive, head.connection_close
    changed.complete = True
    return changed


cpdef RequestHead parse_head(bytes data, Py_ssize_t offset=0, HeadLimits limits=None, object on_host=None):
    """The head that begins at offset, or None when it is not all there yet; HeadError where nginx refuses.

    `on_host(hostname, head)` is called once, when the server can be chosen, and may return other limits. Nothing is
    kept of an incomplete head: RequestParser goes on where it stopped.
    """
    cdef RequestHead head = new_head(data, offset, default_limits if limits is None else limits)
    return head if advance(head, on_host) else None


@cython.final
cdef class RequestParser:
    """A head that comes in pieces: feed() until it returns the head; `head` is what there is so far."""

    def __init__(self, limits: HeadLimits = None, on_host=None):
        self.limits = default_limits if limits is None else limits
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
        if advance(head, self.on_host):
            return head
        if head.line.phase == 0 and head.pos:
            # empty lines before the request are not kept
            head.data = b""
            head.origin = 0
            head.buffer_end -= head.pos
            head.pos = head.line.pos = head.line.start = 0
        return None
