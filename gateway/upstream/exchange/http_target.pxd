# The types of http_target.py's compiled form.

cpdef bytes request_target(object request, bytes uri, bytes location, bint whole)
