# cython: language_level=3, boundscheck=False, wraparound=False
"""Records of requests, written straight into the slots of a core.ring; see ring_writer.pyi.

A request pays for copies of bytes that are there already, and of the names that may mean a secret alone for being
looked at: what a record means is found by whoever reads it.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy

from gateway._fast.known_fields cimport K_AUTHORIZATION, K_COOKIE, K_PROXY_AUTHORIZATION, K_REFERER
from gateway._fast.request_head cimport Field, RequestHead

cdef extern from *:
    """
    #include <stdint.h>
    static void slot_opens(int64_t *p) {
        __atomic_store_n(p, 0, __ATOMIC_SEQ_CST);
    }
    static void slot_closes(int64_t *p, int64_t number) { __atomic_store_n(p, number, __ATOMIC_RELEASE); }
    """
    void slot_opens(int64_t *p) nogil
    void slot_closes(int64_t *p, int64_t number) nogil

cdef packed struct Figures:
    double at
    double seconds
    int64_t sent
    uint64_t id
    uint64_t more_of_id
    int32_t status
    uint16_t port
    uint8_t complete
    uint8_t named       # the id is a text of its own, behind these

FIGURES = sizeof(Figures)

# Of a field: its letter, the lengths of the name, of what stands between (": ") and of the value.
cdef packed struct Lengths:
    uint8_t letter
    uint8_t gap
    uint16_t name
    uint32_t value


cdef inline uint64_t _mixed(uint64_t value) noexcept nogil:
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL
    return value ^ (value >> 31)


cdef inline uint32_t _four(const char *text) noexcept nogil:
    """Four letters in lower case, as one number."""
    cdef uint32_t word
    memcpy(&word, text, 4)
    return word | 0x20202020


# The beginnings of what the names of secrets have in them (the module request_history says which those are), and of
# the two fields whose value is a URI; letters that none begins with are passed by. "_" is 0x7F in lower case.
cdef uint32_t TOKEN = _four(b"toke")
cdef uint32_t SECRET = _four(b"secr")
cdef uint32_t PASSWORD = _four(b"pass")
cdef uint32_t API_KEY = _four(b"apik")
cdef uint32_t API_DASH = _four(b"api-")
cdef uint32_t API_LINE = _four(b"api_")
cdef uint32_t SESSION = _four(b"sess")
cdef uint32_t SIGNATURE = _four(b"sign")
cdef uint32_t CREDENTIAL = _four(b"cred")
cdef uint32_t COOKIE = _four(b"cook")
cdef uint32_t AUTHORIZATION = _four(b"auth")
cdef uint32_t LOCATION = _four(b"loca")
cdef uint32_t REFERER = _four(b"refe")
cdef uint8_t _begins[256]


cdef void _fill():
    cdef uint8_t letter
    for letter in b"tspacrl":
        _begins[letter] = _begins[letter - 32] = 1

_fill()


cdef bint _perhaps_secret(const char *text, Py_ssize_t length) noexcept nogil:
    """Whether there may be something to mask; never False where there is."""
    cdef Py_ssize_t i
    cdef uint32_t word
    for i in range(length - 3):
        if _begins[<uint8_t> text[i]]:
            word = _four(text + i)
            if (
                word == TOKEN or word == SECRET or word == PASSWORD or word == SESSION or word == SIGNATURE
                or word == API_KEY or word == API_DASH or word == API_LINE or word == CREDENTIAL or word == COOKIE
                or word == AUTHORIZATION or word == LOCATION or word == REFERER
            ):
                return True
    return False


cdef inline char *_mask(char *to) noexcept nogil:
    memcpy(to, b"****", 4)
    return to + 4


cpdef bint perhaps_secret(bytes text) except -1:
    if text is None:
        raise TypeError("a text is bytes")
    return _perhaps_secret(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


cdef class RingWriter(_Part):
    def __init__(self, memory, Py_ssize_t offset, Words head not None, Py_ssize_t last, Py_ssize_t before,
                 Py_ssize_t slots, Py_ssize_t size, bytes seed not None, mask=None):
        if slots <= 0 or size <= 0 or size % 8 or before < 16 or before % 8:
            raise ValueError("a ring cannot be like this")
        if PyBytes_GET_SIZE(seed) != 16:
            raise ValueError("a seed has 16 bytes")
        self.need(slots * (before + size))
        head.at(last)
        self.slots = slots
        self.size = size
        self._head = head
        self._last = last
        self._before = before
        self._mask = mask
        memcpy(&self._seed, PyBytes_AS_STRING(seed), 8)
        memcpy(&self._other_seed, PyBytes_AS_STRING(seed) + 8, 8)

    cpdef int64_t begin(self) except -1:
        self._number = self._head.add(self._last, 1)
        self._words = <int64_t *> (self.start + (self._number - 1) % self.slots * (self._before + self.size))
        slot_opens(self._words)
        self._begin = self._to = <char *> self._words + self._before
        self._end = self._begin + self.size
        self.cut = False
        return self._number

    cpdef end(self):
        if self._words == NULL:
            raise RuntimeError("no record was begun")
        self._words[1] = self._to - self._begin
        slot_closes(self._words, self._number)
        self._words = NULL
        self._to = self._end = NULL

    cpdef put(self, bytes data):
        """A record as it is; its number."""
        cdef Py_ssize_t length = min(PyBytes_GET_SIZE(data), self.size)
        self.begin()
        memcpy(self._to, PyBytes_AS_STRING(data), length)
        self._to += length
        self.end()
        return self._number

    cpdef figures(self, double at, double seconds, int64_t sent, long status, long port, bint complete, bytes id):
        cdef Figures *figures = <Figures *> self._to
        if self._to == NULL or self._end - self._to < <Py_ssize_t> sizeof(Figures):
            raise RuntimeError("no record was begun")
        figures.at = at
        figures.seconds = seconds
        figures.sent = sent
        figures.status = <int32_t> status
        figures.port = <uint16_t> port
        figures.complete = complete
        figures.named = id is not None
        self._to += sizeof(Figures)
        if id is not None:
            self.text(id, 64)
        else:
            # Nobody has seen it, or it would be there. The number is all workers': no two records have the same.
            figures.id = _mixed(self._seed ^ <uint64_t> self._number)
            figures.more_of_id = _mixed(self._other_seed + <uint64_t> self._number * 0x9E3779B97F4A7C15ULL)

    cdef void write(self, bytes text, Py_ssize_t most) noexcept:
        # without a record there is no room: both ends are NULL
        cdef Py_ssize_t room = self._end - self._to - 4
        cdef Py_ssize_t length = 0 if text is None else PyBytes_GET_SIZE(text)
        if most > room:
            most = room
        if length > most:
            self.cut = True
            if room < 0:
                return
            length = most
        elif room < 0:
            return
        (<uint32_t *> self._to)[0] = <uint32_t> length
        if length:
            memcpy(self._to + 4, PyBytes_AS_STRING(text), length)
        self._to += 4 + length

    cpdef text(self, bytes text, Py_ssize_t most):
        self.write(text, most)

    cpdef line(self, bytes place, bytes server, bytes method, bytes protocol, bytes scheme, bytes client, bytes host,
               bytes target):
        """What was asked, in the order that request_history_record reads it in."""
        cdef Py_ssize_t quarter = self.size // 4
        self.write(place, quarter)
        self.write(server, 256)
        self.write(method, 64)
        self.write(protocol, 64)
        self.write(scheme, 64)
        self.write(client, 64)
        self.write(host, 256)
        self.write(target, quarter)

    cpdef tag(self, char letter):
        """What comes behind is of this kind."""
        if self._to < self._end:
            self._to[0] = letter
            self._to += 1
        else:
            self.cut = True

    cpdef asked(self, RequestHead head):
        """The client's fields."""
        cdef const char *base = <const char *> head.base()
        cdef Field *field
        cdef const char *name
        cdef const char *value
        cdef Py_ssize_t gap
        cdef bint plain
        cdef int i
        for i in range(head.count):
            field = &head.spans[i]
            name = base + field.name
            value = base + field.value
            plain = True
            if field.known:
                if field.known == K_COOKIE or field.known == K_AUTHORIZATION or field.known == K_PROXY_AUTHORIZATION:
                    self.hidden(name, field.name_len, value, field.value_len, field.known == K_COOKIE)
                    continue
                if field.known == K_REFERER:
                    plain = memchr(value, 61, field.value_len) == NULL
            else:
                plain = not _perhaps_secret(name, field.name_len)
            gap = <Py_ssize_t> field.value - field.name - field.name_len
            if plain and 0 <= gap < 256 and field.name_len < 65536:
                self.field(65, name, field.name_len, gap, field.value_len)
            else:
                self.masked(
                    65, head.span(field.name, field.name + field.name_len),
                    head.span(field.value, field.value + field.value_len),
                )

    cdef int hidden(
        self, const char *name, Py_ssize_t n, const char *value, Py_ssize_t size, bint cookies
    ) except -1:
        """A client's cookies, of which the names are kept, or its password, of which the scheme is."""
        cdef Lengths *lengths = <Lengths *> self._to
        cdef char *to = self._to + sizeof(Lengths)
        cdef char *begin
        cdef const char *end = value + size
        cdef const char *space
        # at worst each byte is a "=" or a ";": half of them grow by four
        if self._end - self._to < <Py_ssize_t> sizeof(Lengths) + n + size + 4 + (2 * size if cookies else 0):
            self.cut = True
            return 0
        memcpy(to, name, n)
        to += n
        begin = to
        if cookies:
            while value < end:
                to[0] = value[0]
                to += 1
                value += 1
                if (value - 1)[0] == 61:
                    to = _mask(to)
                    while value < end and value[0] != 59 and value[0] != 44:
                        value += 1
        else:
            space = <const char *> memchr(value, 32, size)
            if space != NULL:
                memcpy(to, value, space + 1 - value)
                to += space + 1 - value
            to = _mask(to)
        lengths.letter = 65
        lengths.gap = 0
        lengths.name = <uint16_t> n
        lengths.value = <uint32_t> (to - begin)
        self._to = to
        return 0

    cpdef answered(self, bytes name, bytes value):
        """One of the response's fields."""
        if _perhaps_secret(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)):
            self.masked(82, name, value)
        else:
            self.plain(name, value)

    cpdef plain(self, bytes name, bytes value):
        """One whose name is known to mean no secret."""
        cdef Lengths *lengths = <Lengths *> self._to
        cdef Py_ssize_t n = PyBytes_GET_SIZE(name)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
        if self._to == NULL or n >= 65536 or self._end - self._to < n + size + <Py_ssize_t> sizeof(Lengths):
            self.cut = True
            return
        lengths.letter = 82
        lengths.gap = 0
        lengths.name = <uint16_t> n
        lengths.value = <uint32_t> size
        self._to += sizeof(Lengths)
        memcpy(self._to, PyBytes_AS_STRING(name), n)
        memcpy(self._to + n, PyBytes_AS_STRING(value), size)
        self._to += n + size

    cdef int field(self, char letter, const char *name, Py_ssize_t n, Py_ssize_t gap, Py_ssize_t size) except -1:
        """A field whose value stands behind its name."""
        cdef Lengths *lengths = <Lengths *> self._to
        if self._end - self._to < n + gap + size + <Py_ssize_t> sizeof(Lengths):
            self.cut = True
            return 0
        lengths.letter = letter
        lengths.gap = <uint8_t> gap
        lengths.name = <uint16_t> n
        lengths.value = <uint32_t> size
        memcpy(self._to + sizeof(Lengths), name, n + gap + size)
        self._to += <Py_ssize_t> sizeof(Lengths) + n + gap + size
        return 0

    cdef int masked(self, char letter, bytes name, bytes value) except -1:
        cdef bytes both
        if self._mask is not None:
            value = self._mask(name, value)
        both = name[:65535] + value
        return self.field(
            letter, PyBytes_AS_STRING(both), min(PyBytes_GET_SIZE(name), 65535), 0, PyBytes_GET_SIZE(value)
        )
