# The types of static.py's compiled form.
cimport cython

from gateway.http.request cimport Request
from gateway.http.response cimport Response
from gateway._fast.files cimport OpenedFile, open_path
from gateway.http.paths cimport map_uri_to_path
from gateway.modules.http.file_access cimport open_file
from gateway.modules.http.types cimport content_type_of
from gateway.http.settings cimport EngineSettings


cdef long _SLOTS
cdef list _known


cdef class Validators:
    cdef readonly unsigned long long uniq
    cdef readonly long long mtime
    cdef readonly long long size
    cdef readonly bytes etag
    cdef readonly bytes last_modified


@cython.locals(slot=Py_ssize_t, found=Validators)
cpdef Validators validators(OpenedFile file)
@cython.locals(file=OpenedFile, method=bytes, uri=bytes, path=bytes, core=EngineSettings)
cpdef object serve(Request request)
@cython.locals(response=Response, made=Validators, data=bytes, size=cython.longlong)
cpdef object send_file(Request request, OpenedFile file)
