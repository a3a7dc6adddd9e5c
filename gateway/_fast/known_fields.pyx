# cython: language_level=3, boundscheck=False, wraparound=False
"""The request fields that nginx knows by name, found by the hash that the scan of the line made."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from gateway._fast.header_line cimport fold_hash, same_name

# Name, its number, and whether nginx refuses a second one (ngx_http_headers_in).
cdef tuple KNOWN = (
    (b"host", K_HOST, True),
    (b"connection", K_CONNECTION, False),
    (b"if-modified-since", K_IF_MODIFIED_SINCE, True),
    (b"if-unmodified-since", K_IF_UNMODIFIED_SINCE, True),
    (b"if-match", K_IF_MATCH, True),
    (b"if-none-match", K_IF_NONE_MATCH, True),
    (b"user-agent", K_USER_AGENT, False),
    (b"referer", K_REFERER, False),
    (b"content-length", K_CONTENT_LENGTH, True),
    (b"content-range", K_CONTENT_RANGE, True),
    (b"content-type", K_CONTENT_TYPE, False),
    (b"range", K_RANGE, False),
    (b"if-range", K_IF_RANGE, True),
    (b"transfer-encoding", K_TRANSFER_ENCODING, True),
    (b"te", K_TE, False),
    (b"expect", K_EXPECT, True),
    (b"upgrade", K_UPGRADE, False),
    (b"accept-encoding", K_ACCEPT_ENCODING, False),
    (b"via", K_VIA, False),
    (b"authorization", K_AUTHORIZATION, True),
    (b"proxy-authorization", K_PROXY_AUTHORIZATION, True),
    (b"keep-alive", K_KEEP_ALIVE, False),
    (b"x-forwarded-for", K_X_FORWARDED_FOR, False),
    (b"x-real-ip", K_X_REAL_IP, False),
    (b"accept", K_ACCEPT, False),
    (b"accept-language", K_ACCEPT_LANGUAGE, False),
    (b"cookie", K_COOKIE, False),
)

cdef enum:
    KNOWN_TABLE = 128

cdef KnownName known_table[KNOWN_TABLE]


cdef void fill_table():
    cdef int c
    cdef uint32_t slot
    cdef bytes name
    for c in range(KNOWN_TABLE):
        known_table[c].which = 0
    for name, which, unique in KNOWN:
        slot = fold_hash(<const uint8_t *> PyBytes_AS_STRING(name), len(name))
        c = slot % KNOWN_TABLE
        while known_table[c].which:
            c = (c + 1) % KNOWN_TABLE
        known_table[c].hash = slot
        known_table[c].len = <uint32_t> len(name)
        memcpy(known_table[c].name, PyBytes_AS_STRING(name), len(name))
        known_table[c].which = which
        known_table[c].unique = unique


fill_table()


cdef KnownName *find_known(const uint8_t *name, Py_ssize_t n, uint32_t hash) noexcept:
    cdef uint32_t slot = hash % KNOWN_TABLE
    while known_table[slot].which:
        if known_table[slot].hash == hash and known_table[slot].len == n \
                and same_name(name, known_table[slot].name, n):
            return &known_table[slot]
        slot = (slot + 1) % KNOWN_TABLE
    return NULL
