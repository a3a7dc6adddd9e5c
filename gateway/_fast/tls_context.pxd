from gateway._fast.openssl cimport SSL_CTX


cdef class Context:
    cdef SSL_CTX* ctx
    cdef readonly bint server
    cdef readonly list chains       # those in use, for stapling and the sessions' context
    # What callbacks of connections ask: Python objects, None for what this context has not.
    cdef public object sessions     # .add(id, data, timeout_s), .find(id), .remove(id)
    cdef public object tickets      # .current(), .find(name): (name, AES key, HMAC key), the latter with "renew"
    cdef public object staple       # .answer(index): the OCSP response of that certificate, or None

    cdef object wrong(self, str call, about=*)


cdef int go_on(int ok, void* store) noexcept
