"""TLS in numbers: what many handshakes leave behind, and what an idle connection holds."""

from __future__ import annotations

import contextlib
import random
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

from tests import certificates
from tests.process.running import until
from tests.reliability.clients import at_once
from tests.reliability.figures import Cases, Figure, between
from tests.reliability.server import Server, serving

cases = Cases("TLS")

_MIB = 1 << 20
CLIENTS = 4
CONF = """
    ssl_certificate @HOME@/server.pem; ssl_certificate_key @HOME@/server.key;
    ssl_session_cache shared:tls:1m; keepalive_timeout 3600s; client_header_timeout 3600s;
    server { listen 127.0.0.1:@0@ backlog=4096; location = /status { stub_status; } }
    server { listen 127.0.0.1:@1@ ssl backlog=4096; location / { return 200 small; } }
    server { listen 127.0.0.1:@2@ ssl backlog=4096; ssl_session_tickets off; location / { return 200 small; } }
"""
ONCE = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
KEPT = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextlib.contextmanager
def tls(name: str, folder: Path, connections: int = 2000) -> Iterator[Server]:
    (folder / name).mkdir(parents=True, exist_ok=True)
    certificates.write(folder / name)
    with serving(name, folder, CONF, connections=connections) as server:
        yield server


def _client(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = certificates.client_context()
    context.maximum_version = version
    return context


class Handshakes:
    """Full ones, resumed by ticket and by the shared cache in both versions, and such as break off: a seventh of each
    kind; done by several clients at once."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.done = self.resumed = self.cut = 0
        self.failed: list[str] = []

    def run(self, count: int) -> None:
        self.done = self.resumed = self.cut = 0
        at_once(CLIENTS, lambda number: self._some(number, count // CLIENTS), 1800)

    def _some(self, number: int, count: int) -> None:
        chance = random.Random(number)
        contexts = [_client(), _client(ssl.TLSVersion.TLSv1_2)]
        sessions: dict[tuple[int, int], ssl.SSLSession | None] = {}
        try:
            for at in range(count):
                kind = at % 7
                if kind == 6:
                    self._cut(chance, contexts[at % 2])
                    continue
                # 0, 1: full; 2, 3: by ticket; 4, 5: by the cache
                version, port = kind % 2, self.server.ports[2 if kind > 3 else 1]
                place = version, port
                session = self._one(contexts[version], port, sessions.get(place) if kind > 1 else None)
                sessions[place] = session
        except OSError as error:
            self.failed.append(repr(error))

    def _one(self, context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
        plain = socket.create_connection(("127.0.0.1", port), 60)
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as client:
            client.sendall(ONCE)
            answer = b"".join(iter(lambda: client.recv(4096), b""))
            if not answer.startswith(b"HTTP/1.1 200"):
                self.failed.append(repr(answer[:20]))
            self.done += 1
            self.resumed += bool(client.session_reused)
            return client.session

    def _cut(self, chance: random.Random, context: ssl.SSLContext) -> None:
        """Somewhere in the hello, or after the server's answer; with rubbish behind it now and then."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        engine = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with contextlib.suppress(ssl.SSLWantReadError):
            engine.do_handshake()
        data = outgoing.read()
        size = chance.choice((len(data), chance.randrange(len(data))))
        with socket.create_connection(("127.0.0.1", self.server.ports[1]), 60) as plain, contextlib.suppress(OSError):
            plain.sendall(data[:size] + chance.choice((b"", chance.randbytes(chance.randrange(200)))))
            if size == len(data):
                plain.recv(1)
        self.cut += 1


@cases
def handshakes(name: str, folder: Path, much: float) -> Iterator[Figure]:
    count = int(between(much, 840, 50_400))
    with tls(name, folder) as server:
        load = Handshakes(server)
        load.run(int(between(much, 420, 2_100)))
        server.settle(60)
        memory, descriptors = server.memory(), server.descriptors()
        load.run(count)
        server.settle(60)
        yield Figure("done", load.done, least=count * 6 / 7 - CLIENTS * 7)
        yield Figure("resumed", load.resumed, least=count * 4 / 7 - CLIENTS * 7)
        yield Figure("cut", load.cut, least=count / 7 - CLIENTS * 7)
        yield Figure("failures", len(load.failed), most=0)
        # an SSL of OpenSSL's alone is some 10 KiB
        yield Figure("memory more", (server.memory() - memory) / _MIB, "MiB", most=4)
        until(lambda: server.descriptors() <= descriptors, "descriptors to be closed", 60)
        yield Figure("descriptors more", max(0, server.descriptors() - descriptors), most=0)


@cases
def idle_connections(name: str, folder: Path, much: float) -> Iterator[Figure]:
    """Each after a handshake, and after a request; all of them must answer once more."""
    count = int(between(much, 300, 10_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(count, hard - 300)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 300), hard))
    clients: list[ssl.SSLSocket] = []
    try:
        with tls(name, folder, connections=2 * count) as server:
            # twice as many may be open: with few left some that wait would be closed
            context = _client()

            def ask(client: ssl.SSLSocket) -> bool:
                client.sendall(KEPT)
                return client.recv(4096).startswith(b"HTTP/1.1 200")

            def connect() -> ssl.SSLSocket:
                plain = socket.create_connection(("127.0.0.1", server.ports[1]), 60)
                return context.wrap_socket(plain, server_hostname="localhost")

            for _ in range(20):  # what is made once, is made now
                with connect() as one:
                    ask(one)
            server.settle(60)
            before = server.memory()
            clients += [connect() for _ in range(count)]
            time.sleep(between(much, 0.1, 1))
            yield Figure("after a handshake, each", (server.memory() - before) / count / 1024, "KiB", most=45)
            answered = sum(ask(client) for client in clients)
            time.sleep(between(much, 0.1, 1))
            # 15 with OpenSSL 3.0, 30 with 3.5; where OpenSSL keeps its buffers it is 34 more
            yield Figure("after a request, each", (server.memory() - before) / count / 1024, "KiB", most=45)
            answered += sum(ask(client) for client in clients)
            yield Figure("answers", answered, least=2 * count)
            for client in clients:
                client.close()
            server.settle(60)
    finally:
        for client in clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
