# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""SSL_CTX: what the connections of a server, or those to an upstream, have in common.

Errors are TlsError, in nginx's words. A context is made when the configuration is loaded, before the fork, and does not
change afterwards. What it calls back while a connection shakes hands is put in by tls_callbacks.
"""
import hashlib

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint64_t

from gateway._fast.openssl cimport *
from gateway._fast.x509 cimport Chain, Key, Revoked, failed

from gateway._fast.errors import TlsError

cdef enum:
    # <openssl/ssl.h>: how a value of SSL_CONF_cmd() is read
    SSL_CONF_TYPE_FILE = 2
    SSL_CONF_TYPE_DIR = 3
    # FILE, SERVER, CLIENT, CERTIFICATE, SHOW_ERRORS
    CONF_FLAGS = 0x2 | 0x8 | 0x4 | 0x20 | 0x10
    X509_V_FLAG_CRL_CHECK_ALL = 0xC     # with X509_V_FLAG_CRL_CHECK
    SHA1_SIZE = 20
    # NGX_SSL_BUFSIZE: the most early data, and a handshake's buffer
    EARLY_DATA = 16384

# The bits of `ssl_protocols`. OpenSSL has neither of the first two any more.
cdef dict PROTOCOLS = {4: OP_NO_TLSv1, 8: OP_NO_TLSv1_1, 16: OP_NO_TLSv1_2, 32: OP_NO_TLSv1_3}


cdef int go_on(int ok, void* store) noexcept:
    """A certificate that does not verify does not end the handshake: what is wrong is asked for afterwards."""
    return 1


cdef bytes encoded(str name):
    return name.encode("utf-8", "surrogateescape")


cdef class Context:
    def __cinit__(self, *, bint server, int protocols):
        cdef uint64_t options = OP_NO_COMPRESSION | OP_IGNORE_EOF | OP_NO_EMPTY_FRAGMENTS | OP_NO_ANTI_REPLAY
        need()
        lib.ERR_clear_error()
        self.chains = []
        self.server = server
        self.ctx = lib.SSL_CTX_new(lib.TLS_method())
        if self.ctx is NULL:
            raise failed("SSL_CTX_new")
        options |= OP_NO_SSLv3 | OP_NO_COMPRESSED_CERTIFICATES
        for bit, option in PROTOCOLS.items():
            if not protocols & bit:
                options |= <uint64_t>option
        lib.SSL_CTX_clear_options(self.ctx, OP_NO_TLSv1 | OP_NO_TLSv1_1 | OP_NO_TLSv1_2 | OP_NO_TLSv1_3)
        lib.SSL_CTX_set_options(self.ctx, options)
        lib.SSL_CTX_set_verify(self.ctx, SSL_VERIFY_NONE, <VerifyCallback>go_on)
        # a distribution's openssl.cnf may have limits of its own; what the configuration says holds
        lib.SSL_CTX_ctrl(self.ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, 0, NULL)
        lib.SSL_CTX_ctrl(self.ctx, SSL_CTRL_SET_MAX_PROTO_VERSION, TLS1_3_VERSION, NULL)
        # An idle connection holds no buffers; the chain is what the file has; a record is read with what follows it.
        lib.SSL_CTX_ctrl(
            self.ctx, SSL_CTRL_MODE,
            SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ENABLE_PARTIAL_WRITE
            | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, NULL,
        )
        lib.SSL_CTX_ctrl(self.ctx, SSL_CTRL_SET_READ_AHEAD, 1, NULL)

    def __dealloc__(self):
        if self.ctx is not NULL:
            lib.SSL_CTX_free(self.ctx)

    # -- what is spoken

    def set_ciphers(self, str ciphers, bint prefer_server=False):
        """Of TLS 1.2 and before; those of 1.3 are set by `ssl_conf_command Ciphersuites`."""
        if not lib.SSL_CTX_set_cipher_list(self.ctx, encoded(ciphers)):
            raise self.wrong(f'SSL_CTX_set_cipher_list("{ciphers}")', "ciphers")
        if prefer_server:
            lib.SSL_CTX_set_options(self.ctx, OP_CIPHER_SERVER_PREFERENCE)

    def set_curves(self, str curves):
        cdef bytes names = encoded(curves)
        if not lib.SSL_CTX_ctrl(self.ctx, SSL_CTRL_SET_GROUPS_LIST, 0, PyBytes_AS_STRING(names)):
            raise self.wrong(f'SSL_CTX_set1_curves_list("{curves}")', "ecdh_curve")

    def set_dh(self, str path):
        """Parameters for DHE ciphers."""
        cdef BIO* bio = lib.BIO_new_file(encoded(path), b"r")
        cdef EVP_PKEY* key
        if bio is NULL:
            raise self.wrong(f'BIO_new_file("{path}")', "dhparam")
        key = lib.PEM_read_bio_Parameters(bio, NULL)
        lib.BIO_free(bio)
        if key is NULL:
            raise self.wrong(f'PEM_read_bio_Parameters("{path}")', "dhparam")
        if lib.SSL_CTX_set0_tmp_dh_pkey(self.ctx, key) != 1:
            lib.EVP_PKEY_free(key)
            raise self.wrong(f'SSL_CTX_set0_tmp_dh_pkey("{path}")', "dhparam")

    def set_early_data(self):
        lib.SSL_CTX_set_max_early_data(self.ctx, EARLY_DATA)

    @property
    def early_data(self):
        return lib.SSL_CTX_get_max_early_data(self.ctx) > 0

    def compress_certificates(self):
        """Whether it can be done: OpenSSL may have been built without any way to compress."""
        if lib.SSL_CTX_compress_certs is NULL or not lib.SSL_CTX_compress_certs(self.ctx, 0):
            lib.ERR_clear_error()
            return False
        lib.SSL_CTX_clear_options(self.ctx, OP_NO_TX_COMPRESSED_CERTIFICATES)
        return True

    def command(self, list pairs, absolute):
        """`ssl_conf_command`; `absolute` completes a path."""
        cdef void* commands = lib.SSL_CONF_CTX_new()
        cdef bytes key
        cdef int kind
        lib.SSL_CONF_CTX_set_flags(commands, CONF_FLAGS)
        lib.SSL_CONF_CTX_set_ssl_ctx(commands, self.ctx)
        try:
            for name, value in pairs:
                key = encoded(name)
                kind = lib.SSL_CONF_cmd_value_type(commands, key)
                if kind == SSL_CONF_TYPE_FILE or kind == SSL_CONF_TYPE_DIR:
                    value = absolute(value)
                if lib.SSL_CONF_cmd(commands, key, encoded(value)) <= 0:
                    raise self.wrong(f'SSL_CONF_cmd("{name}", "{value}")', "conf_command")
            if lib.SSL_CONF_CTX_finish(commands) != 1:
                raise self.wrong("SSL_CONF_finish()", "conf_command")
        finally:
            lib.SSL_CONF_CTX_free(commands)

    @property
    def ktls(self):
        return (lib.SSL_CTX_get_options(self.ctx) & OP_KTLS) != 0

    # -- certificates

    def use(self, Chain chain not None, Key key not None):
        """A certificate with its chain, and its key; one of each kind of key may be used."""
        lib.ERR_clear_error()
        if not lib.SSL_CTX_use_certificate(self.ctx, chain.leaf):
            raise self.wrong(f'SSL_CTX_use_certificate("{chain.name}")')
        lib.SSL_CTX_ctrl(self.ctx, SSL_CTRL_CHAIN, 1, chain.rest)
        if not lib.SSL_CTX_use_PrivateKey(self.ctx, key.key):
            raise self.wrong(f'SSL_CTX_use_PrivateKey("{key.name}")')
        self.chains.append(chain)

    def verify_peer(self, int depth):
        """Ask for the peer's certificate, and look whether it is good, but go on in any case."""
        lib.SSL_CTX_set_verify(self.ctx, SSL_VERIFY_PEER, <VerifyCallback>go_on)
        lib.SSL_CTX_set_verify_depth(self.ctx, depth)

    def set_verify_depth(self, int depth):
        lib.SSL_CTX_set_verify_depth(self.ctx, depth)

    def trust(self, Chain authorities not None, bint tell_clients=False):
        """Believe these authorities; a server may name them to its clients."""
        cdef void* store = lib.SSL_CTX_get_cert_store(self.ctx)
        cdef void* names = NULL
        cdef void* name
        cdef X509* x509
        cdef int i, j
        if tell_clients:
            names = lib.OPENSSL_sk_new_null()
        for i in range(lib.OPENSSL_sk_num(authorities.rest)):
            x509 = <X509*>lib.OPENSSL_sk_value(authorities.rest, i)
            if lib.X509_STORE_add_cert(store, x509) != 1:
                lib.ERR_clear_error()       # it is there already
            if not tell_clients:
                continue
            name = lib.X509_get_subject_name(x509)
            for j in range(lib.OPENSSL_sk_num(names)):
                if lib.X509_NAME_cmp(lib.OPENSSL_sk_value(names, j), name) == 0:
                    break
            else:
                lib.OPENSSL_sk_push(names, lib.X509_NAME_dup(name))
        if tell_clients:
            lib.SSL_CTX_set_client_CA_list(self.ctx, names)

    def revoke(self, Revoked revoked not None):
        """Check all certificates of a chain against these lists."""
        cdef void* store = lib.SSL_CTX_get_cert_store(self.ctx)
        cdef int i
        for i in range(lib.OPENSSL_sk_num(revoked.lists)):
            if lib.X509_STORE_add_crl(store, lib.OPENSSL_sk_value(revoked.lists, i)) != 1:
                lib.ERR_clear_error()       # it is there already
        lib.X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK_ALL)

    # -- sessions

    def set_session_timeout(self, long seconds):
        lib.SSL_CTX_set_timeout(self.ctx, seconds)

    @property
    def session_timeout(self):
        return lib.SSL_CTX_get_timeout(self.ctx)

    def keep_no_sessions(self, bint pretend):
        """Neither in memory; `pretend`: the client is not told so."""
        if pretend:
            lib.SSL_CTX_ctrl(
                self.ctx, SSL_CTRL_SET_SESS_CACHE_MODE,
                SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_AUTO_CLEAR | SSL_SESS_CACHE_NO_INTERNAL_STORE, NULL,
            )
            lib.SSL_CTX_ctrl(self.ctx, SSL_CTRL_SET_SESS_CACHE_SIZE, 1, NULL)
        else:
            lib.SSL_CTX_ctrl(self.ctx, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL)

    def keep_sessions(self, long builtin):
        """In this process, `builtin` of them: 0 for OpenSSL's default, less for none."""
        cdef long mode = SSL_SESS_CACHE_SERVER if self.server else SSL_SESS_CACHE_CLIENT
        if builtin < 0:
            mode |= SSL_SESS_CACHE_NO_INTERNAL
        lib.SSL_CTX_ctrl(self.ctx, SSL_CTRL_SET_SESS_CACHE_MODE, mode, NULL)
        if builtin > 0:
            lib.SSL_CTX_ctrl(self.ctx, SSL_CTRL_SET_SESS_CACHE_SIZE, builtin, NULL)

    def without_tickets(self):
        lib.SSL_CTX_set_options(self.ctx, OP_NO_TICKET)

    def set_session_context(self, bytes kind, list names):
        """Sessions are resumed only where these are the same: certificates, or what names them, and the authorities."""
        cdef unsigned char digest[64]
        cdef unsigned int size
        cdef Chain chain
        cdef void* authorities = lib.SSL_CTX_get_client_CA_list(self.ctx)
        cdef bytes identity
        cdef int i
        whole = hashlib.sha1(kind, usedforsecurity=False)
        for chain in self.chains:
            lib.X509_digest(chain.leaf, lib.EVP_sha1(), digest, &size)
            whole.update(<bytes>digest[:SHA1_SIZE])
        if not self.chains:
            for name in names:
                whole.update(name.encode("utf-8", "surrogateescape"))
        if authorities is not NULL:
            for i in range(lib.OPENSSL_sk_num(authorities)):
                lib.X509_NAME_digest(lib.OPENSSL_sk_value(authorities, i), lib.EVP_sha1(), digest, &size)
                whole.update(<bytes>digest[:SHA1_SIZE])
        identity = whole.digest()
        lib.SSL_CTX_set_session_id_context(self.ctx, <octets>PyBytes_AS_STRING(identity), SHA1_SIZE)

    cdef object wrong(self, str call, about=None):
        words = f"{call} failed{queued_errors().decode('utf-8', 'surrogateescape')}"
        return TlsError(words, about) if about is not None else TlsError(words)


def wire_format(names):
    """Names of protocols as ALPN has them: each behind its length."""
    return b"".join([bytes([len(name)]) + name for name in names])
