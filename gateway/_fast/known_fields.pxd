from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    K_HOST = 1
    K_CONNECTION
    K_IF_MODIFIED_SINCE
    K_IF_UNMODIFIED_SINCE
    K_IF_MATCH
    K_IF_NONE_MATCH
    K_USER_AGENT
    K_REFERER
    K_CONTENT_LENGTH
    K_CONTENT_RANGE
    K_CONTENT_TYPE
    K_RANGE
    K_IF_RANGE
    K_TRANSFER_ENCODING
    K_TE
    K_EXPECT
    K_UPGRADE
    K_ACCEPT_ENCODING
    K_VIA
    K_AUTHORIZATION
    K_PROXY_AUTHORIZATION
    K_KEEP_ALIVE
    K_X_FORWARDED_FOR
    K_X_REAL_IP
    K_ACCEPT
    K_ACCEPT_LANGUAGE
    K_COOKIE
    K_END

cdef struct KnownName:
    uint32_t hash
    uint32_t len
    uint8_t name[24]
    int which
    bint unique

cdef KnownName *find_known(const uint8_t *name, Py_ssize_t n, uint32_t hash) noexcept
