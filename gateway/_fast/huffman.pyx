# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Huffman's code of HPACK (RFC 7541, 5.2 and appendix B), by tables that are made when this is loaded.

Decoding goes by four bits at a time: a state is how far into the code's tree the bits so far lead, and no code is so
short that four bits end two.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from gateway._fast.hpack_tables import CODE_LENGTHS

cdef enum:
    END = 256           # the symbol that no text has
    STATES = 256        # a tree of 257 leaves has 256 nodes that are none

    EMITS = 1           # flags of a step
    FAILS = 2

cdef struct Step:
    uint8_t state
    uint8_t flags
    uint8_t symbol

cdef uint32_t codes[257]
cdef uint8_t lengths[257]
cdef Step steps[STATES][16]
# Where a text may end: what is left over is the beginning of the end's code. The RFC wants less than a byte of it;
# nginx takes any.
cdef bint complete[STATES]


cdef int make_codes() except -1:
    cdef int symbol, length
    cdef uint32_t code = 0
    for symbol in range(257):
        lengths[symbol] = CODE_LENGTHS[symbol]
    for length in range(1, 31):
        code <<= 1
        for symbol in range(257):
            if lengths[symbol] == length:
                codes[symbol] = code
                code += 1
    return 0


cdef int make_steps() except -1:
    cdef int tree[STATES][2]        # a state, or -1 - symbol
    cdef int nodes = 1
    cdef int symbol, bit, at, state, four, i
    for at in range(STATES):
        tree[at][0] = tree[at][1] = 0
    for symbol in range(257):
        at = 0
        for i in range(lengths[symbol] - 1, -1, -1):
            bit = (codes[symbol] >> i) & 1
            if i == 0:
                tree[at][bit] = -1 - symbol
            else:
                if tree[at][bit] == 0:
                    tree[at][bit] = nodes
                    nodes += 1
                at = tree[at][bit]
    for state in range(STATES):
        for four in range(16):
            at = state
            steps[state][four].flags = 0
            for i in range(3, -1, -1):
                at = tree[at][(four >> i) & 1]
                if at == -1 - END:
                    steps[state][four].flags = FAILS
                    at = 0
                    break
                if at < 0:
                    steps[state][four].flags |= EMITS
                    steps[state][four].symbol = <uint8_t> (-1 - at)
                    at = 0
            steps[state][four].state = <uint8_t> at
    at = 0
    while at >= 0:
        complete[at] = True
        at = tree[at][1]
    return 0


make_codes()
make_steps()


cdef Py_ssize_t decoded(const uint8_t *p, Py_ssize_t n, uint8_t *out) noexcept:
    """Decode into `out`, which has room for 8 bytes of each 5; how many there are, -1 if that is no text."""
    cdef uint8_t *to = out
    cdef Py_ssize_t i
    cdef int state = 0
    cdef Step *step
    for i in range(n):
        step = &steps[state][p[i] >> 4]
        if step.flags:
            if step.flags & FAILS:
                return -1
            to[0] = step.symbol
            to += 1
        step = &steps[step.state][p[i] & 15]
        if step.flags:
            if step.flags & FAILS:
                return -1
            to[0] = step.symbol
            to += 1
        state = step.state
    return to - out if complete[state] else -1


cdef Py_ssize_t coded_size(const uint8_t *p, Py_ssize_t n) noexcept:
    cdef Py_ssize_t bits = 0
    cdef Py_ssize_t i
    for i in range(n):
        bits += lengths[p[i]]
    return (bits + 7) >> 3


cdef Py_ssize_t coded(const uint8_t *p, Py_ssize_t n, uint8_t *out) noexcept:
    """Encode into `out`, which has room for coded_size(); how many bytes there are."""
    cdef uint8_t *to = out
    cdef uint64_t bits = 0
    cdef int held = 0
    cdef Py_ssize_t i
    for i in range(n):
        bits = bits << lengths[p[i]] | codes[p[i]]
        held += lengths[p[i]]
        while held >= 8:
            held -= 8
            to[0] = <uint8_t> (bits >> held)
            to += 1
    if held:
        to[0] = <uint8_t> (bits << (8 - held) | (0xff >> held))
        to += 1
    return to - out


def decode(text: bytes) -> bytes:
    """For tests; ValueError if that is no text."""
    cdef bytes out = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(text) * 8 // 5 + 1)
    cdef Py_ssize_t n = decoded(
        <const uint8_t *> PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), <uint8_t *> PyBytes_AS_STRING(out)
    )
    if n < 0:
        raise ValueError("no Huffman code")
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(out), n)


def encode(text: bytes) -> bytes:
    """For tests."""
    cdef const uint8_t *p = <const uint8_t *> PyBytes_AS_STRING(text)
    cdef bytes out = PyBytes_FromStringAndSize(NULL, coded_size(p, PyBytes_GET_SIZE(text)))
    coded(p, PyBytes_GET_SIZE(text), <uint8_t *> PyBytes_AS_STRING(out))
    return out
