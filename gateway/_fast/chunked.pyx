# cython: language_level=3, boundscheck=False, wraparound=False
"""A chunked body (RFC 9112, section 7.1), taken apart as it comes; no bare line feeds, any extension, as in nginx."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from gateway._fast.header_line cimport LINE_AGAIN, LINE_END, LINE_OK, HeaderLine, quoted, scan_header_line

from gateway._fast.errors import HeadError

cdef enum:
    LF = 10
    CR = 13

cdef enum:
    SIZE_START = 0
    SIZE
    EXTENSION
    EXTENSION_LF
    DATA
    DATA_CR
    DATA_LF
    LAST_EXTENSION
    LAST_LF
    TRAILER
    TRAILER_END_LF
    TRAILER_TEXT
    TRAILER_LF
    KEPT_TRAILERS
    FINISHED
    BROKEN

cdef int64_t MOST = 0x7fffffffffffffff


cdef inline int hex_digit(uint8_t c) noexcept:
    if 48 <= c <= 57:
        return c - 48
    c |= 0x20
    if 97 <= c <= 102:
        return c - 87
    return -1


@cython.final
cdef class ChunkedDecoder:
    """feed() what came; `max_size` (0: none) is client_max_body_size, refused as soon as a chunk's size is seen.

    Trailers are read over, as nginx does with a client's, or kept in `trailers` (proxy_pass_trailers), up to
    `max_trailers` bytes. With `upstream` the errors are those of a bad response.
    """

    cdef readonly int64_t received      # bytes of the body until now
    cdef readonly list trailers
    cdef readonly bint done
    cdef int64_t max_size
    cdef int64_t left                   # of the chunk at hand
    cdef Py_ssize_t max_trailers
    cdef bint keep_trailers
    cdef bint upstream
    cdef int state
    cdef bytes kept
    cdef HeaderLine line

    def __init__(self, *, max_size=0, keep_trailers=False, max_trailers=4096, upstream=False):
        self.max_size = max_size
        self.keep_trailers = keep_trailers
        self.max_trailers = max_trailers
        self.upstream = upstream
        self.trailers = []
        self.kept = b""
        memset(&self.line, 0, sizeof(HeaderLine))

    def limit(self, max_size: int) -> None:
        """From now on no more than this; 0: as much as comes."""
        self.max_size = max_size

    def feed(self, data: bytes, offset: int = 0) -> tuple[list, bool, bytes]:
        """(slices of the body, whether it is complete, what follows it)."""
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(data)
        cdef Py_ssize_t end = PyBytes_GET_SIZE(data)
        cdef Py_ssize_t i = offset
        cdef Py_ssize_t n
        cdef int state = self.state
        cdef int digit
        cdef uint8_t c
        cdef list slices = []

        while i < end:
            if state == DATA:
                n = end - i
                if n > self.left:
                    n = <Py_ssize_t> self.left
                if n == PyBytes_GET_SIZE(data):
                    slices.append(data)
                else:
                    slices.append(PyBytes_FromStringAndSize(<const char *> p + i, n))
                i += n
                self.left -= n
                self.received += n
                if self.left == 0:
                    state = DATA_CR
                continue
            if state >= KEPT_TRAILERS:
                break
            c = p[i]
            i += 1
            if state == SIZE:
                digit = hex_digit(c)
                if digit >= 0:
                    if self.left > MOST // 16:
                        raise self.broken()
                    self.left = self.left * 16 + digit
                    if self.left > MOST - 9:
                        raise self.broken()
                elif c == CR:
                    state = EXTENSION_LF if self.left else LAST_LF
                elif c == 59 or c == 32 or c == 9:
                    state = EXTENSION if self.left else LAST_EXTENSION
                else:
                    raise self.broken()
            elif state == SIZE_START:
                digit = hex_digit(c)
                if digit < 0:
                    raise self.broken()
                self.left = digit
                state = SIZE
            elif state == EXTENSION or state == LAST_EXTENSION or state == TRAILER_TEXT:
                if c == LF:
                    raise self.broken()
                if c == CR:
                    state += 1
            elif state == DATA_CR:
                if c != CR:
                    raise self.broken()
                state = DATA_LF
            elif state == TRAILER:
                if c == LF:
                    raise self.broken()
                state = TRAILER_END_LF if c == CR else TRAILER_TEXT
            else:
                if c != LF:
                    raise self.broken()
                if state == DATA_LF:
                    state = SIZE_START
                elif state == EXTENSION_LF:
                    state = DATA
                    if self.max_size and self.left > self.max_size - self.received:
                        self.state = BROKEN
                        raise HeadError(
                            413,
                            f"client intended to send too large chunked body: {self.received}+{self.left} bytes",
                            lingering=True, level="error",
                        )
                elif state == LAST_LF:
                    state = KEPT_TRAILERS if self.keep_trailers else TRAILER
                elif state == TRAILER_LF:
                    state = TRAILER
                else:
                    state = FINISHED

        self.state = state
        if state < KEPT_TRAILERS:
            return slices, False, b""
        if state == BROKEN:
            raise self.broken()
        if state == KEPT_TRAILERS:
            rest = self.read_trailers(data[i:])
            if rest is None:
                return slices, False, b""
        else:
            rest = data[i:]
        self.state = FINISHED
        self.done = True
        return slices, True, rest

    cdef bytes read_trailers(self, bytes data):
        cdef bytes text = self.kept + data if self.kept else data
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(text)
        cdef Py_ssize_t end = min(PyBytes_GET_SIZE(text), self.max_trailers)
        cdef HeaderLine *line = &self.line
        cdef int rc
        while True:
            rc = scan_header_line(line, p, end, True, True)
            if rc == LINE_OK:
                self.trailers.append((text[line.name:line.name_end], text[line.value:line.value_end]))
            elif rc == LINE_END:
                return text[self.line.pos:]
            else:
                break
        who = "upstream" if self.upstream else "client"
        if rc == LINE_AGAIN:
            if end < self.max_trailers:
                self.kept = text
                return None
            message = who + " sent too big trailers"
        else:
            message = f"{who} sent invalid trailer: {quoted(p, &self.line).decode('utf-8', 'surrogateescape')}"
        self.state = BROKEN
        raise HeadError(502 if self.upstream else 400, message, level="error")

    cdef object broken(self):
        self.state = BROKEN
        if self.upstream:
            return HeadError(502, "upstream sent invalid chunked response", level="error")
        return HeadError(400, "client sent invalid chunked body", level="error")
