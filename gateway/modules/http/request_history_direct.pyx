# cython: language_level=3, boundscheck=False, wraparound=False
"""request_history's log phase as C, where the sources are compiled; see request_history_direct.pyi.

The same as Keep.ended, which is its twin for the plain sources and for what few requests have. A request pays for what
looks on in instructions, half of which were references counted, arguments checked and errors waited for on the way to
the ring: here fields are read where they are, and nothing raises.

And it pays for code that it meets cold, more than a core's first cache has already. So a request that ends is only
held, and those of one batch of events are put down behind it, one after the other (bench/PROFILE.md).
"""

cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF, Py_XINCREF
from libc.stdint cimport int64_t, uint16_t, uint32_t
from libc.string cimport memcpy

from gateway._fast.lane cimport Lane
from gateway._fast.ring_writer cimport COMPLETE, SECURE, Figures, RingWriter
from gateway._fast.timers cimport Due
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


# Requests that ended, with a reference each to them and to what keeps them.
cdef struct Ended:
    PyObject *keep
    PyObject *request
    double now
    int64_t sent

cdef enum: MOST = 64

cdef Ended held[MOST]
cdef int held_count = 0


cdef void put_down() noexcept:
    """All that are held, in their order."""
    global held_count
    cdef Ended batch[MOST]  # what is called here may end another one
    cdef int count = held_count
    cdef int i
    if not count:
        return
    memcpy(batch, held, count * sizeof(Ended))
    held_count = 0
    for i in range(count):
        (<DirectKeep> batch[i].keep).keep(<Request> batch[i].request, batch[i].now, batch[i].sent)
        Py_XDECREF(batch[i].request)
        Py_XDECREF(batch[i].keep)


@cython.final
cdef class Behind(Due):
    """The batch of events is over."""

    cdef int fire(self) except -1:
        put_down()
        return 0


cdef Behind behind = Behind()


@cython.final
cdef class DirectKeep(Keep):
    @property
    def careful(self):
        return True

    cpdef run(self, Request request):
        global held_count
        cdef Client client = <Client> request.connection
        cdef Lane lane = client.lane
        cdef PyObject *peer
        cdef Ended *one
        cdef int64_t sent
        if self.history.writer is not None and (client.local is None or not GW_IS_PAIR(<PyObject *> client.peer)):
            find_addresses(client)
        peer = <PyObject *> client.peer
        if (
            request._values is not None or request.upstream is not None or request.body is not None
            or request._main is not None or request.parent is not None or self.history.replays is not None
            or self.history.writer is None or not GW_IS_PAIR(<PyObject *> client.local) or not GW_IS_PAIR(peer)
            or not GW_IS_BYTES(GW_ITEM(peer, 0)) or not lane.inside or request._cleanups is not None
        ):
            # what belongs to it may be gone soon, or the client's address be another one
            put_down()
            self.at_once(request)
            return None
        # a connection of HTTP/1 is its own output, but behind a post_action
        if type(client) is Connection and <PyObject *> request.output == <PyObject *> client:
            sent = client.stream.sent - request.sent_before
        else:
            sent = request.output.sent() - request.sent_before
        if held_count == MOST:
            put_down()
        if lane.behind is not behind:
            lane.plan_behind(behind)
        one = &held[held_count]
        one.keep = <PyObject *> self
        one.request = <PyObject *> request
        Py_XINCREF(one.keep)
        Py_XINCREF(one.request)
        one.now = lane.fresh()
        one.sent = sent
        held_count += 1
        return None

    cdef void keep(self, Request request, double now, int64_t sent) noexcept:
        cdef Client client = <Client> request.connection
        cdef Response response = request.response
        cdef RingWriter writer = self.history.writer
        cdef Figures *figures
        cdef double took = now - request.started
        cdef long status
        if writer is None:
            self.fully(request, now, sent)
            return
        status = request.log_status
        if not status:
            status = request.err_status
            if not status:
                status = response.status
        if self.zones is not None and not counted(self.zones, request, now, took, status, sent):
            self.fully(request, now, sent)
            return
        if status == 0 and request.http_version == 9:
            status = 9  # as in $status
        sent -= request.head_size
        figures = writer.begun(
            <uint32_t> self.kept, <PyObject *> self.front, NULL, GW_ITEM(<PyObject *> client.peer, 0),
            <PyObject *> response.content_type,
        )
        figures.at = client.lane.wall_time()
        figures.seconds = <float> took if took > 0 else 0
        figures.sent = sent if sent > 0 else 0
        figures.length = response.content_length
        figures.status = <uint16_t> status
        figures.port = <uint16_t> <long> <object> GW_ITEM(<PyObject *> client.local, 1)
        figures.version = <unsigned char> request.http_version
        figures.flags |= (COMPLETE if request.complete else 0) | (
            SECURE if GW_LENGTH(<PyObject *> client.scheme) == 5 else 0
        )
        writer.keep_head(request.head, <PyObject *> request.method)
        if response.location is not None or response.content_encoding is not None or len(response.fields):
            self.answer(writer, response)
        writer.end()

    cdef void at_once(self, Request request) noexcept:
        """A request of another kind."""
        try:
            Keep.run(self, request)
        except Exception as error:
            request.cycle.crashed(request, error)

    cdef void fully(self, Request request, double now, int64_t sent) noexcept:
        try:
            self.ended(request, now, sent)
        except Exception as error:
            request.cycle.crashed(request, error)

    cdef void answer(self, RingWriter writer, Response response) noexcept:
        self.keep_answer(writer, response)
