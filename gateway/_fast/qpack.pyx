# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Blocks of fields of HTTP/3 read (RFC 9204), within limits; as strict as nginx is, and as lenient.

A block that refers to more than the table has waits here until the rest has come.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc

from gateway._fast.huffman cimport decoded

from gateway._fast.errors import QpackError
from gateway._fast.qpack_tables import STATIC

cdef enum:
    EXCESSIVE_LOAD = 0x107
    DECOMPRESSION_FAILED = 0x200
    ENCODER_STREAM_ERROR = 0x201

    OVERHEAD = 32
    OCTETS = 5      # of an integer after its prefix

    MORE = -1       # of an integer or a string: the rest of it is not here
    LONG = -2

cdef tuple static_table = STATIC
cdef Py_ssize_t static_count = len(STATIC)


cdef int64_t integer(const uint8_t *p, Py_ssize_t n, Py_ssize_t *at, int prefix) noexcept:
    """RFC 7541, 5.1."""
    cdef Py_ssize_t i = at[0]
    cdef int64_t value
    cdef int shift = 0
    if i >= n:
        return MORE
    value = p[i] & prefix
    i += 1
    if value == prefix:
        while True:
            if shift == 7 * OCTETS:
                return LONG
            if i >= n:
                return MORE
            value += <int64_t> (p[i] & 0x7f) << shift
            shift += 7
            i += 1
            if p[i - 1] < 128:
                break
    at[0] = i
    return value


cdef void put_integer(bytearray to, int first, int prefix, int64_t value):
    if value < prefix:
        to.append(first | <int> value)
        return
    to.append(first | prefix)
    value -= prefix
    while value >= 128:
        to.append(<int> (value & 0x7f) | 0x80)
        value >>= 7
    to.append(<int> value)


@cython.final
cdef class QpackDecoder:
    """Of one connection. Errors everywhere: QpackError.

    `field_limit` is for each name and each value, as they are encoded; `head_limit` for all of a block, decoded: so
    nginx's `large_client_header_buffers` is meant. Both may be changed when it is known whose request it is.
    """

    cdef public Py_ssize_t field_limit
    cdef public Py_ssize_t head_limit
    cdef readonly Py_ssize_t table_most
    cdef readonly Py_ssize_t capacity
    cdef readonly Py_ssize_t table_size
    cdef readonly int64_t inserted
    cdef int64_t dropped
    cdef dict entries           # by the number of the insertion
    cdef readonly dict blocked  # stream: its block, and how many insertions it waits for
    cdef int most_blocked
    cdef bytes left             # of an instruction that is not whole
    cdef bytearray said

    def __init__(self, Py_ssize_t field_limit, Py_ssize_t head_limit, Py_ssize_t table, int most_blocked):
        self.field_limit = field_limit
        self.head_limit = head_limit
        self.table_most = table
        self.most_blocked = most_blocked
        self.entries = {}
        self.blocked = {}
        self.left = b""
        self.said = bytearray()

    def take_said(self) -> bytes:
        """What the client's encoder is to be told."""
        cdef bytes told = bytes(self.said)
        self.said.clear()
        return told

    # -- the encoder's stream

    def feed_encoder(self, bytes data not None) -> list:
        """Take in instructions; the streams whose blocks can go on, for resume_header()."""
        cdef bytes all_of_it = self.left + data if self.left else data
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(all_of_it)
        cdef Py_ssize_t n = PyBytes_GET_SIZE(all_of_it)
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t used
        cdef int64_t before = self.inserted
        while at < n:
            used = self.instruction(p + at, n - at)
            if not used:
                break
            at += used
        self.left = all_of_it[at:]
        if self.inserted == before:
            return []
        put_integer(self.said, 0, 0x3f, self.inserted - before)
        return [stream for stream, (_, wanted) in self.blocked.items() if wanted <= self.inserted]

    cdef Py_ssize_t instruction(self, const uint8_t *p, Py_ssize_t n) except -1:
        """Do one; 0 if it is not whole."""
        cdef Py_ssize_t at = 0
        cdef uint8_t c = p[0]
        cdef int64_t value
        cdef bytes name
        cdef bytes text
        if c >= 0x80:
            value = self.wanted(integer(p, n, &at, 0x3f))
            if value == MORE:
                return 0
            text = self.string(p, n, &at, 0x7f, ENCODER_STREAM_ERROR)
            if text is None:
                return 0
            self.insert(self.reference(value, c & 0x40, self.inserted - 1 - value, ENCODER_STREAM_ERROR)[0], text)
        elif c >= 0x40:
            name = self.string(p, n, &at, 0x1f, ENCODER_STREAM_ERROR)
            if name is None:
                return 0
            text = self.string(p, n, &at, 0x7f, ENCODER_STREAM_ERROR)
            if text is None:
                return 0
            self.insert(name, text)
        elif c >= 0x20:
            value = self.wanted(integer(p, n, &at, 0x1f))
            if value == MORE:
                return 0
            if value > self.table_most:
                raise QpackError(ENCODER_STREAM_ERROR, "client exceeded http3_max_table_capacity limit")
            self.capacity = value
            self.evict(value)
        else:
            value = self.wanted(integer(p, n, &at, 0x1f))
            if value == MORE:
                return 0
            name, text = self.reference(value, False, self.inserted - 1 - value, ENCODER_STREAM_ERROR)
            self.insert(name, text)
        return at

    cdef int64_t wanted(self, int64_t value) except -3:
        if value == LONG:
            raise QpackError(ENCODER_STREAM_ERROR, "client sent invalid encoder instruction")
        return value

    cdef int insert(self, bytes name, bytes value) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(name) + PyBytes_GET_SIZE(value) + OVERHEAD
        if size > self.capacity:
            raise QpackError(ENCODER_STREAM_ERROR, "not enough dynamic table capacity")
        self.evict(self.capacity - size)
        self.entries[self.inserted] = (name, value)
        self.inserted += 1
        self.table_size += size
        return 0

    cdef int evict(self, Py_ssize_t limit) except -1:
        cdef tuple entry
        while self.table_size > limit:
            entry = self.entries.pop(self.dropped)
            self.dropped += 1
            self.table_size -= PyBytes_GET_SIZE(entry[0]) + PyBytes_GET_SIZE(entry[1]) + OVERHEAD
        return 0

    cdef tuple reference(self, int64_t index, bint static, int64_t number, int code):
        """The static field `index`, or the insertion `number`."""
        if static:
            if index < static_count:
                return <tuple> static_table[index]
            raise QpackError(code, f"client sent invalid static table index: {index}")
        found = self.entries.get(number)
        if found is None:
            raise QpackError(code, f"client sent invalid dynamic table index: {index}")
        return <tuple> found

    cdef bytes string(self, const uint8_t *p, Py_ssize_t n, Py_ssize_t *at, int prefix, int code):
        """The string at `at`, whose bit above the prefix says that it is encoded; None: it is not all here."""
        cdef Py_ssize_t start = at[0]
        cdef int64_t size = integer(p, n, at, prefix)
        cdef uint8_t *out
        cdef Py_ssize_t got
        cdef bytes text
        if size == MORE:
            return None
        if size == LONG:
            raise QpackError(code, "client sent too long a string")
        if size > self.field_limit:
            raise QpackError(EXCESSIVE_LOAD, "client sent too large field line")
        if size > n - at[0]:
            return None
        if p[start] & (prefix + 1):
            out = <uint8_t *> malloc(size * 8 // 5 + 1)
            if out == NULL:
                raise MemoryError
            try:
                got = decoded(p + at[0], size, out)
                if got < 0:
                    raise QpackError(code, "client sent invalid encoded field line")
                text = PyBytes_FromStringAndSize(<char *> out, got)
            finally:
                free(out)
        else:
            text = PyBytes_FromStringAndSize(<const char *> p + at[0], size)
        at[0] += size
        return text

    # -- blocks

    def feed_header(self, int64_t stream, bytes block not None):
        """The fields of a block; None: it has to wait."""
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(block)
        cdef Py_ssize_t n = PyBytes_GET_SIZE(block)
        cdef Py_ssize_t at = 0
        cdef int64_t wanted = self.insertions(part(integer(p, n, &at, 0xff)))
        if wanted > self.inserted:
            if len(self.blocked) >= self.most_blocked:
                raise QpackError(DECOMPRESSION_FAILED, "client exceeded http3_max_blocked_streams limit")
            self.blocked[stream] = (block, wanted)
            return None
        return self.fields(stream, p, n, at, wanted)

    def resume_header(self, int64_t stream) -> list:
        """The fields of a block that has waited."""
        cdef bytes block
        cdef Py_ssize_t at = 0
        cdef const uint8_t *p
        block, wanted = self.blocked.pop(stream)
        p = <const uint8_t *> PyBytes_AS_STRING(block)
        integer(p, PyBytes_GET_SIZE(block), &at, 0xff)
        return self.fields(stream, p, PyBytes_GET_SIZE(block), at, wanted)

    def cancel_stream(self, int64_t stream):
        """No more of this stream is read, if there is more."""
        self.blocked.pop(stream, None)
        put_integer(self.said, 0x40, 0x3f, stream)

    cdef int64_t insertions(self, int64_t encoded) except -1:
        """How many there have to be (RFC 9204, 4.5.1.1)."""
        cdef int64_t most = self.table_most // OVERHEAD
        cdef int64_t whole = 2 * most
        cdef int64_t upper = self.inserted + most
        cdef int64_t wanted
        if encoded == 0:
            return 0
        if encoded > whole:
            raise QpackError(DECOMPRESSION_FAILED, "client sent invalid field section insert count")
        wanted = upper // whole * whole + encoded - 1
        if wanted > upper:
            wanted -= whole
        if wanted <= 0:
            raise QpackError(DECOMPRESSION_FAILED, "client sent invalid field section insert count")
        return wanted

    cdef list fields(self, int64_t stream, const uint8_t *p, Py_ssize_t n, Py_ssize_t at, int64_t wanted):
        cdef list found = []
        cdef bint below
        cdef int64_t delta
        cdef int64_t base
        cdef int64_t index
        cdef uint8_t c
        cdef tuple entry
        cdef bytes name
        cdef Py_ssize_t left = self.head_limit
        if at >= n:
            part(MORE)
        below = p[at] & 0x80
        delta = part(integer(p, n, &at, 0x7f))
        base = wanted - delta - 1 if below else wanted + delta
        if base < 0:
            raise QpackError(DECOMPRESSION_FAILED, "client sent invalid field section base")
        while at < n:
            c = p[at]
            if c >= 0x80:
                index = part(integer(p, n, &at, 0x3f))
                entry = self.reference(index, c & 0x40, base - 1 - index, DECOMPRESSION_FAILED)
            elif c >= 0x40:
                index = part(integer(p, n, &at, 0x0f))
                name = self.reference(index, c & 0x10, base - 1 - index, DECOMPRESSION_FAILED)[0]
                entry = (name, self.text(p, n, &at, 0x7f))
            elif c >= 0x20:
                name = self.text(p, n, &at, 0x07)
                entry = (name, self.text(p, n, &at, 0x7f))
            elif c >= 0x10:
                index = part(integer(p, n, &at, 0x0f))
                entry = self.reference(index, False, base + index, DECOMPRESSION_FAILED)
            else:
                index = part(integer(p, n, &at, 0x07))
                name = self.reference(index, False, base + index, DECOMPRESSION_FAILED)[0]
                entry = (name, self.text(p, n, &at, 0x7f))
            left -= PyBytes_GET_SIZE(entry[0]) + PyBytes_GET_SIZE(entry[1])
            if left < 0:
                found = None  # more than may be: who asked for it says so
                break
            found.append(entry)
        if wanted:
            put_integer(self.said, 0x80, 0x7f, stream)
        if found is None:
            raise QpackError(0, "client sent too large header")
        return found

    cdef bytes text(self, const uint8_t *p, Py_ssize_t n, Py_ssize_t *at, int prefix):
        cdef bytes found = self.string(p, n, at, prefix, DECOMPRESSION_FAILED)
        if found is None:
            part(MORE)
        return found


cdef int64_t part(int64_t value) except -3:
    """An integer of a block, which is all here."""
    if value < 0:
        raise QpackError(DECOMPRESSION_FAILED, "client sent invalid header")
    return value
