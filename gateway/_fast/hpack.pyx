# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Blocks of fields read (RFC 7541): names and values as spans of one buffer, within limits, with nginx's errors.

A block may come in parts. What is whole of a part is read at once, so that limits hold before the block is over, and
what is left is given again with more behind it: a field is decoded once.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy

from gateway._fast.huffman cimport decoded

from gateway._fast.errors import Http2Error
from gateway._fast.hpack_tables import STATIC

cdef enum:
    PROTOCOL_ERROR = 0x1
    FRAME_SIZE_ERROR = 0x6
    COMPRESSION_ERROR = 0x9
    ENHANCE_YOUR_CALM = 0xb

    TABLE_SIZE = 4096       # HPACK's default; we never announce a larger one
    OVERHEAD = 32           # counted for each entry of the table besides its text
    INTEGER_OCTETS = 4      # the longest integer that nginx takes
    KEPT_TEXT = 16384       # what a connection keeps of buffers between blocks

    MORE = -1               # of an integer: the rest of it is not here,
    SHORT = -2              # nor will it come,
    LONG = -3               # it has too many octets

cdef StaticField static_fields[STATIC_FIELDS + 1]


# The first field of each name, by the name's length; what no name is as long as is 0.
cdef enum:
    LONGEST_NAME = 27
    SAME_LENGTH = 12

cdef uint8_t by_length[LONGEST_NAME + 1][SAME_LENGTH]


cdef int make_static() except -1:
    cdef int i = 0
    cdef int k
    cdef set names = set()
    for name, value in STATIC:
        i += 1
        static_fields[i].name = PyBytes_AS_STRING(name)
        static_fields[i].name_len = PyBytes_GET_SIZE(name)
        static_fields[i].value = PyBytes_AS_STRING(value)
        static_fields[i].value_len = PyBytes_GET_SIZE(value)
        if name not in names:
            names.add(name)
            k = 0
            while by_length[len(name)][k]:
                k += 1
                assert k < SAME_LENGTH - 1
            by_length[len(name)][k] = i
    return 0


make_static()


cdef int static_index(const uint8_t *name, Py_ssize_t n) noexcept:
    """The first field of the static table with this name; 0: none has it."""
    cdef int k = 0
    cdef int i
    if n > LONGEST_NAME:
        return 0
    while True:
        i = by_length[n][k]
        if i == 0 or memcmp(static_fields[i].name, name, n) == 0:
            return i
        k += 1


cdef int64_t integer(const uint8_t *p, Py_ssize_t n, Py_ssize_t *at, int prefix, bint last) noexcept:
    """RFC 7541, 5.1. `n`: where the bytes end that are here; `last`: and the block with them."""
    cdef Py_ssize_t start = at[0]
    cdef int64_t value
    cdef int shift = 0
    cdef Py_ssize_t i
    if start >= n:
        return SHORT if last else MORE
    value = p[start] & prefix
    if value != prefix:
        at[0] = start + 1
        return value
    for i in range(start + 1, min(n, start + INTEGER_OCTETS)):
        value += <int64_t> (p[i] & 0x7f) << shift
        shift += 7
        if p[i] < 128:
            at[0] = i + 1
            return value
    if last and n - start <= INTEGER_OCTETS:
        return SHORT
    return LONG if n - start >= INTEGER_OCTETS else MORE


cdef int refuse(int64_t reason, str what) except -1:
    if reason == LONG:
        raise Http2Error(COMPRESSION_ERROR, f"client sent {what}")
    raise Http2Error(FRAME_SIZE_ERROR, "client sent header block with incorrect length")


cdef class Decoder:
    """Reads the blocks of one connection in the order in which they come: each may refer to those before it.

    `field_limit` is for each name and each value, as they are encoded; `head_limit` for all of a block, decoded: so
    nginx's `large_client_header_buffers` is meant.
    """

    def __init__(self, Py_ssize_t field_limit, Py_ssize_t head_limit, Py_ssize_t table=TABLE_SIZE):
        """`table`: the largest size of the table that the peer was told of."""
        self.field_limit = field_limit
        self.head_limit = head_limit
        self.table_most = self.table_limit = min(table, TABLE_SIZE)

    def __dealloc__(self):
        self.evict(0)
        free(self.entries)
        free(self.text)
        free(self.spans)

    cpdef begin(self):
        """A block begins."""
        self.text_size = 0
        self.count = 0
        self.left = self.head_limit

    cdef int rest(self) noexcept:
        """The fields were made use of: nothing large is kept for the next block."""
        self.text_size = 0
        self.count = 0
        if self.text_room > KEPT_TEXT or self.spans_room > 256:
            free(self.text)
            free(self.spans)
            self.text = NULL
            self.spans = NULL
            self.text_room = self.spans_room = 0
        return 0

    cdef Py_ssize_t read(self, const uint8_t *p, Py_ssize_t n, bint last) except -1:
        """Take in what is whole of these bytes; how many of them that was. Errors: Http2Error."""
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t used
        while at < n:
            used = self.field(p + at, n - at, last)
            if not used:
                break
            at += used
        return at

    cdef Py_ssize_t field(self, const uint8_t *p, Py_ssize_t n, bint last) except -1:
        """One field, or a change of the table's size; 0 if more bytes are needed."""
        cdef Py_ssize_t at = 0
        cdef uint8_t c = p[0]
        cdef int prefix = 0x7f if c >= 0x80 else 0x3f if c >= 0x40 else 0x1f if c >= 0x20 else 0x0f
        cdef int64_t value = integer(p, n, &at, prefix, last)
        cdef Span span
        cdef Entry *entry
        if value < 0:
            if value == MORE:
                return 0
            refuse(value, f"header block with too long {'size update' if prefix == 0x1f else 'header index'} value")
        if prefix == 0x1f:
            self.resize(value)
            return at
        if prefix != 0x7f:
            return self.literal(p, n, at, value, prefix == 0x3f, last)
        span.name = self.text_size
        if 0 < value <= STATIC_FIELDS:
            span.index = value
            span.name_len = static_fields[value].name_len
            span.value_len = static_fields[value].value_len
            self.copy(static_fields[value].name, span.name_len)
            self.copy(static_fields[value].value, span.value_len)
        else:
            entry = self.entry(value)
            if entry == NULL:
                raise Http2Error(COMPRESSION_ERROR, f"client sent invalid hpack table index: {value}")
            span.index = entry.index
            span.name_len = entry.name_len
            span.value_len = entry.value_len
            self.copy(entry.text, span.name_len + span.value_len)
        span.value = span.name + span.name_len
        self.done(&span)
        return at

    cdef Py_ssize_t literal(
        self, const uint8_t *p, Py_ssize_t n, Py_ssize_t at, int64_t index, bint keep, bint last
    ) except -1:
        """A field whose value stands here, and whose name does if `index` is 0."""
        cdef Py_ssize_t name = at
        cdef Py_ssize_t name_size = 0
        cdef Py_ssize_t value
        cdef Py_ssize_t value_size
        cdef Span span
        cdef Entry *entry = NULL
        if index == 0:
            name_size = self.string(p, n, &name, last)
            if name_size < 0:
                return 0
            if name_size == 0:
                raise Http2Error(PROTOCOL_ERROR, "client sent zero header name length")
        elif index > STATIC_FIELDS:
            entry = self.entry(index)
            if entry == NULL:
                raise Http2Error(COMPRESSION_ERROR, f"client sent out of bound hpack table index: {index}")
        value = name + name_size
        value_size = self.string(p, n, &value, last)
        if value_size < 0:
            return 0
        span.name = self.text_size
        span.index = 0
        if index == 0:
            self.take(p, name, name_size, p[at] >> 7)
            if self.text_size == span.name:
                raise Http2Error(PROTOCOL_ERROR, "client sent zero header name length")
        elif entry != NULL:
            self.copy(entry.text, entry.name_len)
            span.index = entry.index
        else:
            self.copy(static_fields[index].name, static_fields[index].name_len)
            span.index = index
        span.name_len = self.text_size - span.name
        span.value = self.text_size
        self.take(p, value, value_size, p[name + name_size] >> 7)
        span.value_len = self.text_size - span.value
        self.done(&span)
        if keep:
            self.keep(&span)
        return value + value_size

    cdef int string(self, const uint8_t *p, Py_ssize_t n, Py_ssize_t *at, bint last) except -1:
        """The size of the string at `at`, which goes on to its text; -1: it is not all here."""
        cdef int64_t size = integer(p, n, at, 0x7f, last)
        if size < 0:
            if size != MORE:
                refuse(size, "header field with too long length value")
            return -2
        if size > self.field_limit:
            raise Http2Error(ENHANCE_YOUR_CALM, "client sent too large header field")
        if size > n - at[0]:
            if last:
                raise Http2Error(FRAME_SIZE_ERROR, "client sent header field with incorrect length")
            return -2
        return <int> size

    cdef int take(self, const uint8_t *p, Py_ssize_t at, Py_ssize_t size, bint huffman) except -1:
        cdef Py_ssize_t got
        if not huffman:
            return self.copy(<const char *> p + at, size)
        self.room(size * 8 // 5 + 1)
        got = decoded(p + at, size, self.text + self.text_size)
        if got < 0:
            raise Http2Error(COMPRESSION_ERROR, "client sent invalid encoded header field")
        self.text_size += got
        return 0

    cdef int copy(self, const char *from_, Py_ssize_t size) except -1:
        self.room(size)
        memcpy(self.text + self.text_size, from_, size)
        self.text_size += size
        return 0

    cdef int room(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room
        cdef uint8_t *text
        if self.text_size + more > self.text_room:
            room = max(2 * self.text_room, self.text_size + more, 512)
            text = <uint8_t *> realloc(self.text, room)
            if text == NULL:
                raise MemoryError
            self.text = text
            self.text_room = room
        return 0

    cdef int done(self, Span *span) except -1:
        cdef Py_ssize_t size = span.name_len + span.value_len
        cdef Span *spans
        cdef int room
        if size > self.left:
            raise Http2Error(ENHANCE_YOUR_CALM, "client sent too large header")
        self.left -= size
        if self.count == self.spans_room:
            room = max(2 * self.spans_room, 16)
            spans = <Span *> realloc(self.spans, room * sizeof(Span))
            if spans == NULL:
                raise MemoryError
            self.spans = spans
            self.spans_room = room
        self.spans[self.count] = span[0]
        self.count += 1
        return 0

    # -- the dynamic table

    cdef Entry *entry(self, int64_t index) noexcept:
        """The entry with this number, counted on from the static table's; NULL: there is none."""
        index -= STATIC_FIELDS + 1
        if index < 0 or index >= self.held:
            return NULL
        return &self.entries[(self.newest - index + self.ring) % self.ring]

    cdef int keep(self, Span *span) except -1:
        cdef Py_ssize_t size = span.name_len + span.value_len
        cdef Entry *entry
        cdef char *text
        if size + OVERHEAD > self.table_limit:
            self.evict(0)  # what does not fit leaves the table empty
            return 0
        self.evict(self.table_limit - size - OVERHEAD)
        if self.entries == NULL:
            self.ring = TABLE_SIZE // OVERHEAD
            self.entries = <Entry *> malloc(self.ring * sizeof(Entry))
            if self.entries == NULL:
                raise MemoryError
        text = <char *> malloc(size)
        if text == NULL:
            raise MemoryError
        memcpy(text, self.text + span.name, size)
        self.newest = (self.newest + 1) % self.ring
        self.held += 1
        entry = &self.entries[self.newest]
        entry.text = text
        entry.name_len = span.name_len
        entry.value_len = span.value_len
        entry.index = span.index if span.index else static_index(<const uint8_t *> text, span.name_len)
        self.table_size += size + OVERHEAD
        return 0

    cdef void evict(self, Py_ssize_t limit) noexcept:
        """Drop the oldest until the table's size is not above `limit`."""
        cdef Entry *entry
        while self.held and self.table_size > limit:
            entry = &self.entries[(self.newest - self.held + 1 + self.ring) % self.ring]
            self.table_size -= entry.name_len + entry.value_len + OVERHEAD
            free(entry.text)
            self.held -= 1

    cdef int resize(self, int64_t size) except -1:
        if size > self.table_most:
            raise Http2Error(COMPRESSION_ERROR, f"client sent invalid table size update: {size}")
        self.table_limit = size
        self.evict(size)
        return 0

    # -- for tests, and whoever wants objects

    def feed(self, bytes block not None, bint last) -> int:
        """read() of bytes."""
        return self.read(<const uint8_t *> PyBytes_AS_STRING(block), PyBytes_GET_SIZE(block), last)

    def fields(self) -> list:
        """(name, value) of each field since begin()."""
        cdef list found = []
        cdef Span *span
        cdef int i
        for i in range(self.count):
            span = &self.spans[i]
            found.append((
                PyBytes_FromStringAndSize(<char *> self.text + span.name, span.name_len),
                PyBytes_FromStringAndSize(<char *> self.text + span.value, span.value_len),
            ))
        return found

    def decode(self, bytes block not None) -> list:
        """All of a block at once."""
        self.begin()
        self.feed(block, True)
        return self.fields()
