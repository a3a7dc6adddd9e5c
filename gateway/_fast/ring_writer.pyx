# cython: language_level=3, boundscheck=False, wraparound=False
"""Records of requests, written straight into the slots of a core.ring; see ring_writer.pyi.

A request pays for copies of bytes that are there already, and of the names that may mean a secret alone for being
looked at: what a record means is found by whoever reads it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from gateway._fast.known_fields cimport K_AUTHORIZATION, K_COOKIE, K_END, K_PROXY_AUTHORIZATION, K_REFERER
from gateway._fast.request_head cimport Field, RequestHead

cdef extern from *:
    """
    #include <stdint.h>
    static void slot_opens(int64_t *p) {
        __atomic_store_n(p, 0, __ATOMIC_SEQ_CST);
    }
    static void slot_closes(int64_t *p, int64_t number) { __atomic_store_n(p, number, __ATOMIC_RELEASE); }
    static int64_t next_number(int64_t *p) { return __atomic_add_fetch(p, 1, __ATOMIC_SEQ_CST); }
    /* memcpy() of a few bytes without a call; returns where the next ones go */
    static inline char *copied(char *to, const char *from, size_t n) {
        uint64_t first, last;
        uint32_t front, back;
        if (n > 16)
            memcpy(to, from, n);
        else if (n >= 8) {
            memcpy(&first, from, 8); memcpy(&last, from + n - 8, 8);
            memcpy(to, &first, 8); memcpy(to + n - 8, &last, 8);
        } else if (n >= 4) {
            memcpy(&front, from, 4); memcpy(&back, from + n - 4, 4);
            memcpy(to, &front, 4); memcpy(to + n - 4, &back, 4);
        } else if (n) {
            /* one to three: the first, the middle one, the last */
            to[0] = from[0]; to[n >> 1] = from[n >> 1]; to[n - 1] = from[n - 1];
        }
        return to + n;
    }
    static inline char *text_copied(char *to, const char *from, uint32_t n) {
        memcpy(to, &n, 4);
        return copied(to + 4, from, n);
    }
    """
    void slot_opens(int64_t *p) nogil
    void slot_closes(int64_t *p, int64_t number) nogil
    int64_t next_number(int64_t *p) nogil
    char *copied(char *to, const char *from_, size_t n) nogil
    char *text_copied(char *to, const char *from_, uint32_t n) nogil

cdef packed struct Figures:
    double at
    double seconds
    int64_t sent
    int64_t length      # the answer's, as declared; -1: not
    uint64_t id
    uint64_t more_of_id
    int32_t status
    uint16_t port
    uint8_t complete
    uint8_t named       # the id is a text of its own, behind these

FIGURES = sizeof(Figures)

# Of a field that does not stand as it came: its letter, the lengths of the name and of the value.
cdef packed struct Lengths:
    uint8_t letter
    uint8_t none
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


# Names of fields come again and again: what was found of those that nginx does not know, by a hash of theirs.
cdef struct Verdict:
    uint32_t hash
    uint8_t length
    bint secret
    char name[40]

cdef Verdict _verdicts[64]


cdef bint _secret_name(const char *name, Py_ssize_t n, uint32_t hash) noexcept:
    cdef Verdict *verdict = &_verdicts[hash & 63]
    if verdict.hash == hash and verdict.length == n and memcmp(verdict.name, name, n) == 0:
        return verdict.secret
    cdef bint secret = _perhaps_secret(name, n)
    if 0 < n <= <Py_ssize_t> sizeof(verdict.name):
        verdict.hash = hash
        verdict.length = <uint8_t> n
        verdict.secret = secret
        memcpy(verdict.name, name, n)
    return secret


# The known fields that are not always kept as they came.
cdef bint _masked[K_END]
_masked[K_COOKIE] = _masked[K_AUTHORIZATION] = _masked[K_PROXY_AUTHORIZATION] = _masked[K_REFERER] = True


cdef inline Py_ssize_t _length(bytes text) noexcept:
    return 0 if text is None else PyBytes_GET_SIZE(text)


cdef inline const char *_text(bytes text) noexcept:
    return NULL if text is None else PyBytes_AS_STRING(text)


cdef inline char *_mask(char *to) noexcept nogil:
    memcpy(to, b"****", 4)
    return to + 4


cpdef bytes front_of(bytes place, bytes server):
    """The beginning that all records of a location have, ready to be copied."""
    cdef uint32_t first = <uint32_t> PyBytes_GET_SIZE(place)
    cdef uint32_t second = <uint32_t> PyBytes_GET_SIZE(server)
    return (<char *> &first)[:4] + place + (<char *> &second)[:4] + server


cpdef bint perhaps_secret(bytes text) except -1:
    if text is None:
        raise TypeError("a text is bytes")
    return _perhaps_secret(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


@cython.final
cdef class RingWriter(_Part):
    def __init__(self, memory, Py_ssize_t offset, Words head not None, Py_ssize_t last, Py_ssize_t before,
                 Py_ssize_t slots, Py_ssize_t size, bytes seed not None, mask=None):
        if slots <= 0 or size <= 0 or size % 8 or before < 16 or before % 8:
            raise ValueError("a ring cannot be like this")
        if PyBytes_GET_SIZE(seed) != 16:
            raise ValueError("a seed has 16 bytes")
        self.need(slots * (before + size))
        self.slots = slots
        self.size = size
        self._head = head
        self._last = head.at(last)
        self._before = before
        self._mask = mask
        memcpy(&self._seed, PyBytes_AS_STRING(seed), 8)
        memcpy(&self._other_seed, PyBytes_AS_STRING(seed) + 8, 8)

    cpdef int64_t begin(self) except -1:
        self._number = next_number(self._last)
        cdef uint64_t slot = <uint64_t> (self._number - 1) % <uint64_t> self.slots
        self._words = <int64_t *> (self.start + slot * (self._before + self.size))
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

    cpdef figures(self, double at, double seconds, int64_t sent, int64_t length, long status, long port,
                  bint complete, bytes id):
        cdef Figures *figures = <Figures *> self._to
        if self._to == NULL or self._end - self._to < <Py_ssize_t> sizeof(Figures):
            raise RuntimeError("no record was begun")
        figures.at = at
        figures.seconds = seconds
        figures.sent = sent
        figures.length = length
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

    cdef void write(self, const char *text, Py_ssize_t length, Py_ssize_t most) noexcept:
        # without a record there is no room: both ends are NULL
        cdef Py_ssize_t room = self._end - self._to - 4
        if most > room:
            most = room
        if length > most:
            self.cut = True
            if room < 0:
                return
            length = most
        elif room < 0:
            return
        self._to = text_copied(self._to, text, <uint32_t> length)

    cpdef text(self, bytes text, Py_ssize_t most):
        self.write(_text(text), _length(text), most)

    cpdef asked(self, bytes front, bytes method, bytes protocol, bytes scheme, bytes client, bytes host, bytes kind,
                RequestHead head):
        """What was asked, in the order that request_history_record reads it in."""
        cdef const char *base = <const char *> head.base()
        cdef const char *version = _text(protocol)
        cdef const char *target = base + head.line.uri_start
        cdef Py_ssize_t target_size = head.line.uri_end - head.line.uri_start
        cdef Py_ssize_t version_size = _length(protocol)
        cdef Py_ssize_t all_of_them
        cdef bytes masked
        cdef char *to = self._to
        if protocol is None and head.line.proto_start and head.line.end > head.line.proto_start:
            version = base + head.line.proto_start
            version_size = head.line.end - head.line.proto_start
        if target_size < 0:
            target_size = 0  # of a line that was refused half-way
        elif target_size > 5 and _perhaps_secret(target, target_size) and self._mask is not None:
            masked = self._mask(b"Referer", head.get_target())
            target = PyBytes_AS_STRING(masked)
            target_size = PyBytes_GET_SIZE(masked)
        all_of_them = PyBytes_GET_SIZE(front) + 7 * 4 + PyBytes_GET_SIZE(method) + version_size + \
            PyBytes_GET_SIZE(scheme) + PyBytes_GET_SIZE(client) + _length(host) + _length(kind) + target_size
        if to == NULL:
            raise RuntimeError("no record was begun")
        if all_of_them > self.size // 2 or all_of_them > self._end - to:
            self.asked_much(front, method, version, version_size, scheme, client, host, kind, target, target_size)
        else:
            to = copied(to, PyBytes_AS_STRING(front), PyBytes_GET_SIZE(front))
            to = text_copied(to, PyBytes_AS_STRING(method), <uint32_t> PyBytes_GET_SIZE(method))
            to = text_copied(to, version, <uint32_t> version_size)
            to = text_copied(to, PyBytes_AS_STRING(scheme), <uint32_t> PyBytes_GET_SIZE(scheme))
            to = text_copied(to, PyBytes_AS_STRING(client), <uint32_t> PyBytes_GET_SIZE(client))
            to = text_copied(to, _text(host), <uint32_t> _length(host))
            to = text_copied(to, target, <uint32_t> target_size)
            to = text_copied(to, _text(kind), <uint32_t> _length(kind))
            self._to = to

    cdef void asked_much(
        self, bytes front, bytes method, const char *version, Py_ssize_t version_size, bytes scheme, bytes client,
        bytes host, bytes kind, const char *target, Py_ssize_t target_size,
    ) noexcept:
        """Where something may have to be cut."""
        cdef Py_ssize_t quarter = self.size // 4
        if PyBytes_GET_SIZE(front) <= self._end - self._to:
            self._to = copied(self._to, PyBytes_AS_STRING(front), PyBytes_GET_SIZE(front))
        self.write(PyBytes_AS_STRING(method), PyBytes_GET_SIZE(method), 64)
        self.write(version, version_size, 64)
        self.write(PyBytes_AS_STRING(scheme), PyBytes_GET_SIZE(scheme), 64)
        self.write(PyBytes_AS_STRING(client), PyBytes_GET_SIZE(client), 64)
        self.write(_text(host), _length(host), 256)
        self.write(target, target_size, quarter)
        self.write(_text(kind), _length(kind), 64)

    cpdef tag(self, char letter):
        """What comes behind is of this kind."""
        if self._to < self._end:
            self._to[0] = letter
            self._to += 1
        else:
            self.cut = True

    cpdef fields(self, RequestHead head):
        """The client's fields: in runs of lines as they came, around those of which something is left out."""
        cdef const char *base = <const char *> head.base()
        cdef Field *field
        cdef Py_ssize_t begin = 0
        cdef Py_ssize_t end = 0
        cdef Py_ssize_t behind
        cdef Py_ssize_t room = self._end - self._to - 4
        cdef Field *last = head.spans + head.count
        cdef bint secret
        field = head.spans
        while field < last:
            behind = <Py_ssize_t> field.value + field.value_len
            if field.known:
                secret = _masked[field.known] and (
                    field.known != K_REFERER or memchr(base + field.value, 61, field.value_len) != NULL)
            else:
                secret = _secret_name(base + field.name, field.name_len, field.hash)
            if not secret and end and field.name == <uint32_t> end + 2 and base[end] == 13 \
                    and behind - begin < room:
                end = behind
                field += 1
                continue
            if end:
                self.run(base + begin, end - begin)
                room = self._end - self._to - 4
                end = 0
            if secret:
                self.secret(head, field, base)
                room = self._end - self._to - 4
            elif behind - <Py_ssize_t> field.name < room:
                begin = field.name
                end = behind
            else:
                self.cut = True
            field += 1
        if end:
            self.run(base + begin, end - begin)

    cdef void run(self, const char *lines, Py_ssize_t size) noexcept:
        # fields() has seen that there is room
        self._to[0] = 70
        self._to = text_copied(self._to + 1, lines, <uint32_t> size)

    cdef int secret(self, RequestHead head, Field *field, const char *base) except -1:
        if field.known != K_REFERER and field.known:
            self.hidden(base + field.name, field.name_len, base + field.value, field.value_len,
                        field.known == K_COOKIE)
        else:
            self.masked(65, head.span(field.name, field.name + field.name_len),
                        head.span(field.value, field.value + field.value_len))
        return 0

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
        lengths.none = 0
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
        lengths.none = 0
        lengths.name = <uint16_t> n
        lengths.value = <uint32_t> size
        cdef char *to = copied(self._to + sizeof(Lengths), PyBytes_AS_STRING(name), n)
        self._to = copied(to, PyBytes_AS_STRING(value), size)

    cdef int field(self, char letter, const char *both, Py_ssize_t n, Py_ssize_t size) except -1:
        """A field whose value stands behind its name."""
        cdef Lengths *lengths = <Lengths *> self._to
        if self._end - self._to < n + size + <Py_ssize_t> sizeof(Lengths):
            self.cut = True
            return 0
        lengths.letter = letter
        lengths.none = 0
        lengths.name = <uint16_t> n
        lengths.value = <uint32_t> size
        memcpy(self._to + sizeof(Lengths), both, n + size)
        self._to += <Py_ssize_t> sizeof(Lengths) + n + size
        return 0

    cdef int masked(self, char letter, bytes name, bytes value) except -1:
        cdef bytes both
        if self._mask is not None:
            value = self._mask(name, value)
        both = name[:65535] + value
        return self.field(letter, PyBytes_AS_STRING(both), min(PyBytes_GET_SIZE(name), 65535), PyBytes_GET_SIZE(value))
