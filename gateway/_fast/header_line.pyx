# cython: language_level=3, boundscheck=False, wraparound=False
"""One header line, scanned in place and from where the last call stopped; requests, responses and trailers use it.

The grammar is nginx's: a name without colon is a field with an empty value, tabs belong to the value, folded lines are
refused, a line may end in a bare line feed, and several carriage returns may stand before it.
"""

from libc.stdint cimport uint8_t, uint32_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif
    #define EACH(byte) (0x0101010101010101ULL * (byte))

    /* The first byte from i on that is no letter, digit or -, 16 or 8 at a time where they are there. */
    static inline Py_ssize_t name_run(const uint8_t *p, Py_ssize_t i, Py_ssize_t end, const uint8_t *fold) {
    #ifdef __SSE2__
        while (end - i >= 8) {
            unsigned width = end - i >= 16 ? 16 : 8;
            __m128i v = width == 16 ? _mm_loadu_si128((const __m128i *) (p + i))
                                    : _mm_loadl_epi64((const __m128i *) (p + i));
            __m128i low = _mm_or_si128(v, _mm_set1_epi8(0x20));
            __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(low, _mm_set1_epi8('a' - 1)),
                                           _mm_cmpgt_epi8(_mm_set1_epi8('z' + 1), low));
            __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('0' - 1)),
                                          _mm_cmpgt_epi8(_mm_set1_epi8('9' + 1), v));
            __m128i good = _mm_or_si128(_mm_or_si128(letter, digit), _mm_cmpeq_epi8(v, _mm_set1_epi8('-')));
            unsigned other = ~(unsigned) _mm_movemask_epi8(good) & ((1u << width) - 1);
            if (other)
                return i + __builtin_ctz(other);
            i += width;
        }
    #endif
        while (i < end && (fold[p[i]]))
            i++;
        return i;
    }

    /* The first byte below 14 from i on (NUL, LF, CR, or a control that the caller lets pass), 8 at a time. */
    static inline Py_ssize_t text_run(const uint8_t *p, Py_ssize_t i, Py_ssize_t end) {
        while (end - i >= 8) {
            uint64_t word, low;
            memcpy(&word, p + i, 8);
            low = (word - EACH(14)) & ~word & EACH(0x80);       /* the lowest that is set is right */
            if (low) {
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
                return i + (__builtin_ctzll(low) >> 3);
    #else
                break;
    #endif
            }
            i += 8;
        }
        while (i < end && p[i] > 13)
            i++;
        return i;
    }

    /* Of the length and four bytes at each end, letters in any case and - as _: enough to tell names apart before they
       are compared. */
    static inline uint32_t hash_of(const uint8_t *p, Py_ssize_t n) {
        uint64_t word = 0, other, dashes;
        if (n >= 4) {
            uint32_t head, tail;
            memcpy(&head, p, 4);
            memcpy(&tail, p + n - 4, 4);
            word = (uint64_t) head << 32 | tail;
        } else
            for (Py_ssize_t i = 0; i < n; i++)
                word = word << 8 | p[i];
        other = word ^ EACH('-');
        dashes = ~(((other & EACH(0x7f)) + EACH(0x7f)) | other | EACH(0x7f));    /* 0x80 where a - is */
        word = (word ^ (dashes >> 7) * ('-' ^ '_')) | EACH(0x20);
        return (uint32_t) (((word ^ (uint64_t) n) * 0x9e3779b97f4a7c15ULL) >> 32);
    }

    /* Whether eight bytes are these, which have no capital letters, but for the case of letters. */
    static inline int same_eight(uint64_t sent, uint64_t lower) {
        uint64_t differs = sent ^ lower, seven, letters;
        if (!differs)
            return 1;
        seven = lower & EACH(0x7f);
        letters = (seven + EACH(0x80 - 'a')) & ~(seven + EACH(0x80 - 'z' - 1)) & ~lower & EACH(0x80);
        return !(differs & ~(letters >> 2));
    }

    static inline uint64_t eight(const uint8_t *p) { uint64_t word; memcpy(&word, p, 8); return word; }
    static inline uint64_t ends(const uint8_t *p, Py_ssize_t n) {
        uint32_t head, tail;
        memcpy(&head, p, 4);
        memcpy(&tail, p + n - 4, 4);
        return (uint64_t) head << 32 | tail;
    }
    static inline uint64_t few(const uint8_t *p, Py_ssize_t n) {
        uint64_t word = 0;
        while (n)
            word = word << 8 | p[--n];
        return word;
    }
    static inline int same_text(const uint8_t *sent, const uint8_t *lower, Py_ssize_t n) {
        Py_ssize_t i;
        if (n < 4)
            return same_eight(few(sent, n), few(lower, n));
        if (n < 8)
            return same_eight(ends(sent, n), ends(lower, n));
        for (i = 0; i + 8 < n; i += 8)
            if (!same_eight(eight(sent + i), eight(lower + i)))
                return 0;
        return same_eight(eight(sent + n - 8), eight(lower + n - 8));
    }
    """
    Py_ssize_t text_run(const uint8_t *p, Py_ssize_t i, Py_ssize_t end) nogil
    Py_ssize_t name_run(const uint8_t *p, Py_ssize_t i, Py_ssize_t end, const uint8_t *fold) nogil
    uint32_t hash_of(const uint8_t *p, Py_ssize_t n) nogil
    bint same_text(const uint8_t *sent, const uint8_t *lower, Py_ssize_t n) nogil

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
    """Names that are the same but for the case of letters, and - for _, have the same; few others have."""
    return hash_of(p, n)


cdef bint same_name(const uint8_t *sent, const uint8_t *lower, Py_ssize_t n) noexcept nogil:
    return same_text(sent, lower, n)


cdef bint same_variable(const uint8_t *sent, const uint8_t *folded, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if folded_byte(sent[i]) != folded[i]:
            return False
    return True


cdef int scan_header_line(
    HeaderLine *line, const uint8_t *p, Py_ssize_t end, bint underscores, bint upstream
) noexcept nogil:
    cdef Py_ssize_t i = line.pos
    cdef Py_ssize_t j, k
    cdef uint8_t c

    if line.phase == AT_START:
        # most lines are all here, and like this: a name of usual bytes, a colon, at most one space, a value, CR LF
        j = name_run(p, i, end, FOLD)
        if i < j < end - 1 and p[j] == 58:
            k = j + 2 if p[j + 1] == 32 else j + 1
            i = text_run(p, k, end)
            if k < i < end - 1 and p[i] == CR and p[i + 1] == LF and p[k] != 32 and p[i - 1] != 32:
                line.name = line.pos
                line.name_end = j
                line.hash = hash_of(p + line.pos, j - line.pos)
                line.value = k
                line.value_end = i
                line.invalid = False
                line.pos = i + 2
                return LINE_OK
        i = line.pos

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
            while True:
                i = name_run(p, i, end, FOLD)
                if i >= end:
                    break
                c = p[i]
                if c == 58:
                    break
                if c == CR or c == LF:
                    line.hash = hash_of(p + line.name, i - line.name)
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
                line.hash = hash_of(p + line.name, i - 1 - line.name)
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
            i = text_run(p, i, end)
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
