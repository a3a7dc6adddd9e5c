"""One request through the engine that would serve it, in this process; what it does is gathered as findings."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

from gateway.core.lane import Lane, Stream
from gateway.core.logs import INFO, Log, console
from gateway.core.temp_files import TempPath
from gateway.dev.explain import early
from gateway.dev.explain.findings import Finding, Findings, show
from gateway.dev.explain.http2_client import Http2Answer
from gateway.dev.explain.names import NoNames
from gateway.dev.explain.places import other_servers, why_server
from gateway.dev.explain.question import MOST_MADE_UP
from gateway.dev.explain.script import sub
from gateway.dev.explain.sockets import CLIENT_PORT, NotListening, packed, place_of, sockaddr
from gateway.dev.explain.steps import Teller
from gateway.dev.explain.witness import Witness
from gateway.http.connection import Connection
from gateway.serving.worker import Worker
from gateway.upstream.exchange.http2_whole import OF_HTTP1, data_frames

if TYPE_CHECKING:
    import trio

    from gateway.dev.explain import accel
    from gateway.dev.explain.packets import Packet
    from gateway.dev.explain.question import Question
    from gateway.dev.explain.sockets import Place
    from gateway.http.cycle import HttpCycle
    from gateway.http.locations import Location
    from gateway.http.request import Request

_WITHIN_S = 20.0
_OF_SEVERAL_S = 2.0
_FOR_THE_HEAD_S = 5.0  # that was sent, and is on its way to us on a machine that has much to do
_FOR_THE_REST_S = 3.0  # what is waited behind a body that is not sent as a whole
_MOST_HEAD = 1 << 20
_MADE_BY = {"HTTP/2": "http2 on;", "HTTP/3": "listen … quic;"}


class _Sink:
    """Error logs lead here."""

    level = INFO

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def write(self, level: int, line: bytes) -> None:
        text = show(line.rstrip(b"\n"))
        # behind the time, the process and the connection, which say nothing here
        words = text.split("] ", 1)[-1].split(": ", 1)[-1]
        words = words.split(" ", 1)[1] if words.startswith("*") else words
        name = text.partition("[")[2].partition("]")[0]
        if level < INFO or words.startswith("client sent "):  # why a request is refused, and what of it is left out
            self.findings.tell("error_log", f"[{name}] {words}")


class Engine:
    """A loaded configuration, asked one question."""

    def __init__(self, cycle: HttpCycle, log: Log, findings: Findings) -> None:
        self.cycle = cycle
        self.log = log
        self.findings = findings
        self.done: trio.Event
        self.told: trio.Event  # the answer's head is here
        self._packets = 0
        self._early = False

    async def answer(self, question: Question) -> None:
        """Errors: NotListening, TimeoutError where a handler waits for what does not come."""
        import trio

        self.done = trio.Event()
        self.told = trio.Event()
        with tempfile.TemporaryDirectory(prefix="gateway-explain-") as folder:
            self._quiet(TempPath(folder))
            await self._answer(question, folder)

    async def answers(self, lead: Callable[[Callable[[Question], Awaitable[list[Finding]]]], Awaitable[None]]) -> None:
        """Several questions one after the other: `lead` gets what asks one and gives its findings. Of one that nobody
        listens for, or that a handler holds up, there are none."""
        with tempfile.TemporaryDirectory(prefix="gateway-explain-") as folder:
            self._quiet(TempPath(folder))
            async with self._worker(folder) as (worker, nursery):

                async def ask(question: Question) -> list[Finding]:
                    return await self._one_of_several(question, worker, nursery)

                await lead(ask)

    async def _one_of_several(self, question: Question, worker: Worker, nursery: trio.Nursery) -> list[Finding]:
        import trio

        self.findings.all = []
        self._packets = 0
        self.done, self.told = trio.Event(), trio.Event()
        try:
            place = place_of(self.cycle, question)
        except NotListening:
            return []
        with trio.move_on_after(_OF_SEVERAL_S) as scope:
            ask = self._ask_over_quic if place.quic else self._ask
            await ask(question, worker, place, nursery)
        return [] if scope.cancelled_caught else self.findings.all

    async def _answer(self, question: Question, folder: str) -> None:
        import trio

        place = place_of(self.cycle, question)
        self._early = question.early
        async with self._worker(folder, cut=question.cut, answer=question.answer) as (worker, nursery):
            with trio.fail_after(_WITHIN_S):
                ask = self._ask_over_quic if place.quic else self._ask
                await ask(question, worker, place, nursery)

    @contextlib.asynccontextmanager
    async def _worker(
        self, folder: str, *, cut: bool = False, answer: accel.Fields = ()
    ) -> AsyncIterator[tuple[Worker, trio.Nursery]]:
        """A worker whose modules tell what they do, and whose upstreams are the witness."""
        import trio

        witness = Witness(self._arrived)
        Teller(self.findings, witness, self._ended, folder, cut=cut, answer=answer).install(self.cycle)
        async with trio.open_nursery() as nursery:
            lane = Lane()
            async with witness.listening(nursery):
                lane.detour = witness.address
                await nursery.start(lane.run)
                worker = Worker([self.cycle], lane, self.log)
                worker.nursery = nursery
                self.cycle.worker = worker
                yield worker, nursery
            nursery.cancel_scope.cancel()

    def _quiet(self, bodies: TempPath) -> None:
        """No log is written; what would be is told. Nor do bodies lie where the server keeps its own."""
        console.enabled = False
        sink = _Sink(self.findings)
        seen: list[Log] = [self.log]
        for server in self.cycle.servers:
            todo: list[Location] = [server.root]
            while todo:
                location = todo.pop()
                core = location.core
                seen.append(core.error_log)
                core.client_body_temp_path = bodies
                if core.resolver is not None:
                    core.resolver = NoNames(self.findings)
                todo += location.children
        for log in seen:
            log.sinks = [sink]
            log.level = INFO

    async def _ask(self, question: Question, worker: Worker, place: Place, nursery: trio.Nursery) -> None:
        import trio

        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        listening, local = place.listening, place.local
        self._settle(place)
        connection = Connection(worker, Stream(worker.lane, theirs.detach()), sockaddr(question.client), listening)
        connection.local = local
        stream: trio.abc.Stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        connection.begin()
        secure = listening.servers_for(connection).ssl
        http2 = False
        if secure and question.scheme == "https":
            stream = trio.SSLStream(
                stream, _tls(question.http), server_hostname=question.host or "localhost", https_compatible=True
            )
        elif secure != (question.scheme == "https"):
            said = (
                "TLS is spoken on this socket"
                if secure
                else "no TLS is spoken on this socket: a browser gets no answer"
            )
            self.findings.tell("tls", said + f", and the URL says {question.scheme}")
        head = b""
        async with stream:
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError):
                if listening.proxy_protocol:
                    kind = b"TCP6" if ":" in question.client else b"TCP4"
                    ends = (kind, question.client.encode(), local[0], CLIENT_PORT, local[1])
                    await stream.send_all(b"PROXY %b %b %b %d %d\r\n" % ends)
                if isinstance(stream, trio.SSLStream):
                    await stream.do_handshake()
                    http2 = stream.selected_alpn_protocol() == "h2"
                elif not secure and question.http == "2":
                    here = listening.servers_for(connection)
                    http2 = here.http2 or here.default.http2
                self._tell_protocol(question, "HTTP/2" if http2 else "HTTP/1.1")
                nursery.start_soon(self._close_when_done, stream)
                asked = self._over_http2 if http2 else self._over_http1
                head = await asked(stream, question, nursery)
            await self.done.wait()
        self._tell_answer(head)

    async def _ask_over_quic(self, question: Question, worker: Worker, place: Place, nursery: trio.Nursery) -> None:
        import trio

        from gateway.dev.explain.http3_client import Http3Client, Listener

        self._settle(place)
        self._tell_protocol(question, "HTTP/3")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        theirs.setblocking(False)
        ends = sockaddr(question.client), packed(place.local[0].decode())
        listener = Listener(worker, theirs.detach(), place.listening, *ends)
        client = Http3Client(question, listener)
        if question.cut:
            nursery.start_soon(self._wait_for_the_rest, question)
        async with trio.open_nursery() as asking:
            asking.start_soon(self._cancel_when_done, asking.cancel_scope)
            await client.run(ours, self.told)
            self.findings.tell("protocol", client.refused)
            self.done.set()
            asking.cancel_scope.cancel()
        listener.comes.close()
        self._tell_answer(client.answer.head)

    def _settle(self, place: Place) -> None:
        """The listening socket serves those servers alone that are at the connection's address."""
        listening, (address, _) = place.listening, place.local
        servers = listening.servers
        chosen = listening.only = servers[address if address in servers else b"*"]
        text = listening.address.text + " quic" * place.quic + " ssl" * chosen.ssl
        self.findings.tell("listen", text, getattr(chosen.options, "where", None))
        if self._early:
            early.tell(chosen, self.findings)

    def _tell_protocol(self, question: Question, spoken: str) -> None:
        if spoken != "HTTP/1.1":
            dropped = [name for name, _ in question.fields if name.lower() in OF_HTTP1 and name.lower() != "host"]
            details = [f"a client does not send this: {name}" for name in dropped]
            self.findings.tell("protocol", f"{spoken}: the host goes as :authority, names in lower case", None, details)
        wanted = f"HTTP/{question.http}"
        if wanted in _MADE_BY and spoken != wanted:
            said = f"no {wanted} is spoken on this port ({_MADE_BY[wanted]}): it goes over {spoken}"
            self.findings.tell("protocol", said)

    async def _over_http1(self, stream: trio.abc.Stream, question: Question, nursery: trio.Nursery) -> bytes:
        """Send it, and read to the end; the answer's head."""
        # a short body comes with its head, as from most clients
        body = question.body()
        await stream.send_all(question.head() + next(body, b""))
        nursery.start_soon(self._send_body, stream, question, body)
        data = b""
        while part := await _received(stream):
            if b"\r\n\r\n" not in data and len(data) < _MOST_HEAD:
                data = _without_interim(data + part)
                if b"\r\n\r\n" in data:
                    self.told.set()
        return data.partition(b"\r\n\r\n")[0]

    async def _over_http2(self, stream: trio.abc.Stream, question: Question, nursery: trio.Nursery) -> bytes:
        answer = Http2Answer()
        pieces = list(question.body_in_http2())
        await stream.send_all(question.frames() + _body_frames(answer, pieces, cut=question.cut))
        if question.cut:
            nursery.start_soon(self._wait_for_the_rest, question)
        while part := await _received(stream):
            await stream.send_all(answer.feed(part) + _body_frames(answer, pieces, cut=question.cut))
            if answer.head:
                self.told.set()
            if answer.refused:
                self.findings.tell("protocol", answer.refused)
                self.done.set()
                break
        return answer.head

    async def _send_body(self, stream: trio.abc.Stream, question: Question, body: Iterator[bytes]) -> None:
        """What a client would send behind the head, as far as it is taken."""
        import trio

        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            for piece in body:
                await stream.send_all(piece)
        if question.cut:
            await self._wait_for_the_rest(question)

    async def _wait_for_the_rest(self, question: Question) -> None:
        import trio

        with trio.move_on_after(_FOR_THE_REST_S):
            await self.done.wait()
        if not self.done.is_set():
            words = f"{question.declared} bytes are declared, {MOST_MADE_UP} zeros were sent: a step waits for the rest"
            self.findings.tell("body", words)
            self.done.set()

    async def _close_when_done(self, stream: trio.abc.Stream) -> None:
        import trio

        await self._until_told()
        await trio.aclose_forcefully(stream)

    async def _cancel_when_done(self, scope: trio.CancelScope) -> None:
        await self._until_told()
        scope.cancel()

    async def _until_told(self) -> None:
        """The request has ended, and what was answered is here."""
        import trio

        await self.done.wait()
        with trio.move_on_after(_FOR_THE_HEAD_S):
            await self.told.wait()
        with trio.move_on_after(0.05):  # what else is on its way to us
            await trio.sleep_forever()

    def _tell_server(self, request: Request) -> None:
        servers = request.connection.servers
        server = request.server
        host = request.host
        name = show(server.server_name) or "(no server_name)"
        text = f"{name}: {why_server(servers, server, host)}"
        at = next(at for at, each in enumerate(self.findings.all) if each.kind == "listen")
        self.findings.all.insert(at + 1, Finding("server", text, server.where, other_servers(servers, server)[:20]))

    def _arrived(self, packet: Packet) -> None:
        self._packets += 1
        lines = [f"{name}: {value}" for name, value in packet.pairs]
        text = f"{packet.protocol}, {packet.size} bytes: {packet.line or packet.note}"
        self.findings.tell(
            "upstream", text, None, lines, protocol=packet.protocol, line=packet.line, parameters=packet.pairs,
            size=packet.size,
        )  # fmt: skip

    def _ended(self, request: Request) -> None:
        upstream = request.upstream
        if upstream is not None:
            self._tell_peers(request)
        if request.parent is None and request.main is request:
            self._tell_server(request)
            self.done.set()

    def _tell_peers(self, request: Request) -> None:
        exchange = request.upstream
        upstream: Any = getattr(exchange, "upstream", None)
        group = getattr(upstream, "group", None)
        names = [show(peer.name) for peer in getattr(group, "peers", ())]
        backup = getattr(group, "backup", None)
        names += [f"{show(peer.name)} backup" for peer in (backup.peers if backup is not None else ())]
        if names:
            name = show(upstream.name)
            one = len(names) == 1 and names[0] == name
            text = names[0] if len(names) == 1 else f"one of {len(names)} peers of {name}"
            self.findings.tell(
                "peers", text, getattr(upstream, "where", None), [] if one or len(names) == 1 else names[:20],
                sub(request), peers=names, upstream=name,
            )  # fmt: skip

    def _tell_answer(self, head: bytes) -> None:
        if not head:
            self.findings.tell("answer", "the connection is closed without an answer")
            return
        line, *fields = head.split(b"\r\n")
        status = int(line.split(b" ")[1]) if len(line.split(b" ")) > 1 else 0
        shown = [show(field) for field in fields if not field.lower().startswith((b"date:", b"server:"))]
        text = show(line)
        if self._packets:
            text += " (the upstream's part of it is made up: it answered 200 with a text/html page)"
        self.findings.tell("answer", text, None, shown, status=status)


def _body_frames(answer: Http2Answer, pieces: list[bytes], *, cut: bool) -> bytes:
    """As much of the body as the windows let go, taken off the list; one that is `cut` does not end."""
    out = b""
    while pieces and answer.may_send:
        part = pieces[0][: answer.may_send]
        answer.sent(len(part))
        pieces[0] = pieces[0][len(part) :]
        if not pieces[0]:
            del pieces[0]
        out += data_frames(part, ends=not pieces and not cut)
    return out


def _without_interim(data: bytes) -> bytes:
    """What comes behind the heads of 100 and 103, which are before the answer (RFC 9110, 15.2)."""
    while (end := data.find(b"\r\n\r\n")) >= 0 and data[9:11] == b"10" and data[11:12] != b"1":
        data = data[end + 4 :]
    return data


async def _received(stream: trio.abc.Stream) -> bytes:
    """What comes; b"" when the other end, or this one, is closed."""
    import trio

    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError):
        return bytes(await stream.receive_some())
    return b""


def _tls(http: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols({"1.1": ["http/1.1"], "2": ["h2"]}.get(http, ["h2", "http/1.1"]))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
