# The types of try_files.py's compiled form.
cimport cython

from gateway._fast.cut cimport joined
from gateway._fast.files cimport OpenedFile
from gateway.core.template cimport Template
from gateway.http.part cimport Part
from gateway.http.paths cimport document_root
from gateway.http.redirects cimport redirect
from gateway.http.request cimport Request
from gateway.http.settings cimport EngineSettings
from gateway.modules.http.file_access cimport find_file


cdef class TryFiles(Part):
    cdef readonly tuple files
    cdef readonly long status
    cdef readonly Template fallback
    cdef readonly bint aliased_by_regex

    @cython.locals(core=EngineSettings, directory=bint, path=bytes, uri=bytes, found=OpenedFile)
    cpdef run(self, Request request)


@cython.locals(core=EngineSettings, length=Py_ssize_t)
cpdef tuple place(Request request, bytes name, bint has_variables)
@cython.locals(core=EngineSettings, length=Py_ssize_t)
cdef bytes _below_alias(Request request, bytes name)
