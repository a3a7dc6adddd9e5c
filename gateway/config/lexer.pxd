# The types of lexer.py's compiled form.
cimport cython


cdef class Lexer:
    cdef list _mistakes
    cdef bytes _data
    cdef str _file
    cdef Py_ssize_t _position
    cdef Py_ssize_t _line
    cdef Py_ssize_t _line_start
    cdef Py_ssize_t _word_end
    cdef bint _ascii
    cdef public list words
    cdef public object where

    @cython.locals(position=Py_ssize_t, end=Py_ssize_t, begin=Py_ssize_t)
    cpdef next(self)
    @cython.locals(newlines=Py_ssize_t)
    cpdef _advance(self, Py_ssize_t position)
    @cython.locals(start=Py_ssize_t, column=Py_ssize_t)
    cpdef _here(self, Py_ssize_t position)
    cpdef Py_ssize_t _characters(self, Py_ssize_t start, Py_ssize_t end) except -1
