# The types of accept_encoding.py's compiled form.
cimport cython

from gateway.http.request cimport Request


@cython.locals(field=bytes, proxied=long)
cpdef bint gzip_ok(Request request, object settings)
