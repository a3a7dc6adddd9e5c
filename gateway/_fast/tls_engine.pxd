from gateway._fast.openssl cimport SSL, SSL_SESSION
from gateway._fast.tls_context cimport Context
from gateway._fast.tls_wire cimport Wire

cdef enum:
    WANTS_READ = -1             # what read() and write() answer besides a count
    WANTS_WRITE = -2
    FAILED = -3


cdef class Session:
    cdef SSL_SESSION* session


cdef class Engine:
    cdef SSL* ssl
    cdef Wire wire
    cdef readonly Context context           # the server's that the client asked for
    cdef readonly Context first_context     # the one that the handshake began with: sessions and tickets are its
    # .choose(name): 0 or an alert; .prove(name): ACME's tls-alpn-01; .certify(): whether there is a certificate
    cdef public object chooser
    cdef public bytes alpn          # what a server speaks, in ALPN's format; None: it has no say
    cdef public object on_session   # a client's: called with each Session that the server gives
    cdef public str ocsp_problem    # what OCSP has against the peer's certificate
    cdef readonly bint rejected     # ssl_reject_handshake
    cdef bytes received
    cdef object raised              # of a callback in Python
    cdef bint try_early
    cdef readonly bint in_early     # what is read was sent before the handshake's end
    cdef bint has_early_byte
    cdef char early_byte
    cdef bint timeout_set
    cdef bint buffer_set
    cdef bint done
    cdef object failure             # what the last call failed with

    cdef int begin(self, Context context, int fd, bytes received) except -1
    cdef int shake_hands(self) except -4
    cdef int advance(self) except -4
    cdef ssize_t read(self, char* buffer, size_t size) except -4
    cdef ssize_t read_early(self, char* buffer, size_t size) except -4
    cdef ssize_t write(self, const char* data, size_t size) except -4
    cdef ssize_t outcome(self, int result, bytes call) except -4
    cdef int release(self) noexcept
    cdef int more(self) noexcept
    cdef bytes name_of(self, int command)
    cpdef bint speaks(self, bytes protocol)


cdef Engine engine_of(const SSL* ssl)
cdef int clear_errors() noexcept
