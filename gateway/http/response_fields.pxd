# The types of response_fields.py's compiled form.
cimport cython

from gateway.http.response cimport Response


@cython.locals(line=tuple, name=bytes)
cpdef bint has_field(Response response, bytes lower_name) except -1
cpdef set_line(Response response, tuple line, bytes lower_name)
