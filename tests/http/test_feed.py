"""A source is read only as far as the client takes it: each source, through each filter, by each protocol."""

from __future__ import annotations

import contextlib
import functools
import gzip
import random
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trio

from gateway.core.pieces import Piece, data_of, total
from gateway.http.module import BodyFilter
from gateway.http.plan import Plan
from tests import certificates
from tests.engine import Engine, Reply, read_reply, serving
from tests.fakes import Peer, farm
from tests.http2_client import http2, request
from tests.http_peers import answering

SIZE = 5 << 18
# What one client that reads nothing may cost: zlib's own memory, the buffers of a few directives, TLS; not the body.
BOUND = 1 << 20


def text() -> bytes:
    """Lines that deflate hardly makes smaller, with something for each filter."""
    chance = random.Random(7)
    lines = [b'%s name \xc1\n<!--#set var="a" value="b" -->' % chance.randbytes(48).hex().encode() for _ in range(64)]
    out = bytearray()
    while len(out) < SIZE:
        out += chance.randbytes(2000).translate(_PLAIN) + chance.choice(lines)
    return bytes(out)


# No "<" for ssi, and no byte that charset_map names.
_PLAIN = bytes(byte if byte not in (0x3C, 0xC1) else 0x20 for byte in range(256))
BODY = text()

Change = Callable[[bytes], bytes]


def unchanged(body: bytes) -> bytes:
    return body


def recoded(body: bytes) -> bytes:
    table = {byte: "?" for byte in range(128, 256)} | {0xC1: "а"}  # noqa: RUF001
    return body.decode("latin-1").translate(table).encode()


def included(body: bytes) -> bytes:
    return body.replace(b'<!--#set var="a" value="b" -->', b"")


def substituted(body: bytes) -> bytes:
    return body.replace(b"name", b"replacement")


def added(body: bytes) -> bytes:
    return b"small" + body + b"small"


# The directives of a location, and what its answer is made of.
FILTERS: dict[str, tuple[str, list[Change]]] = {
    "none": ("", []),
    "gzip": ("gzip on; gzip_comp_level 1;", []),
    "sub": ("sub_filter name replacement; sub_filter_once off;", [substituted]),
    "charset": ("charset utf-8; source_charset koi8-r;", [recoded]),
    "ssi": ("ssi on;", [included]),
    "addition": ("add_before_body /small; add_after_body /small;", [added]),
    "all": (
        """gzip on; gzip_comp_level 1; sub_filter name replacement; sub_filter_once off;
           charset utf-8; source_charset koi8-r; ssi on; add_before_body /small; add_after_body /small;""",
        [substituted, recoded, included, added],
    ),
    "gunzip": ("gzip_static always; gunzip on; sub_filter name replacement; sub_filter_once off;", [substituted]),
}
SOURCES = {
    "file": "alias {files}/;",
    "cache": "proxy_pass http://{address}/; proxy_cache one; proxy_cache_valid 1h;",
    "buffered": "proxy_pass http://{address}/; proxy_max_temp_file_size 0;",
    "temp_file": "proxy_pass http://{address}/;",
    "unbuffered": "proxy_pass http://{address}/; proxy_buffering off;",
    "subrequest": "alias {files}/; ssi on;",
}


def conf(folder: Path, address: str) -> str:
    chain, key = certificates.write(folder)
    locations = ""
    for source, content in SOURCES.items():
        for name, (directives, _) in FILTERS.items():
            directives = directives.replace("ssi on;", "") if "ssi on;" in content else directives
            inside = content.format(files=folder / "files", address=address)
            locations += f"location /{source}/{name}/ {{ {inside} {directives} }}\n"
    return f"""
        proxy_temp_path {folder}/temp; proxy_cache_path {folder}/cache keys_zone=one:1m; sub_filter_types *;
        gzip_types *; gzip_min_length 0; gzip_proxied any; ssi_types *; charset_types *; addition_types *;
        charset_map koi8-r utf-8 {{ C1 D0B0; }} default_type text/html; subrequest_output_buffer_size 1m;
        server {{ listen 127.0.0.1:80; listen 127.0.0.1:443 ssl; http2 on; server_name localhost;
            ssl_certificate {chain}; ssl_certificate_key {key};
            {locations}
            location = /small {{ return 200 small; }}
        }}"""


def peer() -> Peer:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
    return answering(head % len(BODY) + BODY)


@contextlib.asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Engine]:
    files = folder / "files"
    for each in (files, folder / "temp", folder / "cache"):
        each.mkdir()
    (files / "a").write_bytes(BODY)
    (files / "a.gz").write_bytes(gzip.compress(BODY, 1))
    (files / "page").write_bytes(b'<!--#include virtual="a" -->')
    (files / "page.gz").write_bytes(gzip.compress(b'<!--#include virtual="a" -->'))
    async with farm(folder) as peers, serving(conf(folder, await peers.tcp(peer()))) as engine:
        yield engine


async def stalled(engine: Engine, costs: list[int]) -> None:
    """Wait until nothing goes on any more; what memory there was at most."""
    before: list[int] = []
    calm = 0
    with trio.fail_after(20):
        while calm < 4:
            await trio.sleep(0.01)
            now = [tracemalloc.get_traced_memory()[0], *(client.stream.sent for client in engine.worker.connections)]
            calm = calm + 1 if now == before else 0
            before = now
    costs.append(tracemalloc.get_traced_memory()[1])


Measure = Callable[[], Awaitable[None]]


async def by_http1(engine: Engine, path: str, fields: dict[str, str], measure: Measure, *, tls: bool) -> Reply:
    stream: trio.abc.Stream = engine.connect(int(tls))
    if tls:
        context = certificates.client_context()
        stream = trio.SSLStream(stream, context, server_hostname="localhost", https_compatible=True)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    async with stream:
        await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n".encode())
        await measure()
        received = bytearray()
        while data := await stream.receive_some(65536):
            received += data
    return read_reply(bytes(received))


async def by_http2(engine: Engine, path: str, fields: dict[str, str], measure: Measure) -> Reply:
    async with http2(engine, INITIAL_WINDOW_SIZE=0) as client:
        pairs = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        number = await client.begin(request(path, *pairs))
        await client.until(lambda: client.answers[number].fields)
        await measure()
        client.connection.increment_flow_control_window(2**24)
        client.connection.increment_flow_control_window(2**24, number)
        await client.flush()
        answer = await client.answer(number)
        assert answer.reset is None
        return Reply(answer.status, b"", list(answer.fields.items()), answer.body)


PROTOCOLS = {
    "http1": lambda *args: by_http1(*args, tls=False),
    "tls": lambda *args: by_http1(*args, tls=True),
    "http2": by_http2,
}


def body_of(reply: Reply) -> bytes:
    return gzip.decompress(reply.body) if reply.header("content-encoding") == b"gzip" else reply.body


@functools.cache
def expected(source: str, name: str) -> bytes:
    body = BODY
    changes = FILTERS[name][1]
    if source == "subrequest":
        # its own filters are those of the location, too, but what is added stands around the page
        changes = [included, *(change for change in changes if change is not included)]
    for change in changes:
        body = change(body)
    return body


def cases(protocol: str) -> list[tuple[str, str]]:
    """All of them by HTTP/1; by the others those that differ in what goes out."""
    found = []
    for source in SOURCES:
        for name in FILTERS:
            if name == "gunzip" and source not in ("file", "subrequest"):
                continue
            if protocol == "http1" or name in ("none", "all") or source == "file":
                found.append((source, name))
    return found


@pytest.mark.timeout(240)
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_a_client_that_reads_nothing_costs(protocol: str, tmp_path: Path) -> None:
    too_much = []
    async with site(tmp_path) as engine:
        for name in FILTERS:
            await engine.get(f"/cache/{name}/a")
        await PROTOCOLS[protocol](engine, "/small", {}, trio.lowlevel.checkpoint)  # what is imported once
        wanted = {case: expected(*case) for case in cases(protocol)}
        tracemalloc.start()
        try:
            for source, name in wanted:
                path = f"/{source}/{name}/{'page' if source == 'subrequest' else 'a'}"
                fields = {"Accept-Encoding": "gzip"} if name in ("gzip", "all") else {}
                before = tracemalloc.get_traced_memory()[0]
                tracemalloc.reset_peak()
                costs: list[int] = []
                reply = await PROTOCOLS[protocol](engine, path, fields, functools.partial(stalled, engine, costs))
                if costs[0] - before > BOUND:
                    too_much.append(f"{source} {name}: {costs[0] - before}")
                assert reply.status == 200
                assert body_of(reply) == wanted[source, name], (source, name)
        finally:
            tracemalloc.stop()
    assert too_much == []


# -- what may come between -------------------------------------------------------------------------------------------


def small_site(folder: Path, inside: str) -> str:
    (folder / "a").write_bytes(BODY)
    return f"""default_type text/html;
        server {{ listen 127.0.0.1:80; http2 on; root {folder}; gzip_types *; gzip_min_length 0; {inside}
            location = /next {{ return 200 next; }} }}"""


GET = b"GET /a HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def until_logged(engine: Engine, words: str) -> None:
    with trio.fail_after(10):
        while not any(words in line for line in engine.log.lines):
            await trio.sleep(0.01)


@pytest.mark.parametrize("filters", ["gzip on;", "sub_filter name n;"])
async def test_a_client_that_reads_nothing_times_out(filters: str, tmp_path: Path) -> None:
    async with serving(small_site(tmp_path, f"{filters} send_timeout 300ms; log_subrequest on;")) as engine:
        async with engine.connect() as stream:
            began = trio.current_time()
            await stream.send_all(GET)
            await until_logged(engine, "client timed out (110: Connection timed out) while sending response to client")
            assert trio.current_time() - began >= 0.3
        async with http2(engine, INITIAL_WINDOW_SIZE=0) as client:
            engine.log.lines.clear()
            answer = await client.get("/a", (b"accept-encoding", b"gzip"))
            assert answer.reset is not None and not answer.body
            await until_logged(engine, "client timed out (110: Connection timed out) while sending response to client")


async def test_a_client_that_reads_slowly_does_not_time_out(tmp_path: Path) -> None:
    async with (
        serving(small_site(tmp_path, "gzip on; send_timeout 300ms;")) as engine,
        engine.connect() as stream,
    ):
        await stream.send_all(GET + NEXT)
        received = b""
        for _ in range(8):
            await trio.sleep(0.1)
            received += await stream.receive_some(200_000)
        async for data in stream:
            received += data
        assert received.endswith(b"next")
        assert not [line for line in engine.log.lines if "timed out" in line]


@pytest.mark.parametrize("filters", ["gzip on;", "sub_filter name n; sub_filter_once off;", "ssi on; gzip on;"])
async def test_the_connection_goes_on_behind_it(filters: str, tmp_path: Path) -> None:
    async with serving(small_site(tmp_path, filters)) as engine:
        data = await engine.raw(GET + GET + NEXT)
        assert data.count(b"HTTP/1.1 200 OK") == 3 and b"next" in data[-20:]
        head = await engine.raw(GET.replace(b"GET", b"HEAD") + NEXT)
        assert head.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize("filters", ["gzip on;", "sub_filter name n;", "ssi on;", "ssi on; gzip on;"])
async def test_a_client_that_leaves(filters: str, tmp_path: Path) -> None:
    async with serving(small_site(tmp_path, filters)) as engine:
        async with engine.connect() as stream:
            await stream.send_all(GET)
            await stream.receive_some(10_000)
        async with http2(engine, INITIAL_WINDOW_SIZE=100_000) as client:
            number = await client.begin(request("/a", (b"accept-encoding", b"gzip")))
            await client.until(lambda: client.answers[number].body)
            client.connection.reset_stream(number, 8)
            assert (await client.get("/next")).body == b"next"


@pytest.mark.parametrize("filters", ["gzip on;", "sub_filter name n; sub_filter_once off;", "ssi on; gzip on;"])
async def test_a_file_that_becomes_shorter(filters: str, tmp_path: Path) -> None:
    async with serving(small_site(tmp_path, filters)) as engine:
        for truncated in (0, 700_000):
            (tmp_path / "a").write_bytes(BODY)
            async with engine.connect() as stream:
                await stream.send_all(GET)
                await trio.sleep(0.1)
                with open(tmp_path / "a", "r+b") as file:
                    file.truncate(truncated)
                received = b""
                with contextlib.suppress(trio.BrokenResourceError):
                    async for data in stream:
                        received += data
            assert received.startswith(b"HTTP/1.1 200") and not received.endswith(b"0\r\n\r\n")
            assert [line for line in engine.log.lines if "[alert]" in line and "file was truncated" in line]
            assert not [line for line in engine.log.lines if "Traceback" in line]
            engine.log.lines.clear()


async def test_a_rate(tmp_path: Path) -> None:
    async with serving(small_site(tmp_path, "gzip on; limit_rate 4m;")) as engine:
        reply = read_reply(await engine.raw(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))
        assert gzip.decompress(reply.body) == BODY


class Seen(BodyFilter):
    """A body filter as somebody might write one who knows nothing of this: it does not say that it reads."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.ends = 0

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece]:
        self.sizes.append(total(pieces))
        self.ends += last
        return [bytes(data) for data in data_of(pieces)]


class Through(Seen):
    passes_files = True

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece]:
        self.sizes.append(total(pieces))
        return pieces


async def test_a_filter_of_somebody_else_gets_buffers(tmp_path: Path) -> None:
    text = small_site(tmp_path, "output_buffers 3 5000;")
    async with serving(text) as engine:
        await engine.get("/a")
        root = engine.cycle.servers[0].root
        seen = Seen()
        plan = root.plan
        assert plan is not None
        root.plan = Plan(plan.steps, (*plan.head_filters, lambda request: seen), ())
        assert (await engine.get("/a")).body == BODY
        assert max(seen.sizes) == 5000 and sum(seen.sizes) == len(BODY) and seen.ends == 1
        passing = Through()
        root.plan = Plan(plan.steps, (*plan.head_filters, lambda request: passing), ())
        assert (await engine.get("/a")).body == BODY
        assert passing.sizes == [len(BODY)]


async def test_parts_are_cut_before_anything_is_read(tmp_path: Path) -> None:
    """A range at the end of a large file: the filters see nothing of what is before it."""
    text = small_site(tmp_path, "charset utf-8; source_charset other;")
    text = "charset_map other utf-8 { C1 C3A4; } charset_types *; charset_map other third { 61 62; }" + text
    text = text.replace("charset utf-8;", "charset third;")
    async with serving(text) as engine:
        reply = await engine.get("/a", {"Range": "bytes=700000-1199999"})
        plain = BODY[700_000:1_200_000]
        assert reply.status == 206 and len(reply.body) == 500_000
        assert reply.body == b"".join([b"b" if x == 97 else bytes([x]) if x < 128 else b"?" for x in plain])
        reply = await engine.get("/a", {"Range": "bytes=0-99,700000-1199999"})
        assert reply.status == 206 and int(reply.header("content-length") or 0) == len(reply.body)
