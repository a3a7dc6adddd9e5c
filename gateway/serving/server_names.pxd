# The types of server_names.py's compiled form.
cdef class ServerName:
    cdef public bytes name
    cdef public object server
    cdef public object regex
    cdef public object where


cdef class ServerNames:
    cdef public dict exact
    cdef public set taken
    cdef public dict leading
    cdef public dict trailing
    cdef public list regexes

    cpdef bint add(self, ServerName name)
    cpdef object find(self, bytes host, object request)
