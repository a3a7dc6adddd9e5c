from gateway._fast.openssl cimport EVP_PKEY, X509


cdef class Chain:
    cdef readonly object name   # where it was loaded from
    cdef X509* leaf
    cdef void* rest             # STACK_OF(X509): those behind it


cdef class Key:
    cdef EVP_PKEY* key
    cdef readonly object name
    cdef readonly bint encrypted


cdef class Revoked:
    cdef void* lists            # STACK_OF(X509_CRL)


cdef class Certificate:
    cdef X509* x509


cdef Certificate certificate(X509* x509)
cdef int free_certificates(void* stack) noexcept
cdef object failed(str call)
