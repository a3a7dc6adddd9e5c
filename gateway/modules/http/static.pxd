# The types of static.py's compiled form.
cimport cython

from gateway.http.request cimport Request
from gateway.http.response cimport Response
from gateway._fast.files cimport OpenedFile, open_path
from gateway.http.paths cimport map_uri_to_path
from gateway.modules.http.file_access cimport open_file
from gateway.modules.http.types cimport content_type_of
from gateway.http.settings cimport EngineSettings


cdef dict _dates


cpdef tuple validators(OpenedFile file)
@cython.locals(file=OpenedFile, method=bytes, uri=bytes, path=bytes, core=EngineSettings)
cpdef object serve(Request request)
@cython.locals(response=Response, etag=bytes, last_modified=bytes, data=bytes, size=cython.longlong)
cpdef object send_file(Request request, OpenedFile file)
