from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t

from gateway._fast.value cimport Value

cdef struct Item:
    const uint8_t *name
    const uint8_t *value
    Py_ssize_t name_len
    Py_ssize_t value_len
    Py_ssize_t first        # of a joined one: the field that it goes into
    uint32_t hash
    int state

# constant pairs, then the name of an evaluated param with its length before it
cdef struct Part:
    const char *text
    Py_ssize_t run          # the bytes of the constant pairs
    Py_ssize_t size         # of all of the text
    PyObject *value         # what evaluates the param, NULL if no param follows
    bint skip_empty

cdef struct Name:
    const uint8_t *text
    Py_ssize_t size
    uint32_t hash

# A packet under way, on the stack of who makes it: what evaluates a param may make another one.
cdef struct Packet:
    uint8_t *room
    Py_ssize_t size     # of the room
    Py_ssize_t at       # goes on when no packet has room for more, so that it can be told how much there was
    uint8_t *memory     # the room, where it was asked for


cdef class PacketEncoder:
    cdef readonly tuple params
    cdef readonly int modifier1, modifier2
    cdef readonly bint pass_headers
    cdef readonly bytes tail
    cdef list kept          # holds what the parts and names point to
    cdef Part *parts
    cdef Py_ssize_t part_count
    cdef Name *ignored      # the names that params hide, in upper case, without HTTP_
    cdef Py_ssize_t ignored_count

    cpdef bytes encode(self, object request, object head)
    cdef int add(self, bytes run, bytes name, Value value, bint skip_empty) except -1
    cdef int put_params(self, Packet *packet, object request) except -1
    cdef int put_fields(self, Packet *packet, object head) except -1
    cdef void put_items(self, Packet *packet, Item *items, Py_ssize_t count) noexcept
