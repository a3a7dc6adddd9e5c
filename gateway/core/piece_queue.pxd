# The types of piece_queue.py's compiled form.
cimport cython


cdef class PieceQueue:
    cdef public list pieces
    cdef public long long offset
    cdef public long long size

    cpdef begin(self)
    @cython.locals(size="long long")
    cpdef add(self, object piece)
    cpdef clear(self)
    @cython.locals(pieces=list, whole=bytes, parts=list, size="long long")
    cpdef bytes take(self, long long room)


@cython.locals(queue=PieceQueue)
cpdef PieceQueue new_queue()
