# cython: language_level=3, boundscheck=False, wraparound=False
"""request_history's log phase as C, where the sources are compiled; see request_history_direct.pyi.

The same as Keep.run, which is its twin for the plain sources and for what few requests have. A request pays for what
looks on in instructions, half of which were references counted, arguments checked and errors waited for on the way to
the ring: here fields are read where they are, and nothing raises.
"""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint16_t, uint32_t

from gateway._fast.ring_writer cimport COMPLETE, SECURE, Figures, RingWriter
from gateway.http.client cimport Client
from gateway.http.connection cimport Connection
from gateway.http.request cimport Request
from gateway.http.response cimport Response
from gateway.modules.http.request_history cimport Keep
from gateway.modules.http.status_zone cimport Counting, _FIRST_BOUND as FIRST_BOUND

cdef extern from *:
    """
    #define GW_IS_PAIR(o) (PyTuple_CheckExact(o) && PyTuple_GET_SIZE(o) == 2)
    #define GW_ITEM(o, i) PyTuple_GET_ITEM(o, i)
    #define GW_IS_BYTES(o) PyBytes_CheckExact(o)
    #define GW_LENGTH(o) ((o) == Py_None ? 0 : PyBytes_GET_SIZE(o))
    """
    bint GW_IS_PAIR(PyObject *some) noexcept
    PyObject *GW_ITEM(PyObject *pair, Py_ssize_t i) noexcept
    bint GW_IS_BYTES(PyObject *some) noexcept
    Py_ssize_t GW_LENGTH(PyObject *some) noexcept


cdef inline bint counted(Counting zones, Request request, double now, double took, long status, int64_t sent) noexcept:
    """Counting.count, for a request with neither upstream nor body, that is none of a subrequest's; False, and nothing
    done, for one that took long, or whose id is to be an example."""
    cdef int64_t ms = <int64_t> (took * 1000 + 0.5) if took > 0 else 0
    cdef int64_t received = request.head.get_length()
    if ms > FIRST_BOUND or not GW_LENGTH(<PyObject *> request.method) or zones.ids and (
        zones.server is not None and now >= zones.server.example_due
        or zones.own is not None and now >= zones.own.example_due
    ):
        return False
    if not request.head_sent:
        status = 0
    if zones.server is not None:
        zones.server.zone.add(status, received, sent, ms)
    if zones.own is not None:
        zones.own.zone.add(status, received, sent, ms)
    return True


cdef void find_addresses(Client client) noexcept:
    """The connection's first request: they are texts from here on."""
    client.local_address()
    client.remote()


@cython.final
cdef class DirectKeep(Keep):
    @property
    def careful(self):
        return True

    cpdef run(self, Request request):
        cdef Client client = <Client> request.connection
        cdef Response response = request.response
        cdef RingWriter writer = self.history.writer
        cdef PyObject *local
        cdef PyObject *peer
        cdef Figures *figures
        cdef double now, took
        cdef int64_t sent
        cdef long status
        if writer is not None and (client.local is None or not GW_IS_PAIR(<PyObject *> client.peer)):
            find_addresses(client)
        local = <PyObject *> client.local
        peer = <PyObject *> client.peer
        if (
            request._values is not None or request.upstream is not None or request.body is not None
            or request._main is not None or request.parent is not None or self.history.replays is not None
            or writer is None or not GW_IS_PAIR(local) or not GW_IS_PAIR(peer) or not GW_IS_BYTES(GW_ITEM(peer, 0))
        ):
            self.fully(request)
            return None
        now = client.lane.fresh()
        took = now - request.started
        status = request.log_status
        if not status:
            status = request.err_status
            if not status:
                status = response.status
        # a connection of HTTP/1 is its own output, but behind a post_action
        if type(client) is Connection and <PyObject *> request.output == <PyObject *> client:
            sent = client.stream.sent - request.sent_before
        else:
            sent = request.output.sent() - request.sent_before
        if self.zones is not None and not counted(self.zones, request, now, took, status, sent):
            self.fully(request)
            return None
        if status == 0 and request.http_version == 9:
            status = 9  # as in $status
        sent -= request.head_size
        figures = writer.begun(
            <uint32_t> self.kept, <PyObject *> self.front, NULL, GW_ITEM(peer, 0), <PyObject *> response.content_type
        )
        figures.at = client.lane.wall_time()
        figures.seconds = <float> took if took > 0 else 0
        figures.sent = sent if sent > 0 else 0
        figures.length = response.content_length
        figures.status = <uint16_t> status
        figures.port = <uint16_t> <long> <object> GW_ITEM(local, 1)
        figures.version = <unsigned char> request.http_version
        figures.flags |= (COMPLETE if request.complete else 0) | (
            SECURE if GW_LENGTH(<PyObject *> client.scheme) == 5 else 0
        )
        writer.keep_head(request.head, <PyObject *> request.method)
        if response.location is not None or response.content_encoding is not None or len(response.fields):
            self.answer(writer, response)
        writer.end()
        return None

    cdef void fully(self, Request request) noexcept:
        """A request of another kind."""
        try:
            Keep.run(self, request)
        except Exception as error:
            request.cycle.crashed(request, error)

    cdef void answer(self, RingWriter writer, Response response) noexcept:
        self.keep_answer(writer, response)
