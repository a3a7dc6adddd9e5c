# The types of parser.py's compiled form.
from gateway.config.lexer cimport Lexer


cdef class _File:
    cdef object _reader
    cdef Lexer _lexer
    cdef str _name
    cdef list _lines
    cdef tuple _suspects
    cdef tuple _trail

    cpdef read(self, object into, object owner, long depth, bint inside=*)
    cpdef _take(self, bint opens, object into, object owner, long depth)
    cpdef _compare_indent(self, object statement, object end)
