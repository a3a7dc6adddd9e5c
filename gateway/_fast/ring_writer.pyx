# cython: language_level=3, boundscheck=False, wraparound=False
"""Records of requests, put together and copied into the slots of a core.ring; see ring_writer.pyi.

A request pays for copies of bytes that are there already, its head in one piece, and of the names that may mean a
secret alone for being looked at: what a record means is found by whoever reads it. What is secret is left out here,
and not by the reader: the ring is a file, that lies on a disk and in backups.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp, memcpy

from gateway._fast.known_fields cimport K_AUTHORIZATION, K_COOKIE, K_END, K_PROXY_AUTHORIZATION, K_REFERER
from gateway._fast.request_head cimport Field, RequestHead

cdef extern from *:
    """
    #include <stdint.h>
    #define GW_BYTES_SIZE(o) PyBytes_GET_SIZE(o)
    #define GW_BYTES(o) PyBytes_AS_STRING(o)
    static void slot_opens(int64_t *p) {
        __atomic_store_n(p, 0, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);
    }
    static void slot_closes(int64_t *p, int64_t number) { __atomic_store_n(p, number, __ATOMIC_RELEASE); }
    static int64_t next_number(int64_t *p) { return __atomic_add_fetch(p, 1, __ATOMIC_SEQ_CST); }
    /* memcpy() of a few bytes without a call, by two copies that overlap; returns where the next ones go */
    #define TWO_OF(type) { type first, last; memcpy(&first, from, sizeof(type)); \
        memcpy(&last, from + n - sizeof(type), sizeof(type)); memcpy(to, &first, sizeof(type)); \
        memcpy(to + n - sizeof(type), &last, sizeof(type)); }
    typedef struct { uint64_t words[2]; } sixteen;
    typedef struct { uint64_t words[4]; } thirty_two;
    static inline char *copied(char *to, const char *from, size_t n) {
        if (n > 64)
            memcpy(to, from, n);
        else if (n >= 32)
            TWO_OF(thirty_two)
        else if (n >= 16)
            TWO_OF(sixteen)
        else if (n >= 8)
            TWO_OF(uint64_t)
        else if (n >= 4)
            TWO_OF(uint32_t)
        else if (n) {
            /* one to three: the first, the middle one, the last */
            to[0] = from[0]; to[n >> 1] = from[n >> 1]; to[n - 1] = from[n - 1];
        }
        return to + n;
    }
    static inline char *text_copied(char *to, const char *from, uint32_t n) {
        memcpy(to, &n, 4);
        return copied(to + 4, from, n);
    }
    /* The lines of a slot, which another record had last: they are here when it is written. Once alone: a ring that
       takes a part of a core's caches for itself costs more than what is written into it. As many as the record
       before had: most are alike. */
    static inline void fetch_once(const char *p, const char *end) {
        for (; p < end; p += 64)
            __builtin_prefetch(p, 0, 0);
    }
    """
    Py_ssize_t GW_BYTES_SIZE(PyObject *text) noexcept
    const char *GW_BYTES(PyObject *text) noexcept
    void slot_opens(int64_t *p) nogil
    void slot_closes(int64_t *p, int64_t number) nogil
    int64_t next_number(int64_t *p) nogil
    char *copied(char *to, const char *from_, size_t n) nogil
    char *text_copied(char *to, const char *from_, uint32_t n) nogil
    void fetch_once(const char *p, const char *end) nogil

FIGURES = sizeof(Figures)

# Of a field of the answer: its letter, the lengths of the name and of the value.
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


# Of bytes or None.
cdef inline Py_ssize_t _length(PyObject *text) noexcept:
    return 0 if text == <PyObject *> None else GW_BYTES_SIZE(text)


cdef inline const char *_text(PyObject *text) noexcept:
    return NULL if text == <PyObject *> None else GW_BYTES(text)


def id_of(uint64_t word):
    """The id of a record that has no text of its own for it, from what it has: each word has another one."""
    return f"{_mixed(word):016x}{_mixed(word + 0x9E3779B97F4A7C15ULL):016x}"


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
                 Py_ssize_t slots, Py_ssize_t near, Py_ssize_t size, bytes seed not None, mask=None):
        if slots <= 0 or not 0 < near <= size < 1 << 31 or size % 8 or near % 8 or before < 16 or before % 8:
            raise ValueError("a ring cannot be like this")
        if PyBytes_GET_SIZE(seed) != 8:
            raise ValueError("a seed has 8 bytes")
        self.need(slots * (before + size))
        free(self._room)
        self._room = <char *> malloc(size)
        if self._room == NULL:
            raise MemoryError
        self._begin = self._to = self._end = NULL
        self._figures = NULL
        self.slots = slots
        self.size = size
        self._near = near
        self._head = head
        self._last = head.at(last)
        self._before = before
        self._slot = -1
        self._mask = mask
        self._fetched = near
        memcpy(&self._seed, PyBytes_AS_STRING(seed), 8)

    def __dealloc__(self):
        free(self._room)

    cdef int64_t opened(self) noexcept:
        """A record is put together here, in memory that is always near; end() copies it."""
        cdef int64_t number = next_number(self._last)
        cdef const char *slot
        # a division is as dear as all the rest; it is needed when another worker had the number before
        if number == self._number + 1 and self._slot + 1 < self.slots:
            self._slot += 1
        else:
            self._slot = <Py_ssize_t> (<uint64_t> (number - 1) % <uint64_t> self.slots)
        self._number = number
        slot = self.start + self._slot * (self._before + self._near)
        fetch_once(slot, slot + self._fetched)
        self._front = 0
        self._begin = self._to = self._room
        self._end = self._begin + self.size
        self._cut = False
        return number

    cpdef int64_t begin(self, double at, double seconds, int64_t sent, int64_t length, long status, long port,
                        long version, bint complete, bytes id, bytes front, bytes scheme, bytes client,
                        bytes kind, uint32_t kept=0) except -1:
        if self.size < <Py_ssize_t> sizeof(Figures) + (0 if kept else _length(<PyObject *> front)):
            raise RuntimeError("a record has no room")
        cdef Figures *figures = self.begun(kept, <PyObject *> front, NULL if id is None else <PyObject *> id,
                                           <PyObject *> client, <PyObject *> kind)
        figures.at = at
        figures.seconds = <float> seconds
        figures.sent = sent
        figures.length = length
        figures.status = <uint16_t> status
        figures.port = <uint16_t> port
        figures.version = <uint8_t> version
        figures.flags |= (COMPLETE if complete else 0) | (SECURE if _length(<PyObject *> scheme) == 5 else 0)
        return self._number

    cdef Figures *begun(self, uint32_t kept, PyObject *front, PyObject *id, PyObject *client, PyObject *kind) noexcept:
        """begin(), but for the figures, which whoever calls has to set all; `id`: NULL, or one. There must be room
        for them and for the front."""
        cdef Figures *figures
        cdef char *to
        cdef Py_ssize_t clients = _length(client)
        cdef Py_ssize_t kinds = _length(kind)
        self.opened()
        self._front = kept
        if not kept:
            self._to = copied(self._to, _text(front), _length(front))
        self._figures = figures = <Figures *> self._to
        self._to += sizeof(Figures)
        figures.flags = 0
        # Nobody has seen it, or it would be there. The number is all workers': no two records have the same.
        figures.id = self._seed ^ <uint64_t> self._number
        if id != NULL:
            figures.flags = NAMED
            self.write(_text(id), _length(id), 64)
        to = self._to
        if 2 * 4 + clients + kinds > self._end - to:
            self.write(_text(client), clients, 64)
            self.write(_text(kind), kinds, 64)
        else:
            to = text_copied(to, _text(client), <uint32_t> clients)
            self._to = text_copied(to, _text(kind), <uint32_t> kinds)
        return figures

    cpdef end(self):
        cdef Py_ssize_t length = self._to - self._begin
        cdef char *slot = self.start + self._slot * (self._before + self._near)
        cdef Py_ssize_t far = self.size - self._near
        if self._begin == NULL:
            raise RuntimeError("no record was begun")
        if self._cut and self._figures != NULL:
            self._figures.flags |= CUT
        slot_opens(<int64_t *> slot)
        (<int64_t *> slot)[1] = length | <int64_t> self._front << 32
        self._fetched = self._before + min(length, self._near)
        if length <= self._near:
            memcpy(slot + self._before, self._begin, length)
        else:
            memcpy(slot + self._before, self._begin, self._near)
            memcpy(self.start + self.slots * (self._before + self._near) + self._slot * far,
                   self._begin + self._near, length - self._near)
        slot_closes(<int64_t *> slot, self._number)
        self._begin = self._to = self._end = NULL
        self._figures = NULL

    cpdef put(self, bytes data):
        """A record as it is; its number."""
        cdef Py_ssize_t length = min(PyBytes_GET_SIZE(data), self.size)
        self.opened()
        memcpy(self._to, PyBytes_AS_STRING(data), length)
        self._to += length
        self.end()
        return self._number

    cdef void write(self, const char *text, Py_ssize_t length, Py_ssize_t most) noexcept:
        # without a record there is no room: both ends are NULL
        cdef Py_ssize_t room = self._end - self._to - 4
        if most > room:
            most = room
        if length > most:
            self._cut = True
            if room < 0:
                return
            length = most
        elif room < 0:
            return
        self._to = text_copied(self._to, text, <uint32_t> length)

    cpdef text(self, bytes text, Py_ssize_t most):
        self.write(_text(<PyObject *> text), _length(<PyObject *> text), most)

    cpdef tag(self, char letter):
        """What comes behind is of this kind."""
        if self._to < self._end:
            self._to[0] = letter
            self._to += 1
        else:
            self._cut = True

    cdef void more(self, const char *text, Py_ssize_t length) noexcept:
        """A piece of the text that is being written."""
        cdef Py_ssize_t room = self._end - self._to
        if length > room:
            self._cut = True
            length = room
        if length > 0:
            self._to = copied(self._to, text, length)

    cpdef head(self, RequestHead head, bytes method):
        self.keep_head(head, <PyObject *> method)

    cdef void keep_head(self, RequestHead head, PyObject *method) noexcept:
        """The line and the fields as they came, in pieces between those of which something is left out."""
        cdef const char *base = <const char *> head.base()
        cdef Py_ssize_t begin = head.line.start
        cdef Py_ssize_t end = head.line.end
        cdef Field *field = head.spans
        cdef Field *last = head.spans + head.count
        cdef char *at = self._to
        cdef uint32_t size
        cdef bint secret
        if self._end - at < 5:
            self._cut = True
            return
        at[0] = 72
        self._to = at + 5
        if not head.line_complete or end <= head.line.uri_end or head.line.uri_end <= head.line.uri_start:
            begin = end = self.line(head, base, method)
        elif head.line.uri_end - head.line.uri_start > 5 and _perhaps_secret(
            base + head.line.uri_start, head.line.uri_end - head.line.uri_start
        ):
            self.more(base + begin, head.line.uri_start - begin)
            self.masked(b"Referer", head.get_target())
            begin = head.line.uri_end
        while field < last:
            if field.known:
                secret = _masked[field.known]
            else:
                secret = _secret_name(base + field.name, field.name_len, field.hash)
            if <Py_ssize_t> field.name != end + 2 or base[end] != 13 or secret:
                # another line lies between, or the last one ended otherwise; or the run ends here
                if <Py_ssize_t> field.name != end + 2 or base[end] != 13:
                    self.more(base + begin, end - begin)
                    self.more(b"\r\n", 2)
                    begin = field.name
                end = field.value
                if base[field.name + field.name_len] != 58:
                    # fields that were set stand without colons
                    self.more(base + field.name, field.name_len)
                    self.more(b": ", 2)
                    begin = end
                if secret:
                    self.more(base + begin, end - begin)
                    self.secret(head, field, base)
                    begin = end + field.value_len
            end = <Py_ssize_t> field.value + field.value_len
            field += 1
        if 0 < end - begin <= self._end - self._to:
            self._to = copied(self._to, base + begin, end - begin)
        else:
            self.more(base + begin, end - begin)
        size = <uint32_t> (self._to - at - 5)
        memcpy(at + 1, &size, 4)

    cdef Py_ssize_t line(self, RequestHead head, const char *base, PyObject *method) noexcept:
        """Of a line that is none, or ends with its target: what was understood of it. Where the fields' run begins."""
        self.more(_text(method), _length(method))
        self.more(b" ", 1)
        if head.line.uri_end > head.line.uri_start:
            self.masked(b"Referer", head.get_target())
        if head.line.proto_start and head.line.end > head.line.proto_start:
            self.more(b" ", 1)
            self.more(base + head.line.proto_start, head.line.end - head.line.proto_start)
        return head.line.end if head.line_complete else 0

    cdef void secret(self, RequestHead head, Field *field, const char *base) noexcept:
        """A field's value, of which nothing secret is written."""
        if field.known == K_REFERER:
            if not _perhaps_secret(base + field.value, field.value_len):
                self.more(base + field.value, field.value_len)
                return
        elif field.known:
            self.hidden(base + field.value, field.value_len, field.known == K_COOKIE)
            return
        self.masked(head.span(field.name, field.name + field.name_len),
                    head.span(field.value, field.value + field.value_len))

    cdef void hidden(self, const char *value, Py_ssize_t size, bint cookies) noexcept:
        """A client's cookies, of which the names are kept, or its password, of which the scheme is."""
        cdef const char *end = value + size
        cdef const char *begin = value
        if cookies:
            while value < end:
                value += 1
                if (value - 1)[0] == 61:
                    self.more(begin, value - begin)
                    self.more(b"****", 4)
                    while value < end and value[0] != 59 and value[0] != 44:
                        value += 1
                    begin = value
            self.more(begin, end - begin)
        else:
            value = <const char *> memchr(value, 32, size)
            if value != NULL:
                self.more(begin, value + 1 - begin)
            self.more(b"****", 4)

    cdef void masked(self, bytes name, bytes value) noexcept:
        # a mask that fails is told on stderr, and nothing is written
        if self._mask is not None:
            value = self._mask(name, value)
        self.more(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))

    cpdef answered(self, bytes name, bytes value):
        """One of the response's fields."""
        if self._mask is not None and _perhaps_secret(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)):
            value = self._mask(name, value)
        self.plain(name, value)

    cpdef plain(self, bytes name, bytes value):
        """One whose name is known to mean no secret."""
        cdef Lengths *lengths = <Lengths *> self._to
        cdef Py_ssize_t n = PyBytes_GET_SIZE(name)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(value)
        if self._to == NULL or n >= 65536 or self._end - self._to < n + size + <Py_ssize_t> sizeof(Lengths):
            self._cut = True
            return
        lengths.letter = 82
        lengths.none = 0
        lengths.name = <uint16_t> n
        lengths.value = <uint32_t> size
        cdef char *to = copied(self._to + sizeof(Lengths), PyBytes_AS_STRING(name), n)
        self._to = copied(to, PyBytes_AS_STRING(value), size)
