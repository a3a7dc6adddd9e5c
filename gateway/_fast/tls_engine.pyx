# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""SSL: TLS over one socket, and what is known of the connection.

OpenSSL reads and writes the socket itself (tls_wire). Its queue of errors is empty whenever one of its calls begins.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memset

from gateway._fast.openssl cimport *
from gateway._fast.tls_context cimport Context, go_on
from gateway._fast.tls_wire cimport bio_of, drop, flush
from gateway._fast.x509 cimport Chain, Key, certificate

from gateway._fast.errors import TlsError, TlsFailure

cdef int engine_index = -1
cdef int counted = 0


cdef int prepare() except -1:
    """Once in a process."""
    global engine_index
    need()
    if engine_index < 0:
        engine_index = lib.CRYPTO_get_ex_new_index(0, 0, NULL, NULL, NULL, NULL)    # of SSL
    return 0


cdef Engine engine_of(const SSL* ssl):
    """The engine whose call OpenSSL is in."""
    cdef void* found = lib.SSL_get_ex_data(ssl, engine_index)
    return <Engine>found


cdef class Session:
    """A session that a later connection may go on with."""

    def __dealloc__(self):
        if self.session is not NULL:
            lib.SSL_SESSION_free(self.session)


cdef int clear_errors() noexcept:
    """There is none, mostly, and to look is cheaper."""
    if lib.ERR_peek_last_error():
        lib.ERR_clear_error()
    return 0


def alive():
    """How many engines there are in this process, for tests that nothing is left."""
    return counted


cdef class Engine:
    """TLS over a connected socket that does not block; `received` was read of it before."""

    def __init__(self, Context context not None, int fd, bytes received=b""):
        self.begin(context, fd, received)

    cdef int begin(self, Context context, int fd, bytes received) except -1:
        cdef BIO* bio
        global counted
        prepare()
        clear_errors()
        memset(&self.wire, 0, sizeof(self.wire))
        self.wire.fd = fd
        self.context = self.first_context = context
        if received:
            self.received = received
            self.wire.early = PyBytes_AS_STRING(received)
            self.wire.early_size = PyBytes_GET_SIZE(received)
        self.ssl = lib.SSL_new(context.ctx)
        if self.ssl is NULL:
            raise TlsFailure(b"SSL_new() failed" + queued_errors())
        counted += 1
        bio = bio_of(&self.wire)
        lib.SSL_set_bio(self.ssl, bio, bio)
        lib.SSL_set_ex_data(self.ssl, engine_index, <void*>self)
        if context.server:
            lib.SSL_set_accept_state(self.ssl)
            lib.SSL_set_options(self.ssl, OP_NO_RENEGOTIATION)
            self.try_early = lib.SSL_CTX_get_max_early_data(context.ctx) > 0
        else:
            lib.SSL_set_connect_state(self.ssl)
        return 0

    def __dealloc__(self):
        self.release()

    cdef int release(self) noexcept:
        """Free what OpenSSL has of it; nothing can be read or written afterwards."""
        global counted
        if self.ssl is not NULL:
            # a connection that ends without a goodbye is no reason to refuse its session later (SSL_free() would)
            lib.SSL_set_shutdown(self.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
            lib.SSL_free(self.ssl)
            self.ssl = NULL
            counted -= 1
        drop(&self.wire)
        return 0

    def free(self):
        """release(), for Python."""
        self.release()

    # -- before the handshake

    def set_server_name(self, bytes name not None):
        """Of a client: which server it asks for."""
        lib.SSL_ctrl(self.ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, PyBytes_AS_STRING(name))

    def set_alpn(self, bytes names not None):
        """Of a client: the protocols that it offers, in ALPN's format."""
        lib.SSL_set_alpn_protos(self.ssl, <octets>PyBytes_AS_STRING(names), <unsigned int>PyBytes_GET_SIZE(names))

    def set_session(self, Session session not None):
        lib.SSL_set_session(self.ssl, session.session)
        lib.ERR_clear_error()

    def use(self, Chain chain not None, Key key not None):
        """A certificate of this connection's own. Errors: TlsError."""
        lib.ERR_clear_error()
        if not lib.SSL_use_certificate(self.ssl, chain.leaf):
            raise TlsError(f'SSL_use_certificate("{chain.name}") failed{queued_errors().decode()}')
        lib.SSL_ctrl(self.ssl, SSL_CTRL_CHAIN, 1, chain.rest)
        if not lib.SSL_use_PrivateKey(self.ssl, key.key):
            mismatch = lib.ERR_peek_last_error() & 0x7FFFFF == X509_R_KEY_VALUES_MISMATCH
            words = f'SSL_use_PrivateKey("{key.name}") failed{queued_errors().decode()}'
            raise TlsError(words, "mismatch") if mismatch else TlsError(words)

    def switch(self, Context context not None):
        """While the ClientHello is read: go on as another server."""
        lib.SSL_set_SSL_CTX(self.ssl, context.ctx)
        self.context = context
        # SSL_set_SSL_CTX() changes the certificates; these are a connection's own
        lib.SSL_set_verify(self.ssl, lib.SSL_CTX_get_verify_mode(context.ctx), <VerifyCallback>go_on)
        lib.SSL_set_verify_depth(self.ssl, lib.SSL_CTX_get_verify_depth(context.ctx))
        lib.SSL_clear_options(self.ssl, lib.SSL_get_options(self.ssl) & ~lib.SSL_CTX_get_options(context.ctx))
        lib.SSL_set_options(self.ssl, lib.SSL_CTX_get_options(context.ctx) | OP_NO_RENEGOTIATION)

    # -- work

    cdef int shake_hands(self) except -4:
        """1 when it is done, else WANTS_READ, WANTS_WRITE, FAILED.

        In TLS 1.3 a server's tickets, or a client's Finished, may be left in the wire when it is done: what the caller
        sends next goes out with them, and if that is nothing he flushes.
        """
        cdef int answer
        self.wire.holding = True
        try:
            answer = self.advance()
        except BaseException:
            self.wire.holding = False
            flush(&self.wire)
            raise
        self.wire.holding = False
        if not self.wire.out_size or (answer == 1 and self.done and lib.SSL_version(self.ssl) == TLS1_3_VERSION):
            return answer
        if flush(&self.wire) < 0 and answer != FAILED:
            self.failure = TlsFailure(b"peer closed connection in SSL handshake", 0, self.wire.error, left=True)
            return FAILED
        return answer

    cdef int advance(self) except -4:
        cdef int result
        cdef size_t count = 0
        if self.try_early:
            result = lib.SSL_read_early_data(self.ssl, &self.early_byte, 1, &count)
            if result == SSL_READ_EARLY_DATA_SUCCESS:
                self.try_early = False
                self.in_early = True
                self.has_early_byte = count > 0
                return 1
            if result == SSL_READ_EARLY_DATA_ERROR:
                return <int>self.outcome(0, b"SSL_read_early_data()")
            self.try_early = False
        result = lib.SSL_do_handshake(self.ssl)
        if result == 1:
            self.done = True
            if self.raised is not None:
                error, self.raised = self.raised, None
                raise error
            return 1
        return <int>self.outcome(result, b"SSL_do_handshake()")

    cdef ssize_t outcome(self, int result, bytes call) except -4:
        """What a call that did not succeed wants, or why it failed; 0 at the end of an established connection."""
        cdef int kind = lib.SSL_get_error(self.ssl, result)
        cdef unsigned long last
        if kind == SSL_ERROR_WANT_READ:
            return WANTS_READ
        if kind == SSL_ERROR_WANT_WRITE:
            return WANTS_WRITE
        if self.raised is not None:
            error, self.raised = self.raised, None
            lib.ERR_clear_error()
            raise error
        established = self.done or self.in_early
        last = lib.ERR_peek_last_error()
        if established and (kind == SSL_ERROR_ZERO_RETURN or (not last and not self.wire.error)):
            return 0
        if not established and (kind == SSL_ERROR_ZERO_RETURN or not last):
            lib.ERR_clear_error()
            self.failure = TlsFailure(b"peer closed connection in SSL handshake", 0, self.wire.error, left=True)
        elif self.rejected:
            lib.ERR_clear_error()
            self.failure = TlsFailure(b"handshake rejected", 0, self.wire.error, left=True)
        else:
            self.failure = TlsFailure(call + b" failed" + queued_errors(), last & 0x7FFFFF, self.wire.error)
        return FAILED

    cdef ssize_t read(self, char* buffer, size_t size) except -4:
        """How much was read; 0 at the end, WANTS_READ, FAILED."""
        cdef size_t count = 0
        cdef ssize_t early
        if self.in_early:
            early = self.read_early(buffer, size)
            if early:
                return early
        if lib.SSL_read_ex(self.ssl, buffer, size, &count):
            return count
        return self.outcome(0, b"SSL_read()")

    cdef ssize_t read_early(self, char* buffer, size_t size) except -4:
        """0: all of the early data was read, and what follows comes by read()."""
        cdef size_t used = 0
        cdef size_t count
        cdef int result
        cdef ssize_t answer
        if self.has_early_byte and size:
            buffer[0] = self.early_byte
            self.has_early_byte = False
            used = 1
        while used < size:
            count = 0
            result = lib.SSL_read_early_data(self.ssl, buffer + used, size - used, &count)
            used += count
            if result == SSL_READ_EARLY_DATA_FINISH:
                self.in_early = False
                self.done = True
                break
            if result == SSL_READ_EARLY_DATA_ERROR:
                answer = self.outcome(0, b"SSL_read_early_data()")
                if used and answer == WANTS_READ:
                    break
                return answer
        return used

    cdef ssize_t write(self, const char* data, size_t size) except -4:
        """How much was sealed; WANTS_READ, WANTS_WRITE, FAILED."""
        cdef size_t count = 0
        cdef ssize_t answer
        if self.in_early:
            if lib.SSL_write_early_data(self.ssl, data, size, &count):
                return count
            answer = self.outcome(0, b"SSL_write_early_data()")
        else:
            if lib.SSL_write_ex(self.ssl, data, size, &count):
                return count
            answer = self.outcome(0, b"SSL_write()")
        if answer == 0:
            self.failure = TlsFailure(b"SSL_write() failed", 0, self.wire.error)
            return FAILED
        return answer

    cdef int more(self) noexcept:
        """Whether something was received that a read would give, or look at, without the socket."""
        return lib.SSL_has_pending(self.ssl) or self.wire.early_at < self.wire.early_size or self.has_early_byte

    # -- for those who wait for the socket themselves (health checks)

    def do_handshake(self):
        """True when it is done, None when more must be read first, False when the socket must take more. TlsFailure."""
        cdef int answer
        self.wire.drained = False
        if flush(&self.wire) == 0:
            return False
        answer = self.shake_hands()
        if answer == FAILED:
            raise self.failure
        if self.wire.out_size and flush(&self.wire) == 0:
            return False
        return True if answer == 1 else None if answer == WANTS_READ else False

    def receive(self, int limit):
        """Bytes, none at the end; None when more must come first. Errors: TlsFailure, OSError."""
        cdef bytes data = PyBytes_FromStringAndSize(NULL, limit)
        cdef ssize_t count
        self.wire.drained = False
        count = self.read(PyBytes_AS_STRING(data), limit)
        if count == FAILED:
            raise self.failure
        return None if count < 0 else data[:count]

    def send(self, bytes data not None):
        """All of it; False when the socket is full: then flush_out() until that is True. Errors: TlsFailure."""
        cdef ssize_t count = self.write(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data)) if data else 0
        cdef Py_ssize_t done = max(count, 0)
        while count > 0 and done < PyBytes_GET_SIZE(data):
            count = self.write(PyBytes_AS_STRING(data) + done, PyBytes_GET_SIZE(data) - done)
            done += max(count, 0)
        if count < 0:
            raise self.failure or TlsFailure(b"SSL_write() failed")
        return self.flush_out()

    def flush_out(self):
        if flush(&self.wire) < 0:
            raise TlsFailure(b"SSL_write() failed", 0, self.wire.error)
        return not self.wire.out_size

    # -- what is known of the connection, for variables

    def version(self):
        return <bytes>lib.SSL_get_version(self.ssl)

    def cipher(self):
        cdef const void* cipher = lib.SSL_get_current_cipher(self.ssl)
        return <bytes>lib.SSL_CIPHER_get_name(cipher) if cipher is not NULL else None

    def ciphers(self):
        """What the client offered, by OpenSSL's names where it has one."""
        cdef octets data = NULL
        cdef const void* cipher
        cdef long size = lib.SSL_ctrl(self.ssl, SSL_CTRL_GET_RAW_CIPHERLIST, 0, &data)
        cdef long each = lib.SSL_ctrl(self.ssl, SSL_CTRL_GET_RAW_CIPHERLIST, 0, NULL)
        cdef long at = 0
        cdef list names = []
        while data is not NULL and at + each <= size:
            cipher = lib.SSL_CIPHER_find(self.ssl, data + at)
            names.append(
                <bytes>lib.SSL_CIPHER_get_name(cipher) if cipher is not NULL
                else b"0x" + (<bytes>data[at:at + each]).hex().encode()
            )
            at += each
        return b":".join(names)

    def curve(self):
        return self.curve_name(lib.SSL_ctrl(self.ssl, SSL_CTRL_GET_NEGOTIATED_GROUP, 0, NULL))

    def curves(self):
        """What the client offered."""
        cdef long count = lib.SSL_ctrl(self.ssl, SSL_CTRL_GET_GROUPS, 0, NULL)
        cdef int* numbers
        if count <= 0:
            return None
        numbers = <int*>malloc(count * sizeof(int))
        if numbers is NULL:
            raise MemoryError
        try:
            count = lib.SSL_ctrl(self.ssl, SSL_CTRL_GET_GROUPS, 0, numbers)
            return b":".join([self.curve_name(numbers[i]) for i in range(count)])
        finally:
            free(numbers)

    def curve_name(self, long number):
        cdef const char* name
        if not number:
            return None
        if not number & TLSEXT_nid_unknown:
            return <bytes>lib.OBJ_nid2sn(<int>number)
        name = lib.SSL_group_to_name(self.ssl, <int>number) if lib.SSL_group_to_name is not NULL else NULL
        return <bytes>name if name is not NULL else b"0x%04x" % (number & 0xFFFF)

    def sigalg(self):
        """Of our own signature, from OpenSSL 3.5 on; an older one does not know the question."""
        return self.name_of(SSL_CTRL_GET_SIGNATURE_NAME)

    def peer_sigalg(self):
        return self.name_of(SSL_CTRL_GET_PEER_SIGNATURE_NAME)

    cdef bytes name_of(self, int command):
        cdef const char* name = NULL
        if lib.SSL_ctrl(self.ssl, command, 0, &name) and name is not NULL:
            return <bytes>name
        return None

    def sigalgs(self):
        """What the client offered: numbers before OpenSSL 4.0."""
        cdef unsigned char signature, digest
        cdef unsigned int number
        cdef const char* name
        cdef list names = []
        cdef int i
        if lib.SSL_get0_sigalg is not NULL:
            for i in range(lib.SSL_get0_sigalg(self.ssl, -1, NULL, NULL)):
                name = NULL
                lib.SSL_get0_sigalg(self.ssl, i, &number, &name)
                names.append(<bytes>name if name is not NULL else b"0x%04x" % number)
        else:
            for i in range(lib.SSL_get_sigalgs(self.ssl, -1, NULL, NULL, NULL, NULL, NULL)):
                lib.SSL_get_sigalgs(self.ssl, i, NULL, NULL, NULL, &signature, &digest)
                names.append(b"0x%04x" % (digest << 8 | signature))
        return b":".join(names)

    def server_name(self):
        cdef const char* name = lib.SSL_get_servername(self.ssl, 0)
        return <bytes>name if name is not NULL else None

    cpdef bint speaks(self, bytes protocol):
        """Whether both ends agreed on it (ALPN)."""
        cdef octets name = NULL
        cdef unsigned int size = 0
        lib.SSL_get0_alpn_selected(self.ssl, &name, &size)
        return size == <size_t>PyBytes_GET_SIZE(protocol) and memcmp(name, PyBytes_AS_STRING(protocol), size) == 0

    def alpn_protocol(self):
        cdef octets data = NULL
        cdef unsigned int size = 0
        lib.SSL_get0_alpn_selected(self.ssl, &data, &size)
        return <bytes>data[:size] if size else None

    @property
    def session_reused(self):
        return lib.SSL_session_reused(self.ssl) != 0

    @property
    def handshaking(self):
        """What was read until now might have been sent by somebody who only repeats it: early data."""
        return lib.SSL_is_init_finished(self.ssl) == 0

    def session_id(self):
        cdef SSL_SESSION* session = lib.SSL_get_session(self.ssl)
        cdef unsigned int size = 0
        cdef octets identity
        if session is NULL:
            return None
        identity = lib.SSL_SESSION_get_id(session, &size)
        return (<bytes>identity[:size]).hex().encode()

    def peer_certificate(self):
        return certificate(lib.SSL_get1_peer_certificate(self.ssl))

    def verified_chain(self):
        """The peer's certificate and those that lead to a trusted one; empty for a session that was resumed."""
        cdef void* chain = lib.SSL_get0_verified_chain(self.ssl)
        cdef X509* x509
        cdef int i
        cdef list found = []
        if chain is not NULL:
            for i in range(lib.OPENSSL_sk_num(chain)):
                x509 = <X509*>lib.OPENSSL_sk_value(chain, i)
                lib.X509_up_ref(x509)
                found.append(certificate(x509))
        return found

    def verify_result(self):
        """X509_V_OK, 0, or X509_V_ERR_…"""
        return lib.SSL_get_verify_result(self.ssl)

    def forget_session(self):
        """It shall not be resumed: its client's certificate was refused."""
        cdef SSL_SESSION* session = lib.SSL_get_session(self.ssl)
        if session is not NULL:
            lib.SSL_CTX_remove_session(self.first_context.ctx, session)
