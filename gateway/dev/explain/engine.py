"""One request through the engine that would serve it, in this process; what it does is gathered as findings."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gateway.core.lane import Lane, Stream
from gateway.core.logs import INFO, Log, console
from gateway.core.temp_files import TempPath
from gateway.dev.explain.findings import Finding, Findings, show
from gateway.dev.explain.http2_client import Http2Answer
from gateway.dev.explain.names import NoNames
from gateway.dev.explain.places import other_servers, why_server
from gateway.dev.explain.question import MOST_MADE_UP
from gateway.dev.explain.script import sub
from gateway.dev.explain.steps import Teller
from gateway.dev.explain.witness import Witness
from gateway.http.connection import Connection
from gateway.serving.worker import Worker
from gateway.upstream.exchange.http2_whole import OF_HTTP1, data_frames

if TYPE_CHECKING:
    import trio

    from gateway.dev.explain.packets import Packet
    from gateway.dev.explain.question import Question
    from gateway.http.cycle import HttpCycle
    from gateway.http.listening import HttpListening
    from gateway.http.locations import Location
    from gateway.http.request import Request

_WITHIN_S = 20.0
_FOR_THE_HEAD_S = 5.0  # that was sent, and is on its way to us on a machine that has much to do
_FOR_THE_REST_S = 3.0  # what is waited behind a body that is not sent as a whole
_MOST_HEAD = 1 << 20


class NotListening(Exception):
    """Nobody listens where the question goes; str() says where somebody does."""


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
        if level < INFO:
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

    async def answer(self, question: Question) -> None:
        """Errors: NotListening, TimeoutError where a handler waits for what does not come."""
        import trio

        self.done = trio.Event()
        self.told = trio.Event()
        with tempfile.TemporaryDirectory(prefix="gateway-explain-") as folder:
            self._quiet(TempPath(folder))
            await self._answer(question, folder)

    async def _answer(self, question: Question, folder: str) -> None:
        import trio

        listening, address, port = self._listening(question)
        witness = Witness(self._arrived)
        teller = Teller(self.findings, witness, self._ended, folder, cut=question.cut, answer=question.answer)
        teller.install(self.cycle)
        async with trio.open_nursery() as nursery:
            lane = Lane()
            async with witness.listening(nursery):
                lane.detour = witness.address
                await nursery.start(lane.run)
                worker = Worker([self.cycle], lane, self.log)
                worker.nursery = nursery
                self.cycle.worker = worker
                with trio.fail_after(_WITHIN_S):
                    await self._ask(question, worker, listening, (address.encode(), port), nursery)
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

    def _listening(self, question: Question) -> tuple[HttpListening, str, int]:
        """The socket that the request would come to, with the local address that it would have there."""
        found: list[tuple[int, HttpListening, str, int]] = []
        places = []
        for listening in self.cycle.listenings:
            address = listening.address
            places.append(address.text)
            if address.family == socket.AF_UNIX:
                if not question.port:
                    found.append((3, listening, "unix:" + str(address.address), 0))
                continue
            host, port = str(address.address[0]), int(address.address[1])
            if question.port and port != question.port:
                continue
            named = question.host.strip("[]")
            rank = 0 if host == named else 1 if host in ("0.0.0.0", "::") else 2
            own = named if rank == 1 and _is_address(named) else host
            if host in ("0.0.0.0", "::") and not _is_address(named):
                own = "127.0.0.1" if host == "0.0.0.0" else "::1"
            found.append((rank, listening, own, port))
        if not found:
            where = ", ".join(places) or "nowhere"
            raise NotListening(f"nobody listens on port {question.port}; this configuration listens on {where}")
        _, listening, own, port = min(found, key=lambda entry: entry[0])
        return listening, own, port

    async def _ask(
        self,
        question: Question,
        worker: Worker,
        listening: HttpListening,
        local: tuple[bytes, int],
        nursery: trio.Nursery,
    ) -> None:
        import trio

        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        client = question.client.encode()
        family = socket.AF_INET6 if b":" in client else socket.AF_INET
        raw = socket.inet_pton(family, question.client)
        head = family.to_bytes(2, "little") + (40000).to_bytes(2, "big")
        peer = head + raw + bytes(8) if family == socket.AF_INET else head + bytes(4) + raw + bytes(4)
        servers = listening.servers
        listening.only = servers[local[0] if local[0] in servers else b"*"]
        connection = Connection(worker, Stream(worker.lane, theirs.detach()), peer, listening)
        connection.local = local
        self._tell_socket(connection, listening)
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
                    kind = b"TCP6" if family == socket.AF_INET6 else b"TCP4"
                    ends = (kind, client, *local)
                    await stream.send_all(b"PROXY %b %b %b 40000 %d\r\n" % ends)
                if isinstance(stream, trio.SSLStream):
                    await stream.do_handshake()
                    http2 = stream.selected_alpn_protocol() == "h2"
                elif not secure and question.http == "2":
                    here = listening.servers_for(connection)
                    http2 = here.http2 or here.default.http2
                self._tell_protocol(question, http2=http2)
                nursery.start_soon(self._close_when_done, stream)
                asked = self._over_http2 if http2 else self._over_http1
                head = await asked(stream, question, nursery)
            await self.done.wait()
        self._tell_answer(head)

    def _tell_protocol(self, question: Question, *, http2: bool) -> None:
        if http2:
            dropped = [name for name, _ in question.fields if name.lower() in OF_HTTP1 and name.lower() != "host"]
            details = [f"a client does not send this: {name}" for name in dropped]
            self.findings.tell("protocol", "HTTP/2: the host goes as :authority, names in lower case", None, details)
        elif question.http == "2":
            self.findings.tell("protocol", "no HTTP/2 is spoken on this socket (http2 on;): it goes over HTTP/1.1")

    async def _over_http1(self, stream: trio.abc.Stream, question: Question, nursery: trio.Nursery) -> bytes:
        """Send it, and read to the end; the answer's head."""
        # a short body comes with its head, as from most clients
        body = question.body()
        await stream.send_all(question.head() + next(body, b""))
        nursery.start_soon(self._send_body, stream, question, body)
        data = b""
        while part := await _received(stream):
            if b"\r\n\r\n" not in data and len(data) < _MOST_HEAD:
                data += part
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

        await self.done.wait()
        with trio.move_on_after(_FOR_THE_HEAD_S):
            await self.told.wait()
        with trio.move_on_after(0.05):  # what else is on its way to us
            await trio.sleep_forever()
        await trio.aclose_forcefully(stream)

    def _tell_socket(self, connection: Connection, listening: HttpListening) -> None:
        servers = listening.servers_for(connection)
        where = getattr(servers.options, "where", None)
        text = listening.address.text
        if servers.ssl:
            text += " ssl"
        self.findings.tell("listen", text, where)

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


def _is_address(text: str) -> bool:
    return text.replace(".", "").isdigit() or ":" in text


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
