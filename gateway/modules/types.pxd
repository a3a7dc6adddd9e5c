# The types of types.py's compiled form.
from gateway.http.request cimport Request


cpdef bytes content_type_of(Request request)
