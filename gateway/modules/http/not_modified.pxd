# The types of not_modified.py's compiled form.
from gateway.http.request cimport Request


cpdef object filter_head(Request request)
