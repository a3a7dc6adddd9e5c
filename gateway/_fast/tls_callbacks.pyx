# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What OpenSSL asks while a connection shakes hands: which server, which protocol, which session, which ticket's key.

Each function here puts one answerer into a Context. An exception of one ends the handshake, and is raised by the call
that OpenSSL was in.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memcpy
from libc.time cimport time

from gateway._fast.openssl cimport *
from gateway._fast.tls_context cimport Context
from gateway._fast.tls_engine cimport Engine, Session, engine_of
from gateway._fast.x509 cimport Chain

cdef enum:
    TLSEXT_TYPE_server_name = 0
    TLSEXT_TYPE_alpn = 16
    MOST_NAME = 255
    MOST_SESSION = 4096         # with the client's chain it may be larger: not kept, as by nginx
    MOST_SESSION_ID = 32
    BUFFER = 16384
    OPENSSL_NPN_NEGOTIATED = 1
    OSSL_PARAM_UTF8_STRING = 4
    OSSL_PARAM_OCTET_STRING = 5
    KEY_NAME = 16
    IV = 16

cdef int context_index = -1


# -- the server


cdef bint asks_for_proof(SSL* ssl) noexcept:
    """Whether an authority of ACME asks whose name this is: it offers acme-tls/1 and nothing else (RFC 8737)."""
    cdef octets data
    cdef size_t size
    if not lib.SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_alpn, &data, &size):
        return False
    return size == 13 and memcmp(data, b"\x00\x0b\x0aacme-tls/1", 13) == 0


cdef int on_hello(SSL* ssl, int* alert, void* unused) noexcept:
    """The ClientHello is here: its server name chooses the server. 1 to go on, 0 to end it with *alert."""
    cdef Engine engine = engine_of(ssl)
    cdef octets data
    cdef size_t size
    cdef int answer
    cdef bytes name = None
    if engine.chooser is None:
        return 1
    if lib.SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size):
        # one name, a host's; RFC 6066 wants it not to be empty
        if (
            size < 5 or (data[0] << 8) + data[1] + 2 != <int>size or data[2] != 0
            or (data[3] << 8) + data[4] + 5 != <int>size
        ):
            alert[0] = SSL_AD_DECODE_ERROR
            return 0
        data += 5
        size -= 5
        if size > MOST_NAME or memchr(data, 0, size) is not NULL:
            alert[0] = SSL_AD_UNRECOGNIZED_NAME
            return 0
        name = data[:size]
    try:
        answer = engine.chooser.choose(engine, name)
        if answer == 0 and name is not None and asks_for_proof(ssl):
            engine.chooser.prove(engine, name)
    except BaseException as error:
        engine.raised = error
        answer = SSL_AD_INTERNAL_ERROR
    if answer == 0:
        return 1
    engine.rejected = answer == SSL_AD_UNRECOGNIZED_NAME
    alert[0] = answer
    return 0


cdef int on_server_name(SSL* ssl, int* alert, void* unused) noexcept:
    """The name was taken note of: the client is told so, and the session remembers it."""
    return SSL_TLSEXT_ERR_OK


cdef int on_alpn(
    SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size, octets offered, unsigned int size, void* unused
) noexcept:
    cdef Engine engine = engine_of(ssl)
    if engine.alpn is None:
        return SSL_TLSEXT_ERR_NOACK
    if lib.SSL_select_next_proto(
        <unsigned char**>chosen, chosen_size, <octets>PyBytes_AS_STRING(engine.alpn),
        <unsigned int>PyBytes_GET_SIZE(engine.alpn), offered, size,
    ) != OPENSSL_NPN_NEGOTIATED:
        return SSL_TLSEXT_ERR_ALERT_FATAL
    return SSL_TLSEXT_ERR_OK


cdef void on_no_progress(const SSL* ssl, int where, int unused) noexcept:
    pass


cdef void on_progress(const SSL* ssl, int where, int unused) noexcept:
    """Keep a session's time limit over resumptions, and let a long chain of certificates go out at once."""
    cdef Engine engine
    cdef SSL_SESSION* session
    cdef BIO* output
    cdef long now, since, limit
    if where & SSL_CB_ACCEPT_LOOP != SSL_CB_ACCEPT_LOOP:
        return
    engine = engine_of(ssl)
    if not engine.buffer_set:
        output = lib.SSL_get_wbio(ssl)
        if output is not lib.SSL_get_rbio(ssl):
            # OpenSSL collects a flight in 4 KiB, which is a packet too many for most chains
            engine.buffer_set = True
            lib.BIO_int_ctrl(output, BIO_C_SET_BUFF_SIZE, BUFFER, 1)
    if engine.timeout_set or lib.SSL_version(ssl) != TLS1_3_VERSION:
        return
    session = lib.SSL_get_session(ssl)
    if session is NULL:
        return
    # OpenSSL dates a TLS 1.3 session anew at each resumption, so that it would never end
    engine.timeout_set = True
    now = <long>time(NULL)
    since = lib.SSL_SESSION_get_time(session)
    limit = min(lib.SSL_SESSION_get_timeout(session), lib.SSL_CTX_get_timeout(engine.first_context.ctx))
    if now - since >= limit:
        lib.SSL_SESSION_set1_id_context(session, <octets>b"", 0)
    else:
        lib.SSL_SESSION_set_time(session, now)
        lib.SSL_SESSION_set_timeout(session, limit - (now - since))
    if engine.buffer_set:
        # nothing is left to do; NULL would mean the context's
        lib.SSL_set_info_callback(<SSL*>ssl, on_no_progress)


def serve(Context context not None):
    """The server by its name, the protocol by the engine's `alpn`."""
    lib.SSL_CTX_set_client_hello_cb(context.ctx, on_hello, NULL)
    lib.SSL_CTX_callback_ctrl(context.ctx, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, <Function>on_server_name)
    lib.SSL_CTX_set_alpn_select_cb(context.ctx, on_alpn, NULL)
    lib.SSL_CTX_set_info_callback(context.ctx, on_progress)


cdef int on_certificate(SSL* ssl, void* unused) noexcept:
    cdef Engine engine = engine_of(ssl)
    try:
        return bool(engine.chooser.certify(engine))
    except BaseException as error:
        engine.raised = error
        return 0


def name_certificates(Context context not None):
    """Each connection asks its chooser for its certificate."""
    lib.SSL_CTX_set_cert_cb(context.ctx, on_certificate, NULL)


# -- sessions


cdef Context context_of(const SSL_CTX* ctx):
    return <Context>lib.SSL_CTX_get_ex_data(ctx, context_index)


cdef int on_new_session(SSL* ssl, SSL_SESSION* session) noexcept:
    """0: OpenSSL's reference stays its own."""
    cdef Context context
    cdef octets identity
    cdef unsigned int size
    cdef int length
    cdef bytes data
    cdef unsigned char* place
    if lib.SSL_version(ssl) == TLS1_3_VERSION and not lib.SSL_get_options(ssl) & OP_NO_TICKET:
        return 0        # its ticket holds it
    length = lib.i2d_SSL_SESSION(session, NULL)
    identity = lib.SSL_SESSION_get_id(session, &size)
    if not 0 < length <= MOST_SESSION or size > MOST_SESSION_ID:
        return 0
    try:
        context = engine_of(ssl).first_context
        data = PyBytes_FromStringAndSize(NULL, length)
        place = <unsigned char*>PyBytes_AS_STRING(data)
        lib.i2d_SSL_SESSION(session, &place)
        context.sessions.add(<bytes>identity[:size], data, lib.SSL_CTX_get_timeout(context.ctx))
    except BaseException as error:
        engine_of(ssl).raised = error
    return 0


cdef SSL_SESSION* on_get_session(SSL* ssl, octets identity, int size, int* copy) noexcept:
    cdef bytes data
    cdef octets place
    copy[0] = 0
    try:
        data = engine_of(ssl).first_context.sessions.find(<bytes>identity[:size])
    except BaseException as error:
        engine_of(ssl).raised = error
        return NULL
    if data is None:
        return NULL
    place = <octets>PyBytes_AS_STRING(data)
    return lib.d2i_SSL_SESSION(NULL, &place, PyBytes_GET_SIZE(data))


cdef void on_remove_session(SSL_CTX* ctx, SSL_SESSION* session) noexcept:
    cdef unsigned int size
    cdef octets identity = lib.SSL_SESSION_get_id(session, &size)
    try:
        context_of(ctx).sessions.remove(<bytes>identity[:size])
    except BaseException:
        pass        # it ends by its time


cdef int remember(Context context) except -1:
    global context_index
    if context_index < 0:
        context_index = lib.CRYPTO_get_ex_new_index(1, 0, NULL, NULL, NULL, NULL)   # of SSL_CTX
    lib.SSL_CTX_set_ex_data(context.ctx, context_index, <void*>context)
    return 0


def share_sessions(Context context not None, sessions):
    """Sessions without tickets are kept in `sessions`, which other processes have too."""
    remember(context)
    context.sessions = sessions
    lib.SSL_CTX_sess_set_new_cb(context.ctx, on_new_session)
    lib.SSL_CTX_sess_set_get_cb(context.ctx, on_get_session)
    lib.SSL_CTX_sess_set_remove_cb(context.ctx, on_remove_session)


cdef int on_client_session(SSL* ssl, SSL_SESSION* session) noexcept:
    cdef Engine engine = engine_of(ssl)
    cdef Session made
    if engine.on_session is None:
        return 0
    try:
        made = Session.__new__(Session)
        lib.SSL_SESSION_up_ref(session)
        made.session = session
        engine.on_session(made)
    except BaseException as error:
        engine.raised = error
    return 0


def hand_out_sessions(Context context not None):
    """Of a client: each session that the server gives goes to the engine's `on_session`."""
    context.keep_sessions(-1)
    lib.SSL_CTX_sess_set_new_cb(context.ctx, on_client_session)


# -- tickets


cdef int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, void* cipher, void* mac, int sealing) noexcept:
    """Set up what seals, or opens, a ticket: 1, or 2 to give the client a new one; 0: the key is not known; -1."""
    cdef Engine engine = engine_of(ssl)
    cdef bytes aes_key, mac_key, key_name
    cdef const void* algorithm
    cdef Param params[3]
    cdef bint renew = False
    try:
        tickets = engine.first_context.tickets
        if sealing:
            key_name, aes_key, mac_key = tickets.current()
            if lib.RAND_bytes(iv, IV) != 1:
                return -1
            memcpy(name, PyBytes_AS_STRING(key_name), KEY_NAME)
        else:
            found = tickets.find(<bytes>name[:KEY_NAME])
            if found is None:
                return 0
            aes_key, mac_key, renew = found
    except BaseException as error:
        engine.raised = error
        return -1
    algorithm = lib.EVP_aes_128_cbc() if PyBytes_GET_SIZE(aes_key) == 16 else lib.EVP_aes_256_cbc()
    params[0] = Param(b"key", OSSL_PARAM_OCTET_STRING, PyBytes_AS_STRING(mac_key), PyBytes_GET_SIZE(mac_key), 0)
    params[1] = Param(b"digest", OSSL_PARAM_UTF8_STRING, <void*><char*>b"SHA256", 6, 0)
    params[2] = Param(NULL, 0, NULL, 0, 0)
    if lib.EVP_MAC_CTX_set_params(mac, params) != 1:
        return -1
    if sealing:
        return 1 if lib.EVP_EncryptInit_ex(cipher, algorithm, NULL, <octets>PyBytes_AS_STRING(aes_key), iv) == 1 else -1
    if lib.EVP_DecryptInit_ex(cipher, algorithm, NULL, <octets>PyBytes_AS_STRING(aes_key), iv) != 1:
        return -1
    return 2 if renew or lib.SSL_version(ssl) == TLS1_3_VERSION else 1


def use_tickets(Context context not None, tickets):
    """Tickets are sealed with keys of `tickets`, not with OpenSSL's own for this context."""
    context.tickets = tickets
    lib.SSL_CTX_set_tlsext_ticket_key_evp_cb(context.ctx, on_ticket)


# -- OCSP stapling


cdef int on_status(SSL* ssl, void* unused) noexcept:
    """The client wants to see that the certificate was not revoked."""
    cdef Engine engine = engine_of(ssl)
    cdef Context context = engine.context
    cdef const void* leaf = lib.SSL_get_certificate(ssl)
    cdef bytes answer = None
    cdef void* copy
    cdef int index = 0
    try:
        for chain in context.chains:
            if is_leaf(chain, leaf):
                answer = context.staple.answer(index)
                break
            index += 1
    except BaseException as error:
        engine.raised = error
        return SSL_TLSEXT_ERR_ALERT_FATAL
    if answer is None:
        return SSL_TLSEXT_ERR_NOACK
    copy = lib.CRYPTO_malloc(PyBytes_GET_SIZE(answer), b"", 0)
    if copy is NULL:
        return SSL_TLSEXT_ERR_NOACK
    memcpy(copy, PyBytes_AS_STRING(answer), PyBytes_GET_SIZE(answer))
    lib.SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP, PyBytes_GET_SIZE(answer), copy)
    return SSL_TLSEXT_ERR_OK


cdef bint is_leaf(Chain chain, const void* leaf):
    return <const void*>chain.leaf == leaf


def staple(Context context not None, answers):
    """`answers.answer(index)`: what a client that asks is told of the context's certificate of this index."""
    context.staple = answers
    lib.SSL_CTX_callback_ctrl(context.ctx, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB, <Function>on_status)
