# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What HTTP/2 sends, written into memory that stays: frames (RFC 9113), and blocks of fields for them (RFC 7541).

A block is written as nginx writes it, and refers to nothing that was sent before. So the same fields are the same bytes
on every connection; what a client keeps of earlier heads is not made use of, since these few bytes cost an encoder with
a table ten times the work.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy

from gateway._fast.digits cimport write_digits
from gateway._fast.head_writer cimport HeadWriter
from gateway._fast.header_line cimport fold_hash, same_name
from gateway._fast.hpack cimport STATIC_FIELDS, static_fields, static_index
from gateway._fast.huffman cimport coded, coded_size
from gateway._fast.request_head cimport Field, RequestHead

cdef enum:
    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9

    ACK = 0x1
    END_HEADERS = 0x4

    KEPT = 2048         # what a connection keeps of its buffer when it is empty
    LONGEST_INTEGER = 10


cdef inline bytes lower_case(const uint8_t *text, Py_ssize_t n):
    cdef bytes lower = PyBytes_FromStringAndSize(<const char *> text, n)
    cdef uint8_t *p = <uint8_t *> PyBytes_AS_STRING(lower)
    cdef Py_ssize_t i
    for i in range(n):
        if 65 <= p[i] <= 90:
            p[i] |= 0x20
    return lower


cdef class FieldWriter(HeadWriter):
    """Fields, one behind the other."""

    def __dealloc__(self):
        free(self.hashes)

    cpdef indexed(self, int index):
        """A field of the static table."""
        self.integer(0x80, 7, index)

    cpdef known(self, int index, bytes value):
        """A field with the name of one of the static table's."""
        self.integer(0, 4, index)
        self.string(<const uint8_t *> PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))

    cpdef fields_of(self, RequestHead head, frozenset hidden):
        """The fields of a client's head, but for those with these names."""
        cdef const uint8_t *base = head.base()
        cdef const uint8_t *p
        cdef Field *field
        cdef uint8_t lower[64]
        cdef bytes name
        cdef int i
        cdef uint32_t j
        if hidden is not self.hidden:
            self.hide(hidden)
        for i in range(head.count):
            field = &head.spans[i]
            p = base + field.name
            if self.hides(p, field.name_len, field.hash):
                continue
            if field.name_len > 64:
                name = lower_case(p, field.name_len)
                p = <const uint8_t *> PyBytes_AS_STRING(name)
            else:
                for j in range(field.name_len):
                    lower[j] = p[j] | 0x20 if 65 <= p[j] <= 90 else p[j]
                p = lower
            self.plain(p, field.name_len, base + field.value, field.value_len)

    cdef bint hides(self, const uint8_t *name, Py_ssize_t n, uint32_t hash) except -1:
        """Whether a name that was sent is one of those that hide() noted."""
        cdef Py_ssize_t i
        cdef bytes known
        for i in range(self.hidden_count):
            if self.hashes[i] == hash:
                known = <bytes> self.names[i]
                if PyBytes_GET_SIZE(known) == n and same_name(name, <const uint8_t *> PyBytes_AS_STRING(known), n):
                    return True
        return False

    cdef int hide(self, frozenset hidden) except -1:
        """Note the hashes of these names, which are in lower case."""
        cdef list names = list(hidden)
        cdef Py_ssize_t count = len(names)
        cdef Py_ssize_t i
        cdef bytes known
        cdef uint32_t *hashes = <uint32_t *> realloc(self.hashes, max(count, 1) * sizeof(uint32_t))
        if hashes == NULL:
            raise MemoryError
        self.hashes = hashes
        for i in range(count):
            known = <bytes> names[i]
            hashes[i] = fold_hash(<const uint8_t *> PyBytes_AS_STRING(known), PyBytes_GET_SIZE(known))
        self.names = names
        self.hidden_count = count
        self.hidden = hidden
        return 0

    cpdef known_number(self, int index, long long number):
        """known(), with a number that is not negative, in decimal."""
        cdef char digits[20]
        cdef int at
        if number < 0:
            raise ValueError(number)
        at = write_digits(digits, 20, number)
        self.integer(0, 4, index)
        self.string(<const uint8_t *> digits + at, 20 - at)

    cpdef field(self, bytes name, bytes value):
        """Any field; its name is written in lower case (RFC 9113, 8.2)."""
        cdef uint8_t lower[64]
        cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(name)
        cdef Py_ssize_t n = PyBytes_GET_SIZE(name)
        cdef Py_ssize_t i
        if n > 64:
            name = name.lower()
            p = <const uint8_t *> PyBytes_AS_STRING(name)
        else:
            for i in range(n):
                lower[i] = p[i] | 0x20 if 65 <= p[i] <= 90 else p[i]
            p = lower
        self.plain(p, n, <const uint8_t *> PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))

    cdef int plain(self, const uint8_t *p, Py_ssize_t n, const uint8_t *value, Py_ssize_t size) except -1:
        """A field whose name is in lower case."""
        cdef int first = static_index(p, n)
        cdef int index = first
        while index and index <= STATIC_FIELDS and static_fields[index].name_len == n:
            # one of those of this name may have the value, too
            if memcmp(static_fields[index].name, p, n) != 0:
                break
            if static_fields[index].value_len == <uint32_t> size and memcmp(
                static_fields[index].value, value, size
            ) == 0:
                self.integer(0x80, 7, index)
                return 0
            index += 1
        self.integer(0, 4, first)
        if not first:
            self.string(p, n)
        self.string(value, size)
        return 0

    cdef int integer(self, int pattern, int prefix, int64_t value) except -1:
        """RFC 7541, 5.1."""
        cdef int most = (1 << prefix) - 1
        if self.size + LONGEST_INTEGER > self.room:
            self.grow(LONGEST_INTEGER)
        if value < most:
            self.data[self.size] = <char> (pattern | value)
            self.size += 1
            return 0
        self.data[self.size] = <char> (pattern | most)
        self.size += 1
        value -= most
        while value >= 128:
            self.data[self.size] = <char> (value & 0x7f | 0x80)
            self.size += 1
            value >>= 7
        self.data[self.size] = <char> value
        self.size += 1
        return 0

    cdef int string(self, const uint8_t *text, Py_ssize_t size) except -1:
        """In Huffman's code where that is shorter."""
        cdef Py_ssize_t short = coded_size(text, size)
        if short < size:
            self.integer(0x80, 7, short)
            if self.size + short > self.room:
                self.grow(short)
            coded(text, size, <uint8_t *> self.data + self.size)
            self.size += short
            return 0
        self.integer(0, 7, size)
        if self.size + size > self.room:
            self.grow(size)
        memcpy(self.data + self.size, text, size)
        self.size += size
        return 0


cdef class FrameWriter(HeadWriter):
    """Frames, one behind the other, until take() gives all of them."""

    cpdef frame(self, int64_t length, int kind, int flags, int64_t stream):
        """A frame's head; its payload is put behind it."""
        cdef uint8_t *p
        if self.size + 9 > self.room:
            self.grow(9)
        p = <uint8_t *> self.data + self.size
        p[0] = <uint8_t> (length >> 16)
        p[1] = <uint8_t> (length >> 8)
        p[2] = <uint8_t> length
        p[3] = <uint8_t> kind
        p[4] = <uint8_t> flags
        p[5] = <uint8_t> (stream >> 24)
        p[6] = <uint8_t> (stream >> 16)
        p[7] = <uint8_t> (stream >> 8)
        p[8] = <uint8_t> stream
        self.size += 9

    cdef int number(self, int64_t value) except -1:
        cdef uint8_t *p
        if self.size + 4 > self.room:
            self.grow(4)
        p = <uint8_t *> self.data + self.size
        p[0] = <uint8_t> (value >> 24)
        p[1] = <uint8_t> (value >> 16)
        p[2] = <uint8_t> (value >> 8)
        p[3] = <uint8_t> value
        self.size += 4
        return 0

    cpdef put_part(self, bytes data, Py_ssize_t start, Py_ssize_t size):
        """So many bytes of these, from `start` on."""
        if start < 0 or size < 0 or start + size > PyBytes_GET_SIZE(data):
            raise ValueError(size)
        if self.size + size > self.room:
            self.grow(size)
        memcpy(self.data + self.size, PyBytes_AS_STRING(data) + start, size)
        self.size += size

    cpdef headers(self, long stream, bytes block, int flags, int64_t frame_size):
        """A block of fields in a HEADERS frame and as many CONTINUATIONs as it takes."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(block)
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t part
        cdef int kind = HEADERS
        while True:
            part = min(size - at, frame_size)
            if at + part == size:
                flags |= END_HEADERS
            self.frame(part, kind, flags, stream)
            self.put_part(block, at, part)
            at += part
            if at == size:
                break
            kind = CONTINUATION
            flags = 0

    cpdef settings_ack(self):
        self.frame(0, SETTINGS, ACK, 0)

    cpdef ping_ack(self, bytes data):
        self.frame(8, PING, ACK, 0)
        self.put(data)

    cpdef window_update(self, long stream, int64_t increment):
        self.frame(4, WINDOW_UPDATE, 0, stream)
        self.number(increment)

    cpdef rst_stream(self, long stream, int64_t code):
        self.frame(4, RST_STREAM, 0, stream)
        self.number(code)

    cpdef goaway(self, long last_stream, int64_t code):
        self.frame(8, GOAWAY, 0, 0)
        self.number(last_stream)
        self.number(code)

    cpdef long long waiting(self):
        """Bytes that were not taken yet."""
        return self.size

    cpdef bytes take(self):
        """What was written since the last time."""
        cdef bytes data = PyBytes_FromStringAndSize(self.data, self.size)
        self.size = 0
        if self.room > KEPT:
            free(self.data)
            self.data = NULL
            self.room = 0
        return data
