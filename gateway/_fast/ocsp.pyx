# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""OCSP (RFC 6960): what is asked of a responder, and what its answer says. Errors: TlsError, in nginx's words."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from gateway._fast.openssl cimport *
from gateway._fast.tls_context cimport Context
from gateway._fast.x509 cimport Certificate, Chain, certificate, failed

from gateway._fast.errors import TlsError
from gateway._fast.x509 import seconds

cdef enum:
    SKEW = 300                  # seconds that clocks may differ

GOOD = 0                        # V_OCSP_CERTSTATUS_GOOD
FOREVER = 1 << 62
# How the answer's signature is believed (OCSP_NOVERIFY, OCSP_TRUSTOTHER).
NOT_AT_ALL, BY_AUTHORITIES, BY_CHAIN = 0x10, 0, 0x200


def responders(Certificate subject not None):
    """The URLs that a certificate has for it."""
    cdef void* urls = lib.X509_get1_ocsp(subject.x509)
    cdef int i
    cdef list found = []
    if urls is not NULL:
        for i in range(lib.OPENSSL_sk_num(urls)):
            found.append((<bytes><char*>lib.OPENSSL_sk_value(urls, i)).decode("latin-1"))
        lib.X509_email_free(urls)
    return found


def issuer_in(Context context not None, Certificate subject not None):
    """The certificate's issuer among the authorities of a context, None if it is not there."""
    cdef void* looking = lib.X509_STORE_CTX_new()
    cdef X509* found = NULL
    if looking is NULL:
        raise failed("X509_STORE_CTX_new")
    if lib.X509_STORE_CTX_init(looking, lib.SSL_CTX_get_cert_store(context.ctx), NULL, NULL):
        if lib.X509_STORE_CTX_get1_issuer(&found, looking, subject.x509) != 1:
            found = NULL
    lib.X509_STORE_CTX_free(looking)
    lib.ERR_clear_error()
    return certificate(found)


def question(Certificate subject not None, Certificate issuer not None):
    """What is sent to a responder, as DER."""
    cdef void* request = lib.OCSP_REQUEST_new()
    cdef void* identity = lib.OCSP_cert_to_id(NULL, subject.x509, issuer.x509)
    cdef unsigned char* place
    cdef bytes data
    if request is NULL or identity is NULL:
        raise failed("OCSP_cert_to_id")
    lib.OCSP_request_add0_id(request, identity)     # now the request's
    data = PyBytes_FromStringAndSize(NULL, lib.i2d_OCSP_REQUEST(request, NULL))
    place = <unsigned char*>PyBytes_AS_STRING(data)
    lib.i2d_OCSP_REQUEST(request, &place)
    lib.OCSP_REQUEST_free(request)
    return data


def is_response(bytes data not None):
    """Whether this is one at all."""
    cdef octets place = <octets>PyBytes_AS_STRING(data)
    cdef void* response
    need()
    lib.ERR_clear_error()
    response = lib.d2i_OCSP_RESPONSE(NULL, &place, PyBytes_GET_SIZE(data))
    if response is NULL:
        return False
    lib.OCSP_RESPONSE_free(response)
    return True


def answer(
    Context context not None, bytes data not None, Certificate subject not None, Certificate issuer not None,
    Chain chain, int belief
):
    """(status, words for it, until when it is good)."""
    cdef octets place = <octets>PyBytes_AS_STRING(data)
    cdef void* response
    cdef void* basic = NULL
    cdef void* identity = NULL
    cdef void* since = NULL
    cdef void* until = NULL
    cdef int status = -1
    cdef int outcome
    lib.ERR_clear_error()
    response = lib.d2i_OCSP_RESPONSE(NULL, &place, PyBytes_GET_SIZE(data))
    if response is NULL:
        raise failed("d2i_OCSP_RESPONSE")
    try:
        outcome = lib.OCSP_response_status(response)
        if outcome:
            words = lib.OCSP_response_status_str(outcome).decode()
            raise TlsError(f"OCSP response not successful ({outcome}: {words})")
        basic = lib.OCSP_response_get1_basic(response)
        if basic is NULL:
            raise failed("OCSP_response_get1_basic")
        if lib.OCSP_basic_verify(
            basic, chain.rest if chain is not None else NULL, lib.SSL_CTX_get_cert_store(context.ctx),
            belief,
        ) != 1:
            raise failed("OCSP_basic_verify")
        identity = lib.OCSP_cert_to_id(NULL, subject.x509, issuer.x509)
        if identity is NULL:
            raise failed("OCSP_cert_to_id")
        if lib.OCSP_resp_find_status(basic, identity, &status, NULL, NULL, &since, &until) != 1:
            raise TlsError("certificate status not found in the OCSP response")
        if lib.OCSP_check_validity(since, until, SKEW, -1) != 1:
            raise failed("OCSP_check_validity")
        return status, lib.OCSP_cert_status_str(status).decode(), moment(until) if until is not NULL else FOREVER
    finally:
        if identity is not NULL:
            lib.OCSP_CERTID_free(identity)
        if basic is not NULL:
            lib.OCSP_BASICRESP_free(basic)
        lib.OCSP_RESPONSE_free(response)
        lib.ERR_clear_error()


cdef object moment(void* when):
    """Seconds since the epoch of an ASN.1 time."""
    cdef BIO* bio = lib.BIO_new(lib.BIO_s_mem())
    cdef char* data = NULL
    cdef long size
    lib.ASN1_TIME_print(bio, when)
    size = lib.BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data)
    text = (<bytes>data[:size]).decode()
    lib.BIO_free(bio)
    try:
        return seconds(text)
    except ValueError:
        raise TlsError("invalid nextUpdate time in certificate status") from None
