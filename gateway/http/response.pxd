# The types of response.py's compiled form.


cdef class Response:
    cdef public bint accept_ranges
    cdef public bytes charset
    cdef public bytes charset_text
    cdef public bytes content_encoding
    cdef public long long content_length
    cdef public bytes content_type
    cdef public bytes date
    cdef public bint disable_not_modified
    cdef public bytes etag
    cdef public list fields
    cdef public bint gzip_vary
    cdef public long long last_modified
    cdef public bytes last_modified_text
    cdef public set listed
    cdef public bytes location
    cdef public bytes override_charset
    cdef public bytes server
    cdef public bint single_range
    cdef public long status
    cdef public bytes status_text
    cdef public list trailers
