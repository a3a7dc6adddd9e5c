# cython: language_level=3, boundscheck=False, wraparound=False
"""The uwsgi packet in one pass: a location's compiled params and a request's header fields into one buffer."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from gateway._fast.header_line cimport fold_hash
from gateway._fast.request_head cimport Field, RequestHead
from gateway._fast.value cimport Value, value_of

import struct

cdef enum:
    MAX_SIZE = 0xFFFF   # the size has 16 bits
    HEAD = 4            # modifier1, the size, modifier2
    FEW = 32            # fields for which no memory is asked
    ROOM = 4096         # of a packet for which none is asked

cdef enum:
    SENT = 0
    HIDDEN = 1      # a param stands in its place
    JOINED = 2      # goes into the first field of its name, or is hidden with it


cdef inline void put(Packet *packet, const void *text, Py_ssize_t length) noexcept:
    cdef Py_ssize_t at = packet.at
    packet.at = at + length
    if packet.at <= packet.size or widen(packet, at):
        memcpy(packet.room + at, text, length)


cdef inline void put_length(Packet *packet, Py_ssize_t length) noexcept:
    # A length over 16 bits is cut; the whole packet is then refused for its size.
    cdef uint8_t two[2]
    two[0] = <uint8_t> (length & 0xFF)
    two[1] = <uint8_t> ((length >> 8) & 0xFF)
    put(packet, two, 2)


cdef bint widen(Packet *packet, Py_ssize_t filled) noexcept:
    """Ask for the room of the largest packet; False if what is put goes beyond that, too."""
    cdef uint8_t *memory
    if packet.at > HEAD + MAX_SIZE:
        return False
    memory = <uint8_t *> malloc(HEAD + MAX_SIZE)
    if memory == NULL:
        packet.at = HEAD + MAX_SIZE + 1     # as one that is too large
        return False
    memcpy(memory, packet.room, filled)
    packet.room = packet.memory = memory
    packet.size = HEAD + MAX_SIZE
    return True


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
        self.kept = []
        free(self.parts)
        free(self.ignored)
        self.part_count = self.ignored_count = 0
        self.parts = <Part *> malloc((len(self.params) + 1) * sizeof(Part))
        self.ignored = <Name *> malloc((len(self.params) + 1) * sizeof(Name))
        if self.parts == NULL or self.ignored == NULL:
            raise MemoryError
        cdef bytes run = b"", hidden
        cdef Name *ignored
        for name, value, skip_empty in self.params:
            hides = len(name) > 5 and name.startswith(b"HTTP_")
            if hides:
                hidden = name[5:].upper()
                self.kept.append(hidden)
                ignored = &self.ignored[self.ignored_count]
                ignored.text = <const uint8_t *> PyBytes_AS_STRING(hidden)
                ignored.size = len(hidden)
                ignored.hash = fold_hash(ignored.text, ignored.size)
                self.ignored_count += 1
            if isinstance(value, bytes):
                if not value and (hides or skip_empty):
                    continue
                run += struct.pack("<H", len(name) & MAX_SIZE) + name + struct.pack("<H", len(value) & MAX_SIZE) + value
                continue
            self.add(run, struct.pack("<H", len(name) & MAX_SIZE) + name, value_of(value), bool(skip_empty))
            run = b""
        if run:
            self.add(run, b"", None, False)

    def __dealloc__(self):
        free(self.parts)
        free(self.ignored)

    cdef int add(self, bytes run, bytes name, Value value, bint skip_empty) except -1:
        """One more part: constant pairs, and the name of an evaluated param with its length before it."""
        cdef bytes text = run + name
        self.kept.append(text)
        self.kept.append(value)
        cdef Part *part = &self.parts[self.part_count]
        part.text = PyBytes_AS_STRING(text)
        part.run = len(run)
        part.size = len(text)
        part.value = NULL
        if value is not None:
            part.value = <PyObject *> value
        part.skip_empty = skip_empty
        self.part_count += 1
        return 0

    cpdef bytes encode(self, object request, object head):
        """The packet of a request; `head` is a RequestHead, or a list of (name, value).

        Errors: OverflowError(size), and what evaluating a param raises.
        """
        cdef uint8_t room[ROOM]
        cdef Packet packet
        packet.room = room
        packet.size = ROOM
        packet.at = HEAD
        packet.memory = NULL
        try:
            self.put_params(&packet, request)
            if self.pass_headers:
                self.put_fields(&packet, head)
            put(&packet, PyBytes_AS_STRING(self.tail), PyBytes_GET_SIZE(self.tail))
            if packet.at > HEAD + MAX_SIZE:
                raise OverflowError(packet.at - HEAD)
            packet.room[0] = <uint8_t> self.modifier1
            packet.room[1] = <uint8_t> ((packet.at - HEAD) & 0xFF)
            packet.room[2] = <uint8_t> ((packet.at - HEAD) >> 8)
            packet.room[3] = <uint8_t> self.modifier2
            return PyBytes_FromStringAndSize(<const char *> packet.room, packet.at)
        finally:
            free(packet.memory)

    cdef int put_params(self, Packet *packet, object request) except -1:
        cdef Part *part
        cdef bytes value
        cdef Py_ssize_t i, size
        for i in range(self.part_count):
            part = &self.parts[i]
            if part.value == NULL:
                put(packet, part.text, part.size)
                continue
            found = (<Value> part.value).value(request)
            size = 0
            if found is not None:
                value = <bytes?> found
                size = PyBytes_GET_SIZE(value)
            if size == 0 and part.skip_empty:
                put(packet, part.text, part.run)
                continue
            put(packet, part.text, part.size)
            put_length(packet, size)
            if size:
                put(packet, PyBytes_AS_STRING(value), size)
        return 0

    cdef int put_fields(self, Packet *packet, object head) except -1:
        cdef Item few[FEW]
        cdef Item *items = few
        cdef Py_ssize_t count = (<RequestHead> head).count if type(head) is RequestHead else len(head)
        if count > FEW:
            items = <Item *> malloc(count * sizeof(Item))
            if items == NULL:
                raise MemoryError
        try:
            if type(head) is RequestHead:
                take_spans(items, <RequestHead> head)
            else:
                take_pairs(items, head)
            self.put_items(packet, items, count)
        finally:
            if items != few:
                free(items)
        return 0

    cdef void put_items(self, Packet *packet, Item *items, Py_ssize_t count) noexcept:
        """Each field under its name as a param; those of one name joined, and none that a param stands for."""
        cdef Py_ssize_t i, j, size
        cdef Item *item
        cdef Item *other
        cdef Name *hidden
        cdef uint8_t *out
        cdef const char *separator
        for i in range(count):
            item = &items[i]
            if item.state:
                continue
            for j in range(self.ignored_count):
                hidden = &self.ignored[j]
                if (
                    hidden.hash == item.hash
                    and hidden.size == item.name_len
                    and stands_for(hidden.text, item.name, item.name_len)
                ):
                    item.state = HIDDEN
                    break
            size = item.value_len
            for j in range(i + 1, count):
                other = &items[j]
                if other.hash == item.hash and other.name_len == item.name_len and same(
                    other.name, item.name, item.name_len
                ):
                    other.state = JOINED
                    other.first = i
                    size += 2 + other.value_len
            if item.state:
                continue
            put_length(packet, item.name_len + 5)
            put(packet, b"HTTP_", 5)
            put(packet, item.name, item.name_len)
            if packet.at <= packet.size:
                out = packet.room + packet.at - item.name_len
                for j in range(item.name_len):
                    out[j] = to_param(out[j])
            put_length(packet, size)
            put(packet, item.value, item.value_len)
            if size == item.value_len:
                continue
            separator = b"; " if item.name_len == 6 and same(item.name, b"cookie", 6) else b", "
            for j in range(i + 1, count):
                if items[j].state == JOINED and items[j].first == i:
                    put(packet, separator, 2)
                    put(packet, items[j].value, items[j].value_len)


cdef void take_spans(Item *items, RequestHead head) noexcept:
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


cdef int take_pairs(Item *items, list pairs) except -1:
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
