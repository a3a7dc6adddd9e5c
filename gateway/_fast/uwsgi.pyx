# cython: language_level=3, boundscheck=False, wraparound=False
"""The uwsgi packet in one pass: a location's compiled params and a request's header fields into one buffer."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from gateway._fast.header_line cimport fold_hash
from gateway._fast.request_head cimport Field
from gateway._fast.value cimport Value, value_of

import struct

cdef enum:
    MAX_SIZE = 0xFFFF   # the size has 16 bits
    FEW = 32            # fields for which no memory is asked

cdef enum:
    SENT = 0
    HIDDEN = 1      # a param stands in its place
    JOINED = 2      # goes into the first field of its name, or is hidden with it

# The packet under way. No code but this runs while it is filled: params are evaluated before.
cdef uint8_t room[4 + MAX_SIZE]


cdef inline Py_ssize_t put_length(Py_ssize_t at, Py_ssize_t length) noexcept nogil:
    room[at] = <uint8_t> (length & 0xFF)
    room[at + 1] = <uint8_t> ((length >> 8) & 0xFF)
    return at + 2


cdef inline Py_ssize_t put(Py_ssize_t at, const void *text, Py_ssize_t length) noexcept nogil:
    memcpy(room + at, text, length)
    return at + length


cdef inline uint8_t lower(uint8_t c) noexcept nogil:
    return c | 0x20 if 65 <= c <= 90 else c


cdef inline uint8_t to_param(uint8_t c) noexcept nogil:
    if 97 <= c <= 122:
        return c - 32
    return 95 if c == 45 else c


cdef inline bint same(const uint8_t *a, const uint8_t *b, Py_ssize_t n) noexcept nogil:
    """Equal without regard to ASCII case."""
    cdef Py_ssize_t i
    for i in range(n):
        if a[i] != b[i] and lower(a[i]) != lower(b[i]):
            return False
    return True


cdef inline bint stands_for(const uint8_t *param, const uint8_t *name, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if to_param(name[i]) != param[i]:
            return False
    return True


cdef class PacketEncoder:
    """Makes the packets of one location; the twin of gateway.protocol.uwsgi.PlainEncoder."""

    def __init__(self, params, *, int modifier1=0, int modifier2=0, bint pass_headers=True, bytes tail=b""):
        self.params = tuple(params)
        self.modifier1 = modifier1
        self.modifier2 = modifier2
        self.pass_headers = pass_headers
        self.tail = tail
        self.names = []
        self.values = []
        self.skips = []
        self.ignored = []
        self.ignored_hashes = []
        cdef bytes run = b""
        cdef bytes hidden
        for name, value, skip_empty in self.params:
            hides = len(name) > 5 and name.startswith(b"HTTP_")
            if hides:
                hidden = name[5:].upper()
                self.ignored.append(hidden)
                self.ignored_hashes.append(fold_hash(<const uint8_t *> PyBytes_AS_STRING(hidden), len(hidden)))
            if isinstance(value, bytes):
                if not value and (hides or skip_empty):
                    continue
                run += struct.pack("<H", len(name) & MAX_SIZE) + name + struct.pack("<H", len(value) & MAX_SIZE) + value
                continue
            if run:
                self.names.append(None)
                self.values.append(run)
                self.skips.append(False)
                run = b""
            self.names.append(struct.pack("<H", len(name) & MAX_SIZE) + name)
            self.values.append(value_of(value))
            self.skips.append(bool(skip_empty))
        if run:
            self.names.append(None)
            self.values.append(run)
            self.skips.append(False)

    cpdef bytes encode(self, object request, object head):
        """The packet of a request; `head` is a RequestHead, or a list of (name, value).

        Errors: OverflowError(size), and what evaluating a param raises.
        """
        # Evaluating a param may run any code, another encode too: all of it before the buffer is touched.
        cdef Py_ssize_t count = len(self.values), i, size, total = PyBytes_GET_SIZE(self.tail)
        cdef list texts = [None] * count
        cdef bytes value
        for i in range(count):
            if self.names[i] is None:
                value = <bytes> self.values[i]
                total += PyBytes_GET_SIZE(value)
            else:
                evaluated = (<Value> self.values[i]).value(request)
                value = b"" if evaluated is None else evaluated
                size = PyBytes_GET_SIZE(value)
                if size == 0 and self.skips[i]:
                    continue
                total += PyBytes_GET_SIZE(<bytes> self.names[i]) + 2 + size
            texts[i] = value

        cdef Item few[FEW]
        cdef Item *items = few
        cdef RequestHead spans = None
        cdef list pairs = None
        cdef Py_ssize_t fields = 0
        if self.pass_headers:
            if type(head) is RequestHead:
                spans = <RequestHead> head
                fields = spans.count
            else:
                pairs = head
                fields = len(pairs)
        if fields > FEW:
            items = <Item *> malloc(fields * sizeof(Item))
            if items == NULL:
                raise MemoryError
        try:
            if spans is not None:
                self.take_spans(items, spans)
            elif fields:
                self.take_pairs(items, pairs)
            total += self.measure(items, fields)
            if total > MAX_SIZE:
                raise OverflowError(total)
            return self.fill(texts, items, fields, total)
        finally:
            if items != few:
                free(items)

    cdef void take_spans(self, Item *items, RequestHead head) noexcept:
        cdef const uint8_t *base = head.base()
        cdef Field *field
        cdef int i
        for i in range(head.count):
            field = &head.spans[i]
            items[i].name = base + field.name
            items[i].name_len = field.name_len
            items[i].value = base + field.value
            items[i].value_len = field.value_len
            items[i].hash = field.hash
            items[i].state = SENT

    cdef int take_pairs(self, Item *items, list pairs) except -1:
        cdef bytes name, value
        cdef Py_ssize_t i = 0
        for name, value in pairs:
            items[i].name = <const uint8_t *> PyBytes_AS_STRING(name)
            items[i].name_len = PyBytes_GET_SIZE(name)
            items[i].value = <const uint8_t *> PyBytes_AS_STRING(value)
            items[i].value_len = PyBytes_GET_SIZE(value)
            items[i].hash = fold_hash(items[i].name, items[i].name_len)
            items[i].state = SENT
            i += 1
        return 0

    cdef Py_ssize_t measure(self, Item *items, Py_ssize_t count) except -1:
        """The bytes that the fields need; marks those that are hidden or joined to another."""
        cdef Py_ssize_t i, j, size = 0, value_len
        cdef Item *item
        cdef bytes hidden
        cdef list names = self.ignored, hashes = self.ignored_hashes
        for i in range(count):
            item = &items[i]
            if item.state:
                continue
            for j in range(len(names)):
                if item.hash == <uint32_t> hashes[j]:
                    hidden = <bytes> names[j]
                    if PyBytes_GET_SIZE(hidden) == item.name_len and stands_for(
                        <const uint8_t *> PyBytes_AS_STRING(hidden), item.name, item.name_len
                    ):
                        item.state = HIDDEN
                        break
            value_len = item.value_len
            for j in range(i + 1, count):
                if (
                    items[j].hash == item.hash
                    and items[j].name_len == item.name_len
                    and same(items[j].name, item.name, item.name_len)
                ):
                    items[j].state = JOINED
                    value_len += 2 + items[j].value_len
            if item.state == SENT:
                size += 2 + 5 + item.name_len + 2 + value_len
        return size

    cdef bytes fill(self, list texts, Item *items, Py_ssize_t count, Py_ssize_t total):
        cdef Py_ssize_t i, j, at, length_at
        cdef bytes value, name
        cdef Item *item
        cdef const char *separator
        room[0] = <uint8_t> self.modifier1
        put_length(1, total)
        room[3] = <uint8_t> self.modifier2
        at = 4
        for i in range(len(texts)):
            if texts[i] is None:
                continue
            value = <bytes> texts[i]
            if self.names[i] is not None:
                name = <bytes> self.names[i]
                at = put(at, PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
                at = put_length(at, PyBytes_GET_SIZE(value))
            at = put(at, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        for i in range(count):
            item = &items[i]
            if item.state != SENT:
                continue
            at = put_length(at, item.name_len + 5)
            at = put(at, b"HTTP_", 5)
            for j in range(item.name_len):
                room[at + j] = to_param(item.name[j])
            at += item.name_len
            length_at = at
            at = put(at + 2, item.value, item.value_len)
            separator = b"; " if item.name_len == 6 and same(item.name, b"cookie", 6) else b", "
            for j in range(i + 1, count):
                if (
                    items[j].state == JOINED
                    and items[j].hash == item.hash
                    and items[j].name_len == item.name_len
                    and same(items[j].name, item.name, item.name_len)
                ):
                    at = put(at, separator, 2)
                    at = put(at, items[j].value, items[j].value_len)
            put_length(length_at, at - length_at - 2)
        at = put(at, PyBytes_AS_STRING(self.tail), PyBytes_GET_SIZE(self.tail))
        return PyBytes_FromStringAndSize(<const char *> room, at)
