# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Strings found and replaced in a body that comes in parts, all of them in one pass; see search.pyi.

How far the next place can be at which any string begins is known from the byte where the shortest one would end
(Horspool's table, over all strings). Case is ignored, of ASCII letters alone.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.string cimport memcpy, memset

cdef enum:
    WINDOW = 255            # no string is skipped by more
    NOTHING = -1
    UNFINISHED = -2

# A longer replacement goes out as it is, not copied between what stands around it.
cdef Py_ssize_t SHORT = 256

cdef unsigned char LOWER[256]


cdef void _fill() noexcept:
    cdef int c
    for c in range(256):
        LOWER[c] = c + 32 if 65 <= c <= 90 else c

_fill()


cdef struct String:
    const unsigned char *text
    Py_ssize_t size
    int number


cdef struct Found:
    Py_ssize_t place
    int string


@cython.final
cdef class Search:
    """Strings by their numbers, in the order in which they count."""

    cdef object kept                    # keeps the texts
    cdef String *strings
    cdef int count
    cdef Py_ssize_t window
    cdef unsigned char skip[256]        # 0: a string may begin here
    cdef unsigned char after[256]       # and if none does, the next may no sooner
    cdef int first[257]                 # of the strings with this byte where the window ends, in `candidates`
    cdef int *candidates

    def __init__(self, strings not None):
        cdef Py_ssize_t i
        cdef int each, c
        cdef const unsigned char *text
        cdef String *string
        if not strings or self.strings != NULL:
            raise ValueError("no strings")
        self.kept = [given.lower() for given in strings.values()]
        self.count = len(strings)
        self.strings = <String *>PyMem_Malloc(self.count * sizeof(String))
        self.candidates = <int *>PyMem_Malloc(self.count * sizeof(int))
        if self.strings == NULL or self.candidates == NULL:
            raise MemoryError
        self.window = WINDOW
        for each, (number, found) in enumerate(zip(strings, self.kept, strict=True)):
            string = &self.strings[each]
            string.number = number
            string.text = <const unsigned char *>PyBytes_AS_STRING(found)
            string.size = PyBytes_GET_SIZE(found)
            if not string.size:
                raise ValueError("an empty string")
            self.window = min(self.window, string.size)
        memset(self.skip, <int>self.window, sizeof(self.skip))
        memset(self.after, <int>self.window, sizeof(self.after))
        for each in range(self.count):
            text = self.strings[each].text
            for i in range(self.window):
                if i < self.window - 1:
                    self.after[text[i]] = min(self.after[text[i]], <unsigned char>(self.window - 1 - i))
                self.skip[text[i]] = min(self.skip[text[i]], <unsigned char>(self.window - 1 - i))
        i = 0
        for c in range(256):
            self.first[c] = <int>i
            for each in range(self.count):
                if self.strings[each].text[self.window - 1] == c:
                    self.candidates[i] = each
                    i += 1
        self.first[256] = <int>i
        for c in range(65, 91):
            self.skip[c] = self.skip[c + 32]
            self.after[c] = self.after[c + 32]

    def __dealloc__(self):
        PyMem_Free(self.strings)
        PyMem_Free(self.candidates)


@cython.final
cdef class Replacer:
    """Goes through one body."""

    cdef Search search
    cdef object value_of
    cdef dict values                    # that were asked for, by the strings' numbers
    cdef bint once
    cdef readonly bint done             # nothing is looked for any more
    cdef readonly bytes held
    cdef unsigned char *over            # once: the strings that were replaced
    cdef int left
    cdef Found *found
    cdef Py_ssize_t room

    def __init__(self, Search search not None, value_of, bint once):
        self.search = search
        self.value_of = value_of
        self.values = {}
        self.once = once
        self.held = b""
        self.left = search.count
        if once:
            self.over = <unsigned char *>PyMem_Malloc(search.count)
            if self.over == NULL:
                raise MemoryError
            memset(self.over, 0, search.count)

    def __dealloc__(self):
        PyMem_Free(self.over)
        PyMem_Free(self.found)

    def feed(self, bytes data not None, list out not None):
        """Put what is known of the body now into `out`."""
        cdef Py_ssize_t count, stop
        cdef bytes text = self.held + data if self.held else data
        cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
        if self.held:
            self.held = b""
        if not self.done:
            stop = self.scan(<const unsigned char *>PyBytes_AS_STRING(text), size, &count)
            if stop < size:
                self.held = PyBytes_FromStringAndSize(PyBytes_AS_STRING(text) + stop, size - stop)
            if count or stop < size:
                self.put(text, stop, count, out)
                return
        if size:
            out.append(text)

    def finish(self):
        """What was held back: it is no string's beginning after all."""
        held = self.held
        self.held = b""
        return held

    cdef Py_ssize_t scan(self, const unsigned char *p, Py_ssize_t size, Py_ssize_t *count) except -1:
        """Note what is found; where that begins which has to wait for what follows, else the end."""
        cdef Search search = self.search
        cdef Py_ssize_t last = search.window - 1
        cdef Py_ssize_t i = 0
        cdef unsigned char skip
        cdef int string
        count[0] = 0
        while i + last < size:
            skip = search.skip[p[i + last]]
            if skip:
                i += skip
                continue
            string = self.at(p + i, size - i)
            if string >= 0:
                if count[0] == self.room:
                    self.grow()
                self.found[count[0]].place = i
                self.found[count[0]].string = string
                count[0] += 1
                i += search.strings[string].size
                if search.strings[string].number not in self.values:
                    number = search.strings[string].number
                    self.values[number] = self.value_of(number)
                if self.once:
                    self.over[string] = True
                    self.left -= 1
                    if not self.left:
                        self.done = True
                        return size
            elif string == UNFINISHED:
                return i
            else:
                i += search.after[p[i + last]]
        while i < size:
            if self.begins(p + i, size - i):
                return i
            i += 1
        return size

    cdef int at(self, const unsigned char *p, Py_ssize_t size) noexcept:
        """The string that begins here; or UNFINISHED, if that depends on what follows."""
        cdef Search search = self.search
        cdef int c = LOWER[p[search.window - 1]]
        cdef int i, each
        for i in range(search.first[c], search.first[c + 1]):
            each = search.candidates[i]
            if (not self.once or not self.over[each]) and alike(&search.strings[each], p, size):
                return each if search.strings[each].size <= size else UNFINISHED
        return NOTHING

    cdef bint begins(self, const unsigned char *p, Py_ssize_t size) noexcept:
        """Whether this, less than any string, may be the beginning of one."""
        cdef Search search = self.search
        cdef int each
        for each in range(search.count):
            if (not self.once or not self.over[each]) and alike(&search.strings[each], p, size):
                return True
        return False

    cdef int grow(self) except -1:
        cdef Py_ssize_t room = self.room * 2 + 64
        cdef Found *grown = <Found *>PyMem_Realloc(self.found, room * sizeof(Found))
        if grown == NULL:
            raise MemoryError
        self.found = grown
        self.room = room
        return 0

    cdef int put(self, bytes text, Py_ssize_t stop, Py_ssize_t count, list out) except -1:
        """The text up to `stop` with the replacements in it; long ones stand by themselves."""
        cdef Search search = self.search
        cdef Py_ssize_t begin = 0           # of what is not put yet
        cdef Py_ssize_t i = 0
        cdef Py_ssize_t until, size, end
        cdef bytes value
        while True:
            size = -begin
            until = i
            value = None
            while until < count:
                value = self.values[search.strings[self.found[until].string].number]
                size -= search.strings[self.found[until].string].size
                if PyBytes_GET_SIZE(value) > SHORT:
                    break
                size += PyBytes_GET_SIZE(value)
                until += 1
            if until < count:
                end = self.found[until].place
                size += search.strings[self.found[until].string].size
            else:
                end = stop
            if size + end:
                out.append(self.joined(PyBytes_AS_STRING(text), begin, end, i, until, size + end))
            if until == count:
                return 0
            out.append(value)
            begin = end + search.strings[self.found[until].string].size
            i = until + 1

    cdef bytes joined(
        self, const char *text, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t i, Py_ssize_t until, Py_ssize_t size
    ):
        """text[begin:end] with what was found from `i` to `until` replaced, `size` bytes."""
        cdef bytes made = PyBytes_FromStringAndSize(NULL, size)
        cdef char *to = PyBytes_AS_STRING(made)
        cdef Py_ssize_t place, length
        cdef String *string
        cdef bytes value
        while i < until:
            string = &self.search.strings[self.found[i].string]
            place = self.found[i].place
            memcpy(to, text + begin, place - begin)
            to += place - begin
            value = self.values[string.number]
            length = PyBytes_GET_SIZE(value)
            memcpy(to, PyBytes_AS_STRING(value), length)
            to += length
            begin = place + string.size
            i += 1
        memcpy(to, text + begin, end - begin)
        return made


cdef inline bint alike(const String *string, const unsigned char *p, Py_ssize_t size) noexcept:
    """Whether this is the string, or as much of it as there is."""
    cdef Py_ssize_t i
    for i in range(min(string.size, size)):
        if LOWER[p[i]] != string.text[i]:
            return False
    return True
