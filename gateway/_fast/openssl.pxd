# The functions of libssl and libcrypto that gateway calls, as pointers that openssl.pyx fills at run time, and the
# numbers for them. Prototypes are ours: no header of OpenSSL is needed to build, and its ABI has been stable since 3.0.
# What a macro of OpenSSL's does is a `ctrl` with a number. The order of Functions is that of NAMES in openssl.pyx.
from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    """
    typedef struct ssl_st SSL;
    typedef struct ssl_ctx_st SSL_CTX;
    typedef struct ssl_session_st SSL_SESSION;
    typedef struct bio_st BIO;
    typedef struct x509_st X509;
    typedef struct evp_pkey_st EVP_PKEY;
    """
    ctypedef struct SSL
    ctypedef struct SSL_CTX
    ctypedef struct SSL_SESSION
    ctypedef struct BIO
    ctypedef struct X509
    ctypedef struct EVP_PKEY

ctypedef const char* text
ctypedef const unsigned char* octets

# OSSL_PARAM: a named value for an algorithm.
cdef struct Param:
    text key
    unsigned int data_type
    void* data
    size_t data_size
    size_t return_size

ctypedef int (*BioTransfer)(BIO*, char*, int) noexcept
ctypedef long (*BioCtrl)(BIO*, int, long, void*) noexcept
ctypedef int (*HelloCallback)(SSL*, int*, void*) noexcept
ctypedef int (*AlpnCallback)(SSL*, const unsigned char**, unsigned char*, octets, unsigned int, void*) noexcept
ctypedef int (*VerifyCallback)(int, void*) noexcept
ctypedef int (*CertCallback)(SSL*, void*) noexcept
ctypedef int (*TicketCallback)(SSL*, unsigned char*, unsigned char*, void*, void*, int) noexcept
ctypedef int (*NewSessionCallback)(SSL*, SSL_SESSION*) noexcept
ctypedef SSL_SESSION* (*GetSessionCallback)(SSL*, octets, int, int*) noexcept
ctypedef void (*RemoveSessionCallback)(SSL_CTX*, SSL_SESSION*) noexcept
ctypedef void (*InfoCallback)(const SSL*, int, int) noexcept
ctypedef int (*PasswordCallback)(char*, int, int, void*) noexcept
ctypedef void (*Function)() noexcept

cdef struct Functions:
    # contexts
    const void* (*TLS_method)() noexcept nogil
    SSL_CTX* (*SSL_CTX_new)(const void*) noexcept nogil
    void (*SSL_CTX_free)(SSL_CTX*) noexcept nogil
    uint64_t (*SSL_CTX_set_options)(SSL_CTX*, uint64_t) noexcept nogil
    uint64_t (*SSL_CTX_clear_options)(SSL_CTX*, uint64_t) noexcept nogil
    uint64_t (*SSL_CTX_get_options)(const SSL_CTX*) noexcept nogil
    long (*SSL_CTX_ctrl)(SSL_CTX*, int, long, void*) noexcept nogil
    long (*SSL_CTX_callback_ctrl)(SSL_CTX*, int, Function) noexcept nogil
    int (*SSL_CTX_set_cipher_list)(SSL_CTX*, text) noexcept nogil
    int (*SSL_CTX_use_certificate)(SSL_CTX*, X509*) noexcept nogil
    int (*SSL_CTX_use_PrivateKey)(SSL_CTX*, EVP_PKEY*) noexcept nogil
    void (*SSL_CTX_set_verify)(SSL_CTX*, int, VerifyCallback) noexcept nogil
    int (*SSL_CTX_get_verify_mode)(const SSL_CTX*) noexcept nogil
    void (*SSL_CTX_set_verify_depth)(SSL_CTX*, int) noexcept nogil
    int (*SSL_CTX_get_verify_depth)(const SSL_CTX*) noexcept nogil
    void (*SSL_CTX_set_client_CA_list)(SSL_CTX*, void*) noexcept nogil
    void* (*SSL_CTX_get_client_CA_list)(const SSL_CTX*) noexcept nogil
    void* (*SSL_CTX_get_cert_store)(const SSL_CTX*) noexcept nogil
    void (*SSL_CTX_set_alpn_select_cb)(SSL_CTX*, AlpnCallback, void*) noexcept nogil
    void (*SSL_CTX_set_client_hello_cb)(SSL_CTX*, HelloCallback, void*) noexcept nogil
    void (*SSL_CTX_set_cert_cb)(SSL_CTX*, CertCallback, void*) noexcept nogil
    void (*SSL_CTX_set_info_callback)(SSL_CTX*, InfoCallback) noexcept nogil
    int (*SSL_CTX_set_tlsext_ticket_key_evp_cb)(SSL_CTX*, TicketCallback) noexcept nogil
    void (*SSL_CTX_sess_set_new_cb)(SSL_CTX*, NewSessionCallback) noexcept nogil
    void (*SSL_CTX_sess_set_get_cb)(SSL_CTX*, GetSessionCallback) noexcept nogil
    void (*SSL_CTX_sess_set_remove_cb)(SSL_CTX*, RemoveSessionCallback) noexcept nogil
    int (*SSL_CTX_set_session_id_context)(SSL_CTX*, octets, unsigned int) noexcept nogil
    long (*SSL_CTX_set_timeout)(SSL_CTX*, long) noexcept nogil
    long (*SSL_CTX_get_timeout)(const SSL_CTX*) noexcept nogil
    int (*SSL_CTX_set_max_early_data)(SSL_CTX*, uint32_t) noexcept nogil
    uint32_t (*SSL_CTX_get_max_early_data)(const SSL_CTX*) noexcept nogil
    int (*SSL_CTX_set0_tmp_dh_pkey)(SSL_CTX*, EVP_PKEY*) noexcept nogil
    int (*SSL_CTX_set_ex_data)(SSL_CTX*, int, void*) noexcept nogil
    void* (*SSL_CTX_get_ex_data)(const SSL_CTX*, int) noexcept nogil
    int (*SSL_CTX_remove_session)(SSL_CTX*, SSL_SESSION*) noexcept nogil
    void* (*SSL_CONF_CTX_new)() noexcept nogil
    void (*SSL_CONF_CTX_free)(void*) noexcept nogil
    unsigned int (*SSL_CONF_CTX_set_flags)(void*, unsigned int) noexcept nogil
    void (*SSL_CONF_CTX_set_ssl_ctx)(void*, SSL_CTX*) noexcept nogil
    int (*SSL_CONF_cmd)(void*, text, text) noexcept nogil
    int (*SSL_CONF_cmd_value_type)(void*, text) noexcept nogil
    int (*SSL_CONF_CTX_finish)(void*) noexcept nogil
    # connections
    SSL* (*SSL_new)(SSL_CTX*) noexcept nogil
    void (*SSL_free)(SSL*) noexcept nogil
    void (*SSL_set_bio)(SSL*, BIO*, BIO*) noexcept nogil
    BIO* (*SSL_get_rbio)(const SSL*) noexcept nogil
    BIO* (*SSL_get_wbio)(const SSL*) noexcept nogil
    void (*SSL_set_accept_state)(SSL*) noexcept nogil
    void (*SSL_set_connect_state)(SSL*) noexcept nogil
    uint64_t (*SSL_set_options)(SSL*, uint64_t) noexcept nogil
    uint64_t (*SSL_clear_options)(SSL*, uint64_t) noexcept nogil
    uint64_t (*SSL_get_options)(const SSL*) noexcept nogil
    int (*SSL_set_ex_data)(SSL*, int, void*) noexcept nogil
    void* (*SSL_get_ex_data)(const SSL*, int) noexcept nogil
    void (*SSL_set_info_callback)(SSL*, InfoCallback) noexcept nogil
    long (*SSL_ctrl)(SSL*, int, long, void*) noexcept nogil
    int (*SSL_set_alpn_protos)(SSL*, octets, unsigned int) noexcept nogil
    int (*SSL_do_handshake)(SSL*) noexcept nogil
    int (*SSL_read_ex)(SSL*, void*, size_t, size_t*) noexcept nogil
    int (*SSL_write_ex)(SSL*, const void*, size_t, size_t*) noexcept nogil
    int (*SSL_read_early_data)(SSL*, void*, size_t, size_t*) noexcept nogil
    int (*SSL_write_early_data)(SSL*, const void*, size_t, size_t*) noexcept nogil
    int (*SSL_shutdown)(SSL*) noexcept nogil
    void (*SSL_set_shutdown)(SSL*, int) noexcept nogil
    int (*SSL_get_error)(const SSL*, int) noexcept nogil
    int (*SSL_has_pending)(const SSL*) noexcept nogil
    int (*SSL_is_init_finished)(const SSL*) noexcept nogil
    int (*SSL_version)(const SSL*) noexcept nogil
    text (*SSL_get_version)(const SSL*) noexcept nogil
    const void* (*SSL_get_current_cipher)(const SSL*) noexcept nogil
    text (*SSL_CIPHER_get_name)(const void*) noexcept nogil
    const void* (*SSL_CIPHER_find)(SSL*, octets) noexcept nogil
    void (*SSL_get0_alpn_selected)(const SSL*, octets*, unsigned int*) noexcept nogil
    text (*SSL_get_servername)(const SSL*, int) noexcept nogil
    int (*SSL_session_reused)(const SSL*) noexcept nogil
    SSL_SESSION* (*SSL_get_session)(const SSL*) noexcept nogil
    int (*SSL_set_session)(SSL*, SSL_SESSION*) noexcept nogil
    long (*SSL_get_verify_result)(const SSL*) noexcept nogil
    X509* (*SSL_get1_peer_certificate)(const SSL*) noexcept nogil
    void* (*SSL_get0_verified_chain)(const SSL*) noexcept nogil
    SSL_CTX* (*SSL_set_SSL_CTX)(SSL*, SSL_CTX*) noexcept nogil
    X509* (*SSL_get_certificate)(const SSL*) noexcept nogil
    void (*SSL_set_verify)(SSL*, int, VerifyCallback) noexcept nogil
    void (*SSL_set_verify_depth)(SSL*, int) noexcept nogil
    int (*SSL_use_certificate)(SSL*, X509*) noexcept nogil
    int (*SSL_use_PrivateKey)(SSL*, EVP_PKEY*) noexcept nogil
    int (*SSL_client_hello_get0_ext)(SSL*, unsigned int, octets*, size_t*) noexcept nogil
    int (*SSL_get_sigalgs)(SSL*, int, int*, int*, int*, unsigned char*, unsigned char*) noexcept nogil
    int (*SSL_select_next_proto)(unsigned char**, unsigned char*, octets, unsigned int, octets, unsigned int) \
        noexcept nogil
    text (*SSL_group_to_name)(SSL*, int) noexcept nogil
    # sessions
    void (*SSL_SESSION_free)(SSL_SESSION*) noexcept nogil
    int (*SSL_SESSION_up_ref)(SSL_SESSION*) noexcept nogil
    octets (*SSL_SESSION_get_id)(const SSL_SESSION*, unsigned int*) noexcept nogil
    long (*SSL_SESSION_get_time)(const SSL_SESSION*) noexcept nogil
    long (*SSL_SESSION_set_time)(SSL_SESSION*, long) noexcept nogil
    long (*SSL_SESSION_get_timeout)(const SSL_SESSION*) noexcept nogil
    long (*SSL_SESSION_set_timeout)(SSL_SESSION*, long) noexcept nogil
    int (*SSL_SESSION_set1_id_context)(SSL_SESSION*, octets, unsigned int) noexcept nogil
    int (*i2d_SSL_SESSION)(const SSL_SESSION*, unsigned char**) noexcept nogil
    SSL_SESSION* (*d2i_SSL_SESSION)(SSL_SESSION**, octets*, long) noexcept nogil
    # libcrypto: input and output
    BIO* (*BIO_new)(const void*) noexcept nogil
    int (*BIO_free)(BIO*) noexcept nogil
    void* (*BIO_meth_new)(int, text) noexcept nogil
    int (*BIO_meth_set_write)(void*, BioTransfer) noexcept nogil
    int (*BIO_meth_set_read)(void*, BioTransfer) noexcept nogil
    int (*BIO_meth_set_ctrl)(void*, BioCtrl) noexcept nogil
    void (*BIO_set_data)(BIO*, void*) noexcept nogil
    void* (*BIO_get_data)(BIO*) noexcept nogil
    void (*BIO_set_init)(BIO*, int) noexcept nogil
    void (*BIO_set_flags)(BIO*, int) noexcept nogil
    void (*BIO_clear_flags)(BIO*, int) noexcept nogil
    long (*BIO_ctrl)(BIO*, int, long, void*) noexcept nogil
    long (*BIO_int_ctrl)(BIO*, int, long, int) noexcept nogil
    int (*BIO_write)(BIO*, const void*, int) noexcept nogil
    BIO* (*BIO_new_file)(text, text) noexcept nogil
    const void* (*BIO_s_mem)() noexcept nogil
    # errors
    unsigned long (*ERR_peek_last_error)() noexcept nogil
    unsigned long (*ERR_peek_error_data)(text*, int*) noexcept nogil
    unsigned long (*ERR_get_error)() noexcept nogil
    void (*ERR_clear_error)() noexcept nogil
    void (*ERR_error_string_n)(unsigned long, char*, size_t) noexcept nogil
    # certificates and keys
    X509* (*PEM_read_bio_X509_AUX)(BIO*, X509**, PasswordCallback, void*) noexcept nogil
    X509* (*PEM_read_bio_X509)(BIO*, X509**, PasswordCallback, void*) noexcept nogil
    EVP_PKEY* (*PEM_read_bio_PrivateKey)(BIO*, EVP_PKEY**, PasswordCallback, void*) noexcept nogil
    void* (*PEM_read_bio_X509_CRL)(BIO*, void**, PasswordCallback, void*) noexcept nogil
    EVP_PKEY* (*PEM_read_bio_Parameters)(BIO*, EVP_PKEY**) noexcept nogil
    int (*PEM_write_bio_X509)(BIO*, const X509*) noexcept nogil
    int (*i2d_X509)(const X509*, unsigned char**) noexcept nogil
    void (*X509_free)(X509*) noexcept nogil
    int (*X509_up_ref)(X509*) noexcept nogil
    void (*X509_CRL_free)(void*) noexcept nogil
    void (*EVP_PKEY_free)(EVP_PKEY*) noexcept nogil
    int (*X509_STORE_add_cert)(void*, X509*) noexcept nogil
    int (*X509_STORE_add_crl)(void*, void*) noexcept nogil
    int (*X509_STORE_set_flags)(void*, unsigned long) noexcept nogil
    text (*X509_verify_cert_error_string)(long) noexcept nogil
    void* (*X509_get_subject_name)(const X509*) noexcept nogil
    void* (*X509_get_issuer_name)(const X509*) noexcept nogil
    void* (*X509_NAME_dup)(const void*) noexcept nogil
    int (*X509_NAME_cmp)(const void*, const void*) noexcept nogil
    int (*X509_NAME_print_ex)(BIO*, const void*, int, unsigned long) noexcept nogil
    char* (*X509_NAME_oneline)(const void*, char*, int) noexcept nogil
    int (*X509_NAME_digest)(const void*, const void*, unsigned char*, unsigned int*) noexcept nogil
    int (*X509_digest)(const X509*, const void*, unsigned char*, unsigned int*) noexcept nogil
    void* (*X509_get_serialNumber)(X509*) noexcept nogil
    int (*i2a_ASN1_INTEGER)(BIO*, const void*) noexcept nogil
    const void* (*X509_getm_notBefore)(const X509*) noexcept nogil
    const void* (*X509_getm_notAfter)(const X509*) noexcept nogil
    int (*ASN1_TIME_print)(BIO*, const void*) noexcept nogil
    int (*X509_check_host)(X509*, text, size_t, unsigned int, char**) noexcept nogil
    int (*X509_check_issued)(X509*, X509*) noexcept nogil
    # stacks
    void* (*OPENSSL_sk_new_null)() noexcept nogil
    void (*OPENSSL_sk_free)(void*) noexcept nogil
    int (*OPENSSL_sk_push)(void*, const void*) noexcept nogil
    int (*OPENSSL_sk_num)(const void*) noexcept nogil
    void* (*OPENSSL_sk_value)(const void*, int) noexcept nogil
    # the rest of libcrypto
    unsigned long (*OpenSSL_version_num)() noexcept nogil
    text (*OpenSSL_version)(int) noexcept nogil
    int (*CRYPTO_get_ex_new_index)(int, long, void*, void*, void*, void*) noexcept nogil
    void* (*CRYPTO_malloc)(size_t, text, int) noexcept nogil
    void (*CRYPTO_free)(void*, text, int) noexcept nogil
    text (*OBJ_nid2sn)(int) noexcept nogil
    int (*RAND_bytes)(unsigned char*, int) noexcept nogil
    const void* (*EVP_sha1)() noexcept nogil
    const void* (*EVP_aes_128_cbc)() noexcept nogil
    const void* (*EVP_aes_256_cbc)() noexcept nogil
    int (*EVP_EncryptInit_ex)(void*, const void*, void*, octets, octets) noexcept nogil
    int (*EVP_DecryptInit_ex)(void*, const void*, void*, octets, octets) noexcept nogil
    int (*EVP_MAC_CTX_set_params)(void*, const Param*) noexcept nogil
    # OCSP
    void* (*d2i_OCSP_RESPONSE)(void**, octets*, long) noexcept nogil
    void (*OCSP_RESPONSE_free)(void*) noexcept nogil
    int (*OCSP_response_status)(void*) noexcept nogil
    text (*OCSP_response_status_str)(long) noexcept nogil
    void* (*OCSP_response_get1_basic)(void*) noexcept nogil
    void (*OCSP_BASICRESP_free)(void*) noexcept nogil
    int (*OCSP_basic_verify)(void*, void*, void*, unsigned long) noexcept nogil
    void* (*OCSP_cert_to_id)(const void*, const X509*, const X509*) noexcept nogil
    void (*OCSP_CERTID_free)(void*) noexcept nogil
    int (*OCSP_resp_find_status)(void*, void*, int*, int*, void**, void**, void**) noexcept nogil
    int (*OCSP_check_validity)(void*, void*, long, long) noexcept nogil
    text (*OCSP_cert_status_str)(long) noexcept nogil
    void* (*OCSP_REQUEST_new)() noexcept nogil
    void (*OCSP_REQUEST_free)(void*) noexcept nogil
    void* (*OCSP_request_add0_id)(void*, void*) noexcept nogil
    int (*i2d_OCSP_REQUEST)(const void*, unsigned char**) noexcept nogil
    void* (*X509_get1_ocsp)(X509*) noexcept nogil
    void (*X509_email_free)(void*) noexcept nogil
    void* (*X509_STORE_CTX_new)() noexcept nogil
    int (*X509_STORE_CTX_init)(void*, void*, X509*, void*) noexcept nogil
    int (*X509_STORE_CTX_get1_issuer)(X509**, void*, X509*) noexcept nogil
    void (*X509_STORE_CTX_free)(void*) noexcept nogil
    # what a libcrypto may be built without
    void* (*ENGINE_by_id)(text) noexcept nogil
    EVP_PKEY* (*ENGINE_load_private_key)(void*, text, void*, void*) noexcept nogil
    int (*ENGINE_free)(void*) noexcept nogil
    void* (*OSSL_STORE_open)(text, const void*, void*, void*, void*) noexcept nogil
    void* (*OSSL_STORE_load)(void*) noexcept nogil
    int (*OSSL_STORE_eof)(void*) noexcept nogil
    int (*OSSL_STORE_close)(void*) noexcept nogil
    int (*OSSL_STORE_INFO_get_type)(const void*) noexcept nogil
    EVP_PKEY* (*OSSL_STORE_INFO_get1_PKEY)(const void*) noexcept nogil
    void (*OSSL_STORE_INFO_free)(void*) noexcept nogil
    void* (*UI_UTIL_wrap_read_pem_callback)(PasswordCallback, int) noexcept nogil
    void (*UI_destroy_method)(void*) noexcept nogil
    # of newer versions: NULL in older ones
    int (*SSL_CTX_compress_certs)(SSL_CTX*, int) noexcept nogil                  # 3.2
    int (*SSL_get0_sigalg)(SSL*, int, unsigned int*, text*) noexcept nogil       # 4.0

cdef enum:
    NEEDED_VERSION = 0x30000000

    SSL_CTRL_MODE = 33
    SSL_CTRL_SET_READ_AHEAD = 41
    SSL_CTRL_SET_SESS_CACHE_SIZE = 42
    SSL_CTRL_SET_SESS_CACHE_MODE = 44
    SSL_CTRL_SET_TLSEXT_SERVERNAME_CB = 53
    SSL_CTRL_SET_TLSEXT_HOSTNAME = 55
    SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB = 63
    SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP = 71
    SSL_CTRL_CHAIN = 88
    SSL_CTRL_GET_GROUPS = 90
    SSL_CTRL_SET_GROUPS_LIST = 92
    SSL_CTRL_GET_RAW_CIPHERLIST = 110
    SSL_CTRL_SET_MIN_PROTO_VERSION = 123
    SSL_CTRL_SET_MAX_PROTO_VERSION = 124
    SSL_CTRL_GET_NEGOTIATED_GROUP = 134
    SSL_CTRL_GET_SIGNATURE_NAME = 140         # 3.5
    SSL_CTRL_GET_PEER_SIGNATURE_NAME = 141    # 3.5

    SSL_MODE_ENABLE_PARTIAL_WRITE = 0x1
    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER = 0x2
    SSL_MODE_NO_AUTO_CHAIN = 0x8
    SSL_MODE_RELEASE_BUFFERS = 0x10

    SSL_SESS_CACHE_OFF = 0
    SSL_SESS_CACHE_CLIENT = 0x1
    SSL_SESS_CACHE_SERVER = 0x2
    SSL_SESS_CACHE_NO_AUTO_CLEAR = 0x80
    SSL_SESS_CACHE_NO_INTERNAL_STORE = 0x200
    SSL_SESS_CACHE_NO_INTERNAL = 0x300

    SSL_ERROR_NONE = 0
    SSL_ERROR_SSL = 1
    SSL_ERROR_WANT_READ = 2
    SSL_ERROR_WANT_WRITE = 3
    SSL_ERROR_SYSCALL = 5
    SSL_ERROR_ZERO_RETURN = 6

    SSL_SENT_SHUTDOWN = 1
    SSL_RECEIVED_SHUTDOWN = 2

    SSL_VERIFY_NONE = 0
    SSL_VERIFY_PEER = 1

    SSL_READ_EARLY_DATA_ERROR = 0
    SSL_READ_EARLY_DATA_SUCCESS = 1
    SSL_READ_EARLY_DATA_FINISH = 2

    SSL_CB_ACCEPT_LOOP = 0x2001

    SSL_TLSEXT_ERR_OK = 0
    SSL_TLSEXT_ERR_ALERT_FATAL = 2
    SSL_TLSEXT_ERR_NOACK = 3

    SSL_AD_DECODE_ERROR = 50
    SSL_AD_INTERNAL_ERROR = 80
    SSL_AD_UNRECOGNIZED_NAME = 112
    SSL_AD_NO_APPLICATION_PROTOCOL = 120

    BIO_FLAGS_READ = 0x1
    BIO_FLAGS_WRITE = 0x2
    BIO_FLAGS_RETRY = 0xF           # READ, WRITE, IO_SPECIAL and SHOULD_RETRY
    BIO_FLAGS_SHOULD_RETRY = 0x8
    BIO_CTRL_EOF = 2
    BIO_CTRL_INFO = 3
    BIO_CTRL_PENDING = 10
    BIO_CTRL_FLUSH = 11
    BIO_CTRL_DUP = 12
    BIO_CTRL_RESET = 1
    BIO_C_SET_BUFF_SIZE = 117

    TLS1_3_VERSION = 0x0304
    ERR_LIB_PEM = 9
    ERR_LIB_X509 = 11
    PEM_R_NO_START_LINE = 108
    X509_R_CERT_ALREADY_IN_HASH_TABLE = 101
    X509_R_KEY_VALUES_MISMATCH = 116
    TLSEXT_nid_unknown = 0x1000000

# Bits of options are more than an enum's int holds.
cdef extern from *:
    """
    #define GW_OP_KTLS (1ULL << 3)
    #define GW_OP_IGNORE_EOF (1ULL << 7)
    #define GW_OP_NO_EMPTY_FRAGMENTS (1ULL << 11)
    #define GW_OP_NO_TICKET (1ULL << 14)
    #define GW_OP_NO_COMPRESSION (1ULL << 17)
    #define GW_OP_CIPHER_SERVER_PREFERENCE (1ULL << 22)
    #define GW_OP_NO_ANTI_REPLAY (1ULL << 24)
    #define GW_OP_NO_SSLv3 (1ULL << 25)
    #define GW_OP_NO_TLSv1 (1ULL << 26)
    #define GW_OP_NO_TLSv1_2 (1ULL << 27)
    #define GW_OP_NO_TLSv1_1 (1ULL << 28)
    #define GW_OP_NO_TLSv1_3 (1ULL << 29)
    #define GW_OP_NO_RENEGOTIATION (1ULL << 30)
    #define GW_OP_NO_COMPRESSED_CERTIFICATES (3ULL << 32)
    #define GW_OP_NO_TX_COMPRESSED_CERTIFICATES (1ULL << 32)
    """
    const uint64_t OP_KTLS "GW_OP_KTLS"
    const uint64_t OP_IGNORE_EOF "GW_OP_IGNORE_EOF"
    const uint64_t OP_NO_EMPTY_FRAGMENTS "GW_OP_NO_EMPTY_FRAGMENTS"
    const uint64_t OP_NO_TICKET "GW_OP_NO_TICKET"
    const uint64_t OP_NO_COMPRESSION "GW_OP_NO_COMPRESSION"
    const uint64_t OP_CIPHER_SERVER_PREFERENCE "GW_OP_CIPHER_SERVER_PREFERENCE"
    const uint64_t OP_NO_ANTI_REPLAY "GW_OP_NO_ANTI_REPLAY"
    const uint64_t OP_NO_SSLv3 "GW_OP_NO_SSLv3"
    const uint64_t OP_NO_TLSv1 "GW_OP_NO_TLSv1"
    const uint64_t OP_NO_TLSv1_1 "GW_OP_NO_TLSv1_1"
    const uint64_t OP_NO_TLSv1_2 "GW_OP_NO_TLSv1_2"
    const uint64_t OP_NO_TLSv1_3 "GW_OP_NO_TLSv1_3"
    const uint64_t OP_NO_RENEGOTIATION "GW_OP_NO_RENEGOTIATION"
    const uint64_t OP_NO_COMPRESSED_CERTIFICATES "GW_OP_NO_COMPRESSED_CERTIFICATES"
    const uint64_t OP_NO_TX_COMPRESSED_CERTIFICATES "GW_OP_NO_TX_COMPRESSED_CERTIFICATES"

cdef Functions lib

cdef bytes queued_errors()
cdef int need() except -1
