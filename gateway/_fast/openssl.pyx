# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""OpenSSL, found at run time: the libssl that Python's own ssl uses, else the system's.

Nothing of OpenSSL is needed to build. Its functions are looked up once, by name, when the configuration first needs
TLS: in the libraries that Python's `_ssl` is linked with, so that a process has one OpenSSL; where those do not show
them (a Python with OpenSSL inside it), in the system's libssl.so.3. What newer versions have is NULL in older ones.
"""
import importlib.util
import os

cdef extern from "<dlfcn.h>" nogil:
    void* dlopen(const char* path, int mode)
    void* dlsym(void* handle, const char* name)
    int dlclose(void* handle)
    enum: RTLD_NOW, RTLD_LOCAL, RTLD_DEEPBIND

# In the order of Functions in openssl.pxd.
NAMES = (
    "TLS_method", "SSL_CTX_new", "SSL_CTX_free", "SSL_CTX_set_options", "SSL_CTX_clear_options",
    "SSL_CTX_get_options", "SSL_CTX_ctrl", "SSL_CTX_callback_ctrl", "SSL_CTX_set_cipher_list",
    "SSL_CTX_use_certificate", "SSL_CTX_use_PrivateKey", "SSL_CTX_set_verify", "SSL_CTX_get_verify_mode",
    "SSL_CTX_set_verify_depth", "SSL_CTX_get_verify_depth", "SSL_CTX_set_client_CA_list",
    "SSL_CTX_get_client_CA_list", "SSL_CTX_get_cert_store", "SSL_CTX_set_alpn_select_cb",
    "SSL_CTX_set_client_hello_cb", "SSL_CTX_set_cert_cb", "SSL_CTX_set_info_callback",
    "SSL_CTX_set_tlsext_ticket_key_evp_cb", "SSL_CTX_sess_set_new_cb", "SSL_CTX_sess_set_get_cb",
    "SSL_CTX_sess_set_remove_cb", "SSL_CTX_set_session_id_context", "SSL_CTX_set_timeout", "SSL_CTX_get_timeout",
    "SSL_CTX_set_max_early_data", "SSL_CTX_get_max_early_data", "SSL_CTX_set0_tmp_dh_pkey", "SSL_CTX_set_ex_data",
    "SSL_CTX_get_ex_data", "SSL_CTX_remove_session", "SSL_CONF_CTX_new", "SSL_CONF_CTX_free",
    "SSL_CONF_CTX_set_flags", "SSL_CONF_CTX_set_ssl_ctx", "SSL_CONF_cmd", "SSL_CONF_cmd_value_type",
    "SSL_CONF_CTX_finish", "SSL_new", "SSL_free", "SSL_set_bio", "SSL_get_rbio", "SSL_get_wbio",
    "SSL_set_accept_state", "SSL_set_connect_state", "SSL_set_options", "SSL_clear_options", "SSL_get_options",
    "SSL_set_ex_data", "SSL_get_ex_data", "SSL_set_info_callback", "SSL_ctrl", "SSL_set_alpn_protos",
    "SSL_do_handshake", "SSL_read_ex", "SSL_write_ex",
    "SSL_read_early_data", "SSL_write_early_data", "SSL_shutdown", "SSL_set_shutdown",
    "SSL_get_error", "SSL_has_pending", "SSL_is_init_finished", "SSL_version", "SSL_get_version",
    "SSL_get_current_cipher", "SSL_CIPHER_get_name", "SSL_CIPHER_find", "SSL_get0_alpn_selected",
    "SSL_get_servername", "SSL_session_reused", "SSL_get_session", "SSL_set_session", "SSL_get_verify_result",
    "SSL_get1_peer_certificate", "SSL_get0_verified_chain", "SSL_set_SSL_CTX", "SSL_get_certificate",
    "SSL_set_verify", "SSL_set_verify_depth", "SSL_use_certificate", "SSL_use_PrivateKey",
    "SSL_client_hello_get0_ext", "SSL_get_sigalgs", "SSL_select_next_proto", "SSL_group_to_name", "SSL_SESSION_free",
    "SSL_SESSION_up_ref", "SSL_SESSION_get_id", "SSL_SESSION_get_time", "SSL_SESSION_set_time",
    "SSL_SESSION_get_timeout", "SSL_SESSION_set_timeout", "SSL_SESSION_set1_id_context", "i2d_SSL_SESSION",
    "d2i_SSL_SESSION", "BIO_new", "BIO_free", "BIO_meth_new", "BIO_meth_set_write", "BIO_meth_set_read",
    "BIO_meth_set_ctrl", "BIO_set_data", "BIO_get_data", "BIO_set_init", "BIO_set_flags", "BIO_clear_flags",
    "BIO_ctrl", "BIO_int_ctrl", "BIO_write", "BIO_new_file", "BIO_s_mem", "ERR_peek_last_error",
    "ERR_peek_error_data", "ERR_get_error", "ERR_clear_error", "ERR_error_string_n", "PEM_read_bio_X509_AUX",
    "PEM_read_bio_X509", "PEM_read_bio_PrivateKey", "PEM_read_bio_X509_CRL", "PEM_read_bio_Parameters",
    "PEM_write_bio_X509", "i2d_X509", "X509_free", "X509_up_ref", "X509_CRL_free", "EVP_PKEY_free",
    "X509_STORE_add_cert", "X509_STORE_add_crl", "X509_STORE_set_flags", "X509_verify_cert_error_string",
    "X509_get_subject_name", "X509_get_issuer_name", "X509_NAME_dup", "X509_NAME_cmp", "X509_NAME_print_ex",
    "X509_NAME_oneline", "X509_NAME_digest", "X509_digest", "X509_get_serialNumber", "i2a_ASN1_INTEGER",
    "X509_getm_notBefore", "X509_getm_notAfter", "ASN1_TIME_print", "X509_check_host", "X509_check_issued",
    "OPENSSL_sk_new_null", "OPENSSL_sk_free", "OPENSSL_sk_push", "OPENSSL_sk_num", "OPENSSL_sk_value",
    "OpenSSL_version_num", "OpenSSL_version", "CRYPTO_get_ex_new_index", "CRYPTO_malloc", "CRYPTO_free", "OBJ_nid2sn",
    "RAND_bytes", "EVP_sha1", "EVP_aes_128_cbc", "EVP_aes_256_cbc", "EVP_EncryptInit_ex", "EVP_DecryptInit_ex",
    "EVP_MAC_CTX_set_params", "d2i_OCSP_RESPONSE", "OCSP_RESPONSE_free", "OCSP_response_status",
    "OCSP_response_status_str", "OCSP_response_get1_basic", "OCSP_BASICRESP_free", "OCSP_basic_verify",
    "OCSP_cert_to_id", "OCSP_CERTID_free", "OCSP_resp_find_status", "OCSP_check_validity", "OCSP_cert_status_str",
    "OCSP_REQUEST_new", "OCSP_REQUEST_free", "OCSP_request_add0_id", "i2d_OCSP_REQUEST", "X509_get1_ocsp",
    "X509_email_free", "X509_STORE_CTX_new", "X509_STORE_CTX_init", "X509_STORE_CTX_get1_issuer",
    "X509_STORE_CTX_free", "ENGINE_by_id", "ENGINE_load_private_key", "ENGINE_free", "OSSL_STORE_open",
    "OSSL_STORE_load", "OSSL_STORE_eof", "OSSL_STORE_close", "OSSL_STORE_INFO_get_type", "OSSL_STORE_INFO_get1_PKEY",
    "OSSL_STORE_INFO_free", "UI_UTIL_wrap_read_pem_callback", "UI_destroy_method", "SSL_CTX_compress_certs",
    "SSL_get0_sigalg",
)

# A libcrypto may be built without these, or be too old for them.
OPTIONAL = frozenset((
    "ENGINE_by_id", "ENGINE_load_private_key", "ENGINE_free", "SSL_group_to_name",
    "SSL_CTX_compress_certs", "SSL_get0_sigalg",
))

cdef bint ready = False
cdef str found_in = ""


class OpenSslError(RuntimeError):
    """There is no OpenSSL that will do; str() says what is missing."""


def candidates():
    """Where libssl may be, the best first: paths for dlopen()."""
    paths = []
    spec = importlib.util.find_spec("_ssl")
    if spec is not None:
        # Its dependencies are searched with it. Built in, it is in the program itself, or in libpython.
        paths.append(spec.origin if spec.has_location and spec.origin else "")
    return [*paths, "libssl.so.3", "libssl.so.4"]


cdef int need() except -1:
    """Have the functions. Errors: OpenSslError."""
    if not ready:
        load(candidates())
    return 0


def load(paths):
    """Take the functions of the first of these that has them all. Errors: OpenSslError."""
    global ready, found_in
    reasons = []
    for path in paths:
        missing = attempt(path)
        if missing is None:
            ready = True
            found_in = path
            return
        reasons.append(f"{path or 'the Python program'}: {missing}")
    raise OpenSslError("no OpenSSL 3.0 or newer was found (" + "; ".join(reasons) + ")")


cdef attempt(str path):
    """None when all was found, else what was not."""
    cdef Functions trial
    cdef void** place = <void**>&trial
    cdef void* handle
    cdef bytes encoded = os.fsencode(path)
    cdef const char* file = NULL  # what is loaded already
    cdef Py_ssize_t i = 0
    cdef int mode = RTLD_NOW | RTLD_LOCAL
    global lib
    if sizeof(Functions) != len(NAMES) * sizeof(void*):
        raise AssertionError("NAMES and Functions differ")
    if "/" not in path and path:
        # Not Python's: a program that has an OpenSSL inside it must not lend this one its functions.
        mode |= RTLD_DEEPBIND
    if encoded:
        file = encoded
    handle = dlopen(file, mode)
    if handle is NULL:
        return "cannot be loaded"
    for name in NAMES:
        encoded = name.encode()
        place[i] = dlsym(handle, encoded)
        if place[i] is NULL and name not in OPTIONAL:
            dlclose(handle)
            return f"it has no {name}()"
        i += 1
    if trial.OpenSSL_version_num() < <unsigned long>NEEDED_VERSION:
        words = trial.OpenSSL_version(0).decode()
        dlclose(handle)
        return f"it is {words}"
    lib = trial                 # the handle stays open as long as the process
    return None


def version():
    """As `OpenSSL 3.0.13 30 Jan 2024`. Errors: OpenSslError."""
    need()
    return lib.OpenSSL_version(0).decode()


def version_number():
    """As 0x300000d0. Errors: OpenSslError."""
    need()
    return lib.OpenSSL_version_num()


def where():
    """The library that the functions are of; empty for the program itself. Errors: OpenSslError."""
    need()
    return found_in


def has(name):
    """Whether this OpenSSL has a function that older ones have not. Errors: OpenSslError."""
    need()
    return (<void**>&lib)[NAMES.index(name)] is not NULL


cdef bytes queued_errors():
    """What OpenSSL says of the last call, as nginx writes it: ` (SSL: error:… error:…)`; empties the queue."""
    cdef char line[512]
    cdef const char* data
    cdef int flags
    cdef unsigned long number
    cdef list parts = []
    while True:
        number = lib.ERR_peek_error_data(&data, &flags)
        if not number:
            break
        lib.ERR_error_string_n(number, line, sizeof(line))
        words = <bytes>line
        if data is not NULL and data[0] and flags & 2:
            words += b":" + <bytes>data
        parts.append(words)
        lib.ERR_get_error()
    return b" (SSL: " + b" ".join(parts) + b")" if parts else b""


def verify_error_text(long number):
    """OpenSSL's words for X509_V_ERR_…"""
    need()
    return lib.X509_verify_cert_error_string(number).decode()


def random_bytes(int count):
    """Of OpenSSL's generator, for keys."""
    need()
    data = bytearray(count)
    if lib.RAND_bytes(data, count) != 1:
        raise OpenSslError("RAND_bytes() failed" + queued_errors().decode())
    return bytes(data)
