# The types of locations.py's compiled form.
cimport cython

from gateway._fast.cut cimport first
from gateway.core.regex cimport Captures, Regex
from gateway.http.plan cimport Plan
from gateway.http.settings cimport EngineSettings


cdef class Location:
    cdef public bint auto_redirect
    cdef public list children
    cdef public dict confs
    cdef public object content
    cdef public EngineSettings core
    cdef public bint exact
    cdef public long http2_chunk_size
    cdef public LocationTable inner
    cdef public bint internal
    cdef public bytes name
    cdef public long output_buffer
    cdef public long output_room
    cdef public bint named
    cdef public bint nameless
    cdef public bint no_regex
    cdef public object parent
    cdef public Plan plan
    cdef public Regex regex
    cdef public object scope
    cdef public object server


cdef class LocationTable:
    cdef public dict exact
    cdef public tuple lengths
    cdef public dict named
    cdef public dict prefixes
    cdef public list regexes
    cdef public bint used
    cdef public bint final

    @cython.locals(exact=Location, found=Location, location=Location, inner=LocationTable, deeper=Location,
                   captures=Captures)
    cpdef Location find(self, object request, bytes uri)
    @cython.locals(length=Py_ssize_t, end=Py_ssize_t, found=Location, slashed=Location)
    cdef Location _longest_prefix(self, bytes uri)
