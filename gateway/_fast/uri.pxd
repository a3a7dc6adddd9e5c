cimport cython

cdef int _SEGMENT, _SLASH, _DOT, _DOT_DOT


cdef int _hex(int c) noexcept


@cython.locals(i=cython.Py_ssize_t)
cdef Py_ssize_t _parent(bytearray out, Py_ssize_t n) except -1


@cython.locals(
    size=cython.Py_ssize_t, n=cython.Py_ssize_t, i=cython.Py_ssize_t, ext=cython.Py_ssize_t, state=cython.int,
    c=cython.int, high=cython.int, low=cython.int, literal=cython.bint, fragment=cython.Py_ssize_t,
    out=bytearray, path=bytes, args=bytes,
)
cpdef tuple normalize(bytes target, bint merge_slashes=*, bint empty_path=*)


@cython.locals(
    flags=bytes, digits=bytes, out=bytearray, more=cython.Py_ssize_t, n=cython.Py_ssize_t, prefix=cython.int,
    c=cython.uchar,
)
cpdef bytes escape(bytes data, str kind)


@cython.locals(
    size=cython.Py_ssize_t, i=cython.Py_ssize_t, n=cython.Py_ssize_t, c=cython.int, high=cython.int, low=cython.int,
    until_args=cython.bint, redirect=cython.bint, out=bytearray,
)
cpdef bytes unescape(bytes data, str kind=*)


cpdef bytes escape_html(bytes data)


cpdef bytes escape_json(bytes data)


@cython.locals(lower=bytes, wanted=bytes, i=cython.Py_ssize_t, n=cython.Py_ssize_t, end=cython.Py_ssize_t)
cpdef bytes args_get(bytes args, bytes name)


@cython.locals(
    value=bytes, wanted=bytes, n=cython.Py_ssize_t, start=cython.Py_ssize_t, end=cython.Py_ssize_t,
    last=cython.Py_ssize_t, mark=cython.int,
)
cpdef bytes multi_get(list values, bytes name, bytes separator)


@cython.locals(value=bytes, wanted=bytes, n=cython.Py_ssize_t, start=cython.Py_ssize_t, end=cython.Py_ssize_t)
cpdef bytes set_cookie_get(list values, bytes name)
