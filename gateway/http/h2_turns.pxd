# The types of h2_turns.py's compiled form.
cimport cython

from gateway.http.h2_stream cimport Http2Stream

cdef long _USUAL_WEIGHT, _MOST_CLOSED
cdef double _WHOLE


cdef class Node:
    cdef public long number
    cdef public Node parent
    cdef public list children
    cdef public long weight
    cdef public bint placed
    cdef public bint open
    cdef public long rank
    cdef public double share

    @cython.locals(below=list, node=Node, parent=Node)
    cpdef settle(self)


cdef class Turns:
    cdef public dict streams
    cdef public list waiting
    cdef public dict nodes
    cdef public list roots
    cdef public dict closed

    cpdef want(self, Http2Stream stream)
    @cython.locals(waiting=list, first=Py_ssize_t, at=Py_ssize_t, stream=Http2Stream)
    cpdef Http2Stream next(self)
    @cython.locals(mine=Node, its=Node, rank=long, share=double)
    cpdef bint _goes_before(self, Http2Stream one, Http2Stream other) except -1
    cpdef begins(self, Http2Stream stream, long depends_on, bint exclusive, long weight)
    @cython.locals(node=Node)
    cpdef priority(self, long number, long depends_on, bint exclusive, long weight)
    @cython.locals(node=Node)
    cpdef ends(self, Http2Stream stream)
    @cython.locals(stream=Http2Stream)
    cpdef _see_all(self)
    @cython.locals(node=Node)
    cpdef _open(self, Http2Stream stream, long depends_on, bint exclusive, long weight)
    @cython.locals(node=Node)
    cpdef Node _node(self, long number)
    cpdef _remember(self, Node node)
    cpdef list _below(self, Node parent)
    cpdef _move(self, Node node, Node parent)
    @cython.locals(parent=Node, above=Node, siblings=list, other=Node)
    cpdef _depend(self, Node node, long depends_on, bint exclusive, long weight)
    @cython.locals(parent=Node, siblings=list, total=long, child=Node)
    cpdef _forget(self, Node node)
