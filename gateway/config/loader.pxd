# The types of loader.py's compiled form.
cimport cython


cdef class Scope:
    cdef public object context
    cdef public Scope parent
    cdef public object owner
    cdef public str level
    cdef public dict confs
    cdef public object statements

    @cython.locals(scope=Scope)
    cpdef conf(self, object module, str level)
    @cython.locals(scope=Scope)
    cpdef enclosing(self, object context)


cdef class Loader:
    cdef public dict directives
    cdef public dict allowed
    cdef public str prefix
    cdef public str conf_prefix
    cdef public str state
    cdef public bint testing
    cdef public list warnings
    cdef public object parts
    cdef public list mistakes
    cdef public tuple modules

    cpdef walk(self, object statements, Scope scope)
    cpdef execute(self, object statement, Scope scope)
