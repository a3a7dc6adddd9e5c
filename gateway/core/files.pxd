# The types of files.py's compiled form.
from gateway._fast.files cimport open_path, stat_path


cpdef open_plain(bytes path)
cpdef stat_plain(bytes path)
