# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Certificates, keys and lists of revoked ones, loaded as nginx loads them, and what the $ssl_client_… variables say.

A name is a path, `data:` and PEM; of a key also `engine:NAME:ID` or `store:URI`. Errors: TlsError, in nginx's words
with those of OpenSSL behind them.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from gateway._fast.openssl cimport *

from gateway._fast.errors import TlsError

cdef enum:
    OSSL_STORE_INFO_PKEY = 4
    MOST_DIGEST = 64

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# XN_FLAG_RFC2253: what is special in a name is escaped, what is not ASCII comes as the bytes of its UTF-8, in hex.
cdef unsigned long RFC2253 = 0x1110317


def seconds(str text not None):
    """Since the epoch, of a time as OpenSSL writes it: "Feb  3 00:55:52 2026 GMT". Errors: ValueError.

    Not time.strptime(), which imports a module when it is called first: a worker's user may not be able to read that.
    """
    month, day, clock, year, zone = text.split()
    if zone != "GMT":
        raise ValueError(f"no time in GMT: {text}")
    hour, minute, second = clock.split(":")
    # Years from March on, so that a leap day is a year's last; 719,468 days from the year 0 to 1970.
    cdef long months = (MONTHS.index(month) + 10) % 12
    cdef long years = int(year) - (months >= 10)
    cdef long days = years * 365 + years // 4 - years // 100 + years // 400 - 719468
    days += (153 * months + 2) // 5 + int(day) - 1
    return ((days * 24 + int(hour)) * 60 + int(minute)) * 60 + int(second)


cdef object failed(str call):
    return TlsError(f"{call}() failed{queued_errors().decode('utf-8', 'surrogateescape')}")


cdef bint at_the_end() noexcept:
    """Whether the last error says no more than that nothing follows in a PEM file."""
    cdef unsigned long number = lib.ERR_peek_last_error()
    return (number >> 23) & 0xFF == ERR_LIB_PEM and number & 0x7FFFFF == PEM_R_NO_START_LINE


cdef BIO* opened(name, bint data_may_stand_here) except NULL:
    cdef bytes encoded = name.encode("utf-8", "surrogateescape")
    cdef BIO* bio
    need()
    lib.ERR_clear_error()
    if data_may_stand_here and encoded.startswith(b"data:"):
        # BIO_new_mem_buf() borrows: `encoded` must outlive it, so it is copied in
        bio = lib.BIO_new(lib.BIO_s_mem())
        if bio is NULL or write_all(bio, encoded[5:]) == 0:
            raise failed("BIO_new_mem_buf")
        return bio
    bio = lib.BIO_new_file(encoded, b"r")
    if bio is NULL:
        raise failed("BIO_new_file")
    return bio


cdef bint write_all(BIO* bio, bytes data):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    return not size or lib.BIO_write(bio, PyBytes_AS_STRING(data), <int>size) == size


cdef int free_certificates(void* stack) noexcept:
    cdef int i
    if stack is not NULL:
        for i in range(lib.OPENSSL_sk_num(stack)):
            lib.X509_free(<X509*>lib.OPENSSL_sk_value(stack, i))
        lib.OPENSSL_sk_free(stack)
    return 0


# -- what configurations name


cdef class Chain:
    """A certificate and those that lead to its authority; or, without a leaf, a set of authorities."""

    def __dealloc__(self):
        if self.leaf is not NULL:
            lib.X509_free(self.leaf)
        free_certificates(self.rest)

    def __len__(self):
        return lib.OPENSSL_sk_num(self.rest) + (self.leaf is not NULL)

    def certificate(self):
        """The one that the chain is for."""
        lib.X509_up_ref(self.leaf)
        return certificate(self.leaf)

    def issuer(self):
        """The next certificate of the chain, if it has issued the first one."""
        cdef int i
        cdef X509* other
        for i in range(lib.OPENSSL_sk_num(self.rest)):
            other = <X509*>lib.OPENSSL_sk_value(self.rest, i)
            if lib.X509_check_issued(other, self.leaf) == 0:
                lib.X509_up_ref(other)
                return certificate(other)
        return None


def load_chain(str name):
    """Of `ssl_certificate`: the server's certificate first."""
    cdef Chain chain = Chain.__new__(Chain)
    cdef BIO* bio = opened(name, True)
    cdef X509* x509
    chain.name = name
    try:
        chain.rest = lib.OPENSSL_sk_new_null()
        chain.leaf = lib.PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)
        if chain.leaf is NULL:
            raise failed("PEM_read_bio_X509_AUX")
        while True:
            x509 = lib.PEM_read_bio_X509(bio, NULL, NULL, NULL)
            if x509 is NULL:
                if not at_the_end():
                    raise failed("PEM_read_bio_X509")
                lib.ERR_clear_error()
                return chain
            lib.OPENSSL_sk_push(chain.rest, x509)
    finally:
        lib.BIO_free(bio)


def load_authorities(str name):
    """Of `ssl_client_certificate`, `ssl_trusted_certificate`: at least one certificate."""
    cdef Chain chain = Chain.__new__(Chain)
    cdef BIO* bio = opened(name, False)
    cdef X509* x509
    chain.name = name
    try:
        chain.rest = lib.OPENSSL_sk_new_null()
        while True:
            x509 = lib.PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)
            if x509 is NULL:
                if not at_the_end() or not lib.OPENSSL_sk_num(chain.rest):
                    raise failed("PEM_read_bio_X509_AUX")
                lib.ERR_clear_error()
                return chain
            lib.OPENSSL_sk_push(chain.rest, x509)
    finally:
        lib.BIO_free(bio)


cdef class Revoked:
    """The lists of `ssl_crl`."""

    def __dealloc__(self):
        cdef int i
        if self.lists is not NULL:
            for i in range(lib.OPENSSL_sk_num(self.lists)):
                lib.X509_CRL_free(lib.OPENSSL_sk_value(self.lists, i))
            lib.OPENSSL_sk_free(self.lists)


def load_revoked(str name):
    """Of `ssl_crl`: at least one list."""
    cdef Revoked revoked = Revoked.__new__(Revoked)
    cdef BIO* bio = opened(name, False)
    cdef void* crl
    try:
        revoked.lists = lib.OPENSSL_sk_new_null()
        while True:
            crl = lib.PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)
            if crl is NULL:
                if not at_the_end() or not lib.OPENSSL_sk_num(revoked.lists):
                    raise failed("PEM_read_bio_X509_CRL")
                lib.ERR_clear_error()
                return revoked
            lib.OPENSSL_sk_push(revoked.lists, crl)
    finally:
        lib.BIO_free(bio)


cdef struct Answer:
    char* password              # NULL: there is none
    Py_ssize_t size
    bint asked


cdef int give_password(char* buffer, int size, int writing, void* data) noexcept:
    """OpenSSL asks for the password of a key."""
    cdef Answer* answer = <Answer*>data
    cdef Py_ssize_t count
    answer.asked = True
    if answer.password is NULL or writing:
        return 0
    count = min(answer.size, size)
    memcpy(buffer, answer.password, count)
    return <int>count


cdef class Key:
    """A private key; `encrypted`: a password was needed for it."""

    def __dealloc__(self):
        if self.key is not NULL:
            lib.EVP_PKEY_free(self.key)


def load_key(str name, passwords=None):
    """Of `ssl_certificate_key`; passwords None: OpenSSL asks on the terminal."""
    cdef Key key = Key.__new__(Key)
    need()
    lib.ERR_clear_error()
    key.name = name
    if name.startswith("engine:"):
        key.key = key_of_engine(name)
    elif name.startswith("store:"):
        key_of_store(key, name, passwords)
    else:
        key_of_pem(key, name, passwords)
    return key


cdef int key_of_pem(Key made, str name, passwords) except -1:
    cdef BIO* bio = opened(name, True)
    cdef EVP_PKEY* key = NULL
    cdef bytes password
    cdef Answer answer = Answer(NULL, 0, False)
    cdef list words = [] if passwords is None else list(passwords)
    try:
        if passwords is None:
            key = lib.PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)
        elif not words:
            key = lib.PEM_read_bio_PrivateKey(bio, NULL, <PasswordCallback>give_password, &answer)
        while words and key is NULL:
            password = words.pop(0)
            answer.password, answer.size = PyBytes_AS_STRING(password), PyBytes_GET_SIZE(password)
            key = lib.PEM_read_bio_PrivateKey(bio, NULL, <PasswordCallback>give_password, &answer)
            if key is NULL and words:
                lib.ERR_clear_error()
                lib.BIO_ctrl(bio, BIO_CTRL_RESET, 0, NULL)
        if key is NULL:
            raise failed("PEM_read_bio_PrivateKey")
        made.key = key
        made.encrypted = answer.asked
        return 0
    finally:
        lib.BIO_free(bio)


cdef EVP_PKEY* key_of_engine(str name) except NULL:
    cdef void* engine
    cdef EVP_PKEY* key
    cdef bytes engine_name, identity
    which, colon, rest = name[7:].partition(":")
    if not colon:
        raise TlsError("invalid syntax")
    if lib.ENGINE_by_id is NULL or lib.ENGINE_load_private_key is NULL or lib.ENGINE_free is NULL:
        raise TlsError('loading "engine:..." certificate keys is not supported')
    engine_name, identity = which.encode(), rest.encode()
    engine = lib.ENGINE_by_id(engine_name)
    if engine is NULL:
        raise failed("ENGINE_by_id")
    key = lib.ENGINE_load_private_key(engine, identity, NULL, NULL)
    lib.ENGINE_free(engine)
    if key is NULL:
        raise failed("ENGINE_load_private_key")
    return key


cdef int key_of_store(Key made, str name, passwords) except -1:
    cdef bytes uri = name[6:].encode("utf-8", "surrogateescape")
    cdef bytes password = passwords[0] if passwords else None
    cdef Answer answer = Answer(NULL, 0, False)
    cdef void* method = NULL
    cdef void* store
    cdef void* info
    cdef EVP_PKEY* key = NULL
    if passwords is not None:
        method = lib.UI_UTIL_wrap_read_pem_callback(<PasswordCallback>give_password, 0)
    if password is not None:
        answer.password, answer.size = PyBytes_AS_STRING(password), PyBytes_GET_SIZE(password)
    store = lib.OSSL_STORE_open(uri, method, &answer, NULL, NULL)
    if store is not NULL:
        while key is NULL and not lib.OSSL_STORE_eof(store):
            info = lib.OSSL_STORE_load(store)
            if info is NULL:
                continue
            if lib.OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY:
                key = lib.OSSL_STORE_INFO_get1_PKEY(info)
            lib.OSSL_STORE_INFO_free(info)
        lib.OSSL_STORE_close(store)
    if method is not NULL:
        lib.UI_destroy_method(method)
    if key is NULL:
        raise failed("OSSL_STORE_open" if store is NULL else "OSSL_STORE_load")
    made.key = key
    made.encrypted = answer.asked
    return 0


# -- a certificate of a peer


cdef Certificate certificate(X509* x509):
    """Takes the reference over; None for NULL."""
    cdef Certificate made
    if x509 is NULL:
        return None
    made = Certificate.__new__(Certificate)
    made.x509 = x509
    return made


cdef bytes written(BIO* bio):
    """What was written to a BIO in memory, which is freed."""
    cdef char* data = NULL
    cdef long size = lib.BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data)
    cdef bytes result = PyBytes_FromStringAndSize(data, max(size, 0))
    lib.BIO_free(bio)
    lib.ERR_clear_error()
    return result


cdef class Certificate:
    """What the variables of a client's certificate, and OCSP, ask of one."""

    def __dealloc__(self):
        if self.x509 is not NULL:
            lib.X509_free(self.x509)

    def pem(self):
        cdef BIO* bio = lib.BIO_new(lib.BIO_s_mem())
        lib.PEM_write_bio_X509(bio, self.x509)
        return written(bio)

    def der(self):
        cdef int size = lib.i2d_X509(self.x509, NULL)
        cdef bytes data = PyBytes_FromStringAndSize(NULL, size)
        cdef unsigned char* place = <unsigned char*>PyBytes_AS_STRING(data)
        lib.i2d_X509(self.x509, &place)
        return data

    def subject(self):
        """By RFC 2253: the last part first, with all escaped that has a meaning, or might have one elsewhere."""
        return name_of(lib.X509_get_subject_name(self.x509))

    def issuer(self):
        return name_of(lib.X509_get_issuer_name(self.x509))

    def subject_legacy(self):
        """`/C=…/CN=…`."""
        return legacy_name_of(lib.X509_get_subject_name(self.x509))

    def issuer_legacy(self):
        return legacy_name_of(lib.X509_get_issuer_name(self.x509))

    def serial(self):
        cdef BIO* bio = lib.BIO_new(lib.BIO_s_mem())
        lib.i2a_ASN1_INTEGER(bio, lib.X509_get_serialNumber(self.x509))
        return written(bio)

    def fingerprint(self):
        """SHA-1, in hex."""
        cdef unsigned char digest[MOST_DIGEST]
        cdef unsigned int size = 0
        lib.X509_digest(self.x509, lib.EVP_sha1(), digest, &size)
        return (<bytes>digest[:size]).hex().encode()

    def not_before(self):
        """As `Feb  3 00:55:52 2015 GMT`."""
        cdef BIO* bio = lib.BIO_new(lib.BIO_s_mem())
        lib.ASN1_TIME_print(bio, lib.X509_getm_notBefore(self.x509))
        return written(bio)

    def not_after(self):
        cdef BIO* bio = lib.BIO_new(lib.BIO_s_mem())
        lib.ASN1_TIME_print(bio, lib.X509_getm_notAfter(self.x509))
        return written(bio)

    def matches(self, bytes host not None):
        """Whether it is for this host, by the names in subjectAltName, or without any by its common names."""
        if not host:
            return False
        return lib.X509_check_host(self.x509, PyBytes_AS_STRING(host), PyBytes_GET_SIZE(host), 0, NULL) == 1


cdef bytes name_of(void* name):
    cdef BIO* bio = lib.BIO_new(lib.BIO_s_mem())
    lib.X509_NAME_print_ex(bio, name, 0, RFC2253)
    return written(bio)


cdef bytes legacy_name_of(void* name):
    cdef char* line = lib.X509_NAME_oneline(name, NULL, 0)
    cdef bytes result
    if line is NULL:
        return b""
    result = <bytes>line
    lib.CRYPTO_free(line, b"", 0)
    return result
