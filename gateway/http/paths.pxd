# The types of paths.py's compiled form.
from gateway.http.request cimport Request


cpdef bytes map_uri_to_path(Request request, bytes uri)
cpdef bytes document_root(Request request)
cpdef bytes absolute(Request request, bytes path)
