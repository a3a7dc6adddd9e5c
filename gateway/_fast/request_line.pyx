# cython: language_level=3, boundscheck=False, wraparound=False
"""The request line, scanned in place and from where the last call stopped, by nginx's grammar.

HTTP/0.9, spaces between the parts, bare line feeds and empty lines before it are taken; only upper-case letters, _ and
- make a method; a URI is in origin form or absolute form, or host and port after CONNECT.
"""

from libc.stdint cimport uint8_t
from libc.string cimport memcmp

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

# The bytes that need no look in a path: neither control nor one of space # % + . / ?
cdef uint8_t USUAL[256]
cdef uint8_t METHOD[256]        # A-Z _ -
cdef uint8_t SCHEMA[256]
cdef uint8_t HOST[256]
cdef uint8_t LITERAL[256]       # inside [ ]


cdef void fill_tables():
    cdef int c
    alnum = set(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    for c in range(256):
        USUAL[c] = c > 0x20 and c != 0x7f and c not in b"#%+./?"
        METHOD[c] = 65 <= c <= 90 or c in b"_-"
        SCHEMA[c] = c in alnum or c in b"+-."
        HOST[c] = c in alnum or c in b".-"
        LITERAL[c] = c in alnum or c in b":-._~!$&'()*+,;="


fill_tables()


cdef int host_done(RequestLine *line, uint8_t c, Py_ssize_t i) noexcept nogil:
    """The host of a URI in absolute form ends at i: what follows, or -1."""
    line.host_end = i
    if c == 47:
        line.uri_start = i
        return R_AFTER_SLASH
    if c == 63 and not line.connect:
        line.uri_start = i
        line.args_start = i + 1
        line.empty_path = True
        return R_TAIL
    if c == 32:
        # the path is "/": the first slash after the schema
        line.uri_start = line.schema_end + 1
        line.uri_end = line.schema_end + 2
        return R_AFTER_URI
    return -1


cdef int scan_request_line(RequestLine *line, const uint8_t *p, Py_ssize_t end) noexcept nogil:
    cdef Py_ssize_t i = line.pos
    cdef uint8_t c
    cdef int phase = line.phase
    cdef int rc = SCAN_AGAIN

    while i < end:
        c = p[i]
        if phase == R_AFTER_SLASH:
            if USUAL[c]:
                phase = R_PATH
            elif c == 46 or c == 47 or c == 35:
                line.complex_uri = True
                phase = R_TAIL
            elif c == 37:
                line.quoted_uri = True
                phase = R_TAIL
            elif c == 63:
                line.args_start = i + 1
                phase = R_TAIL
            elif c == 43:
                line.plus_in_uri = True
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
                line.ext_start = 0
                phase = R_AFTER_SLASH
            elif c == 46:
                line.ext_start = i + 1
            elif c == 63:
                line.args_start = i + 1
                phase = R_TAIL
            elif c == 37:
                line.quoted_uri = True
                phase = R_TAIL
            elif c == 43:
                line.plus_in_uri = True
            elif c == 35:
                line.complex_uri = True
                phase = R_TAIL
            else:
                phase = R_TAIL
                continue

        elif phase == R_TAIL:
            while c > 0x20 and c != 0x7f:
                if c == 35:
                    line.complex_uri = True
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
                line.uri_end = i
                continue
            else:
                rc = BAD_REQUEST
                break
            line.uri_end = i

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
            line.method_end = i
            phase = R_SPACES
            if i - line.start == 7 and memcmp(p + line.start, b"CONNECT", 7) == 0:
                line.connect = True
                phase = R_CONNECT_SPACES

        elif phase == R_SPACES:
            if c == 47:
                line.uri_start = i
                phase = R_AFTER_SLASH
            elif 97 <= c | 0x20 <= 122:
                line.schema_start = i
                phase = R_SCHEMA
            elif c != 32:
                rc = BAD_REQUEST
                break

        elif phase == R_START:
            line.start = i
            if c != CR and c != LF:
                if not METHOD[c]:
                    rc = BAD_METHOD
                    break
                phase = R_METHOD

        elif phase == R_AFTER_URI:
            if c == 72:
                line.proto_start = i
                phase = R_PROTOCOL
            elif c == CR or c == LF:
                line.minor = 9
                line.end = i
                if c == LF:
                    rc = SCAN_OK
                    i += 1
                    break
                phase = R_CR
            elif c != 32:
                rc = BAD_REQUEST
                break

        elif phase == R_PROTOCOL:
            if c != (<const uint8_t *> b"HTTP/")[i - line.proto_start]:
                rc = BAD_REQUEST
                break
            if c == 47:
                if line.connect:
                    # nginx gives CONNECT the path "/" so
                    line.uri_start = i
                    line.uri_end = i + 1
                phase = R_MAJOR

        elif phase == R_MAJOR:
            if not 49 <= c <= 57:
                rc = BAD_REQUEST
                break
            if c != 49:
                rc = BAD_VERSION
                break
            line.major = 1
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
            line.minor = c - 48
            phase = R_MINOR_NEXT

        elif phase == R_MINOR_NEXT or phase == R_TRAILING:
            if c == CR or c == LF:
                line.end = i
                if c == LF:
                    rc = SCAN_OK
                    i += 1
                    break
                phase = R_CR
            elif c == 32:
                phase = R_TRAILING
            elif phase == R_TRAILING or not 48 <= c <= 57 or line.minor > 99:
                rc = BAD_REQUEST
                break
            else:
                line.minor = line.minor * 10 + (c - 48)

        elif phase == R_CR:
            if c != LF:
                rc = BAD_REQUEST
                break
            rc = SCAN_OK
            i += 1
            break

        elif phase == R_SCHEMA:
            if c == 58:
                line.schema_end = i
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
                line.host_start = i
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
            elif line.connect:
                rc = BAD_REQUEST
                break
            else:
                phase = host_done(line, c, i)
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
                if line.connect and (phase == R_PORT_START or c != 32):
                    rc = BAD_REQUEST
                    break
                phase = host_done(line, c, i)
                if phase < 0:
                    rc = BAD_REQUEST
                    break
            else:
                phase = R_PORT

        i += 1

    line.pos = i
    if phase >= 0:
        line.phase = phase
    if rc == SCAN_OK and line.major == 0 \
            and (line.method_end - line.start != 3 or memcmp(p + line.start, b"GET", 3) != 0):
        return BAD_09_METHOD
    return rc


cdef bint scan_path(RequestLine *line, const uint8_t *p, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    if start == end or p[start] != 47:
        return False
    line.phase = R_SPACES
    line.pos = start
    return scan_request_line(line, p, end + 1) == SCAN_AGAIN and line.phase == R_AFTER_URI and line.uri_end == end
