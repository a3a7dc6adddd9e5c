# The types of file_access.py's compiled form.
from gateway._fast.files cimport OpenedFile, stat_path
from gateway.core.files cimport open_plain, stat_plain
from gateway.http.request cimport Request


cpdef OpenedFile open_file(Request request, bytes path)
cpdef OpenedFile test_file(Request request, bytes path)
cpdef OpenedFile find_file(Request request, bytes path)
