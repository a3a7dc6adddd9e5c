# The types of file_access.py's compiled form.
from gateway.http.request cimport Request


cpdef object open_file(Request request, bytes path)
cpdef object test_file(Request request, bytes path)
