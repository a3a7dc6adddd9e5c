# cython: language_level=3, boundscheck=False, wraparound=False
"""One header line, scanned in place and from where the last call stopped; requests, responses and trailers use it.

The grammar is nginx's: a name without colon is a field with an empty value, tabs belong to the value, folded lines are
refused, a line may end in a bare line feed, and several carriage returns may stand before it.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    AT_START = 0
    IN_NAME
    BEFORE_VALUE
    IN_VALUE
    AFTER_CR
    END_CR
    IGNORED

cdef enum:
    LF = 10
    CR = 13

# Letters in lower case, digits, and _ for -: so one hash serves a lookup by name and one by variable ($http_x_y).
cdef uint8_t FOLD[256]


cdef void fill_tables() noexcept:
    cdef int c
    for c in range(256):
        FOLD[c] = 0
    for c in range(ord("a"), ord("z") + 1):
        FOLD[c] = c
        FOLD[c - 32] = c
    for c in range(ord("0"), ord("9") + 1):
        FOLD[c] = c
    FOLD[<int> ord("-")] = ord("_")


fill_tables()


cdef inline uint8_t folded_byte(uint8_t c) noexcept nogil:
    return FOLD[c] if FOLD[c] else c


cdef uint32_t fold_hash(const uint8_t *p, Py_ssize_t n) noexcept nogil:
    """Of the length and four bytes at each end: enough to tell names apart before they are compared."""
    cdef uint32_t head, tail
    cdef Py_ssize_t i
    if n < 4:
        head = tail = 0
        for i in range(n):
            head = head << 8 | folded_byte(p[i])
    else:
        head = folded_byte(p[0]) << 24 | folded_byte(p[1]) << 16 | folded_byte(p[2]) << 8 | folded_byte(p[3])
        p += n - 4
        tail = folded_byte(p[0]) << 24 | folded_byte(p[1]) << 16 | folded_byte(p[2]) << 8 | folded_byte(p[3])
    head = (head * <uint32_t> 0x9e3779b1) ^ (tail * <uint32_t> 0x85ebca6b) ^ <uint32_t> n
    return head ^ head >> 15


cdef bint same_name(const uint8_t *sent, const uint8_t *lower, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef uint8_t c
    for i in range(n):
        c = sent[i]
        if 65 <= c <= 90:
            c |= 0x20
        if c != lower[i]:
            return False
    return True


cdef bint same_variable(const uint8_t *sent, const uint8_t *folded, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if folded_byte(sent[i]) != folded[i]:
            return False
    return True


cdef inline Py_ssize_t skip_text(const uint8_t *p, Py_ssize_t i, Py_ssize_t end) noexcept nogil:
    """The first byte below 14 (NUL, LF, CR, or a control that the caller lets pass), 8 at a time."""
    cdef uint64_t word
    while i + 8 <= end:
        memcpy(&word, p + i, 8)
        if (word - <uint64_t> 0x0e0e0e0e0e0e0e0e) & ~word & <uint64_t> 0x8080808080808080:
            break
        i += 8
    while i < end and p[i] > 13:
        i += 1
    return i


cdef int scan_header_line(
    HeaderLine *line, const uint8_t *p, Py_ssize_t end, bint underscores, bint upstream
) noexcept nogil:
    cdef Py_ssize_t i = line.pos
    cdef Py_ssize_t j
    cdef uint8_t c

    while i < end:
        if line.phase == AT_START:
            c = p[i]
            line.name = i
            line.invalid = False
            if c == CR:
                line.value_end = i
                line.phase = END_CR
                i += 1
                continue
            if c == LF:
                line.value_end = i
                line.pos = i + 1
                return LINE_END
            if c <= 0x20 or c == 0x7f or c == 58:
                line.value_end = i
                return LINE_BAD
            line.phase = IN_NAME

        if line.phase == IN_NAME:
            while i < end:
                c = p[i]
                if FOLD[c]:
                    i += 1
                    continue
                if c == 58:
                    break
                if c == CR or c == LF:
                    line.hash = fold_hash(p + line.name, i - line.name)
                    line.name_end = line.value = line.value_end = i
                    if c == LF:
                        line.pos = i + 1
                        line.phase = AT_START
                        return LINE_OK
                    break
                if c <= 0x20 or c == 0x7f:
                    line.value_end = i
                    return LINE_BAD
                if c == 47 and upstream and i - line.name == 4 and p[line.name] == 72 and p[line.name + 1] == 84 \
                        and p[line.name + 2] == 84 and p[line.name + 3] == 80:
                    # IIS sends a second "HTTP/1.1 …" line
                    break
                if c != 95 or not underscores:
                    line.invalid = True
                i += 1
            if i >= end:
                break
            i += 1
            if c == 58:
                line.name_end = i - 1
                line.hash = fold_hash(p + line.name, i - 1 - line.name)
                line.phase = BEFORE_VALUE
            else:
                line.phase = AFTER_CR if c == CR else IGNORED
                continue

        if line.phase == BEFORE_VALUE:
            while i < end and p[i] == 32:
                i += 1
            if i >= end:
                break
            line.value = i
            line.phase = IN_VALUE

        if line.phase == IN_VALUE:
            i = skip_text(p, i, end)
            if i >= end:
                break
            c = p[i]
            if c == 0:
                line.value_end = i
                return LINE_BAD
            if c != CR and c != LF:
                i += 1
                continue
            j = i
            while j > line.value and p[j - 1] == 32:
                j -= 1
            line.value_end = j
            i += 1
            if c == CR and i < end and p[i] == LF:
                c = LF
                i += 1
            if c == LF:
                line.pos = i
                line.phase = AT_START
                return LINE_OK
            line.phase = AFTER_CR
            continue

        c = p[i]
        if line.phase == AFTER_CR:
            if c == LF:
                line.pos = i + 1
                line.phase = AT_START
                return LINE_OK
            if c != CR:
                return LINE_BAD
        elif line.phase == END_CR:
            if c == LF:
                line.pos = i + 1
                return LINE_END
            return LINE_BAD
        elif c == LF:
            line.phase = AT_START
        i += 1

    line.pos = i
    return LINE_AGAIN


cdef bytes quoted(const uint8_t *p, HeaderLine *line):
    """What nginx writes of a bad line: all of it up to the offending byte, and that byte in hex."""
    return b'"%b\\x%02x..."' % (p[line.name:line.value_end], p[line.value_end])
