# cython: language_level=3, boundscheck=False, wraparound=False
"""Matching by the system's libpcre2, found at run time: memory for a match stays with its pattern; see pcre2.pyi."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t
from libc.string cimport memcpy

cdef extern from "<dlfcn.h>":
    void *dlopen(const char *name, int mode)
    void *dlsym(void *library, const char *name)
    int RTLD_NOW, RTLD_LOCAL

# from pcre2.h
cdef enum:
    CONFIG_BSR = 0
    CONFIG_MATCHLIMIT = 4
    CONFIG_NEWLINE = 5
    BSR_UNICODE = 1
    NEWLINE_LF = 2
    USUAL_LIMIT = 10000000
    JIT_COMPLETE = 1
    NO_JIT = 0x2000
    ERROR_NOMATCH = -1
    ERROR_JIT_STACKLIMIT = -46

ctypedef int (*Config)(uint32_t what, void *where) noexcept nogil
ctypedef void *(*Compile)(
    const char *pattern, size_t length, uint32_t options, int *error, size_t *at, void *context
) noexcept nogil
ctypedef int (*JitCompile)(void *code, uint32_t options) noexcept nogil
ctypedef void *(*CreateData)(void *code, void *context) noexcept nogil
ctypedef size_t *(*Offsets)(void *data) noexcept nogil
ctypedef int (*Match)(
    void *code, const char *subject, size_t length, size_t start, uint32_t options, void *data, void *context
) noexcept nogil
ctypedef void (*Free)(void *what) noexcept nogil

cdef Compile _compile = NULL
cdef JitCompile _jit
cdef CreateData _data
cdef Offsets _offsets
cdef Match _match
cdef Free _free_code
cdef Free _free_data


cdef bint _load() except -1:
    """Find the library; one that was built to read patterns in another way is none."""
    global _compile, _jit, _data, _offsets, _match, _free_code, _free_data
    cdef void *library = NULL
    cdef Config config
    cdef uint32_t newline = 0, bsr = 0, limit = 0
    for name in (b"libpcre2-8.so.0", b"libpcre2-8.0.dylib"):
        library = dlopen(name, RTLD_NOW | RTLD_LOCAL)
        if library != NULL:
            break
    if library == NULL:
        return False
    config = <Config> dlsym(library, b"pcre2_config_8")
    _jit = <JitCompile> dlsym(library, b"pcre2_jit_compile_8")
    _data = <CreateData> dlsym(library, b"pcre2_match_data_create_from_pattern_8")
    _offsets = <Offsets> dlsym(library, b"pcre2_get_ovector_pointer_8")
    _match = <Match> dlsym(library, b"pcre2_match_8")
    _free_code = <Free> dlsym(library, b"pcre2_code_free_8")
    _free_data = <Free> dlsym(library, b"pcre2_match_data_free_8")
    if (
        config == NULL or _jit == NULL or _data == NULL or _offsets == NULL or _match == NULL
        or _free_code == NULL or _free_data == NULL
    ):
        return False
    config(CONFIG_NEWLINE, &newline)
    config(CONFIG_BSR, &bsr)
    config(CONFIG_MATCHLIMIT, &limit)
    if newline != NEWLINE_LF or bsr != BSR_UNICODE or limit != USUAL_LIMIT:
        return False
    _compile = <Compile> dlsym(library, b"pcre2_compile_8")
    return _compile != NULL

_load()


cdef class Pattern:
    def __cinit__(self, bytes pattern not None, uint32_t options):
        cdef int error = 0
        cdef size_t at = 0
        self.code = self.data = NULL
        if _compile == NULL:
            raise LookupError("there is no libpcre2 here")
        self.code = _compile(PyBytes_AS_STRING(pattern), PyBytes_GET_SIZE(pattern), options, &error, &at, NULL)
        if self.code == NULL:
            raise LookupError(f"this libpcre2 does not take it: {error}")
        _jit(self.code, JIT_COMPLETE)  # where memory may not be executable the interpreter does it
        self.data = _data(self.code, NULL)
        if self.data == NULL:
            raise MemoryError
        self.offsets = _offsets(self.data)

    def __dealloc__(self):
        if self.data != NULL:
            _free_data(self.data)
        if self.code != NULL:
            _free_code(self.code)

    cpdef find(self, bytes subject):
        if subject is None:
            raise TypeError("a subject is bytes")
        cdef int found = _match(
            self.code, PyBytes_AS_STRING(subject), PyBytes_GET_SIZE(subject), 0, 0, self.data, NULL
        )
        if found == ERROR_JIT_STACKLIMIT:
            found = _match(
                self.code, PyBytes_AS_STRING(subject), PyBytes_GET_SIZE(subject), 0, NO_JIT, self.data, NULL
            )
        if found > 0:
            return PyBytes_FromStringAndSize(<const char *> self.offsets, found * 2 * sizeof(size_t))
        return None if found == ERROR_NOMATCH else found


cdef inline bint _span(bytes spans, Py_ssize_t number, Py_ssize_t *span) noexcept:
    if number < 0 or (number + 1) * 2 * <Py_ssize_t> sizeof(size_t) > PyBytes_GET_SIZE(spans):
        return False
    memcpy(span, PyBytes_AS_STRING(spans) + number * 2 * sizeof(size_t), 2 * sizeof(size_t))
    return span[0] >= 0 and span[1] >= span[0]


cpdef bytes group(bytes subject, bytes spans, Py_ssize_t number):
    cdef Py_ssize_t found[2]
    if not _span(spans, number, found):
        return None
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(subject) + found[0], found[1] - found[0])


def span(bytes spans not None, Py_ssize_t number):
    cdef Py_ssize_t found[2]
    if not _span(spans, number, found):
        return -1, -1
    return found[0], found[1]
