# The types of static.py's compiled form.
from gateway.http.request cimport Request
from gateway.http.response cimport Response
from gateway._fast.files cimport OpenedFile


cpdef object validators(OpenedFile file)
cpdef object serve(Request request)
cpdef object send_file(Request request, OpenedFile file)
