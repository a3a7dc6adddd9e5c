"""Nanoseconds per call of the compiled parts, beside what they replace: python bench/micro.py [name …]

Each figure is the least of many short runs, so that what else the machine does is left out as far as may be. The table
in gateway/_fast/__init__.py quotes it. A part is one function below, which yields (what, before or None, after).
"""

from __future__ import annotations

import os
import re
import sys
import timeit
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import h11

import gateway.http
from gateway._fast import uri
from gateway._fast.chunked import ChunkedDecoder
from gateway._fast.files import open_path
from gateway._fast.head_writer import HeadWriter
from gateway._fast.http1 import parse_head
from gateway._fast.http1_response import parse_response_head
from gateway._fast.log_line import ESCAPES, LineFormat
from gateway._fast.request_head import HeadLimits
from gateway.core.counters import Counters
from gateway.core.lane import Lane
from gateway.core.logs import Log
from gateway.core.open_file_cache import OpenFileCache
from gateway.core.template import compile_template
from gateway.core.zones import Zone
from gateway.http.h1_head import decide_framing, render_head
from gateway.http.output import Output
from gateway.http.request import Request
from gateway.http.stand_in import stand_in
from gateway.protocol.uwsgi import PacketEncoder, PlainEncoder
from gateway.serving.worker import Worker
from gateway.upstream.exchange.params import params_of
from tests._fast.plain import plain_twin
from tests.engine import MemorySink, load_http

Call = Callable[[], Any]
Row = tuple[str, "Call | None", Call]

CURL = b"GET /index.html?a=1 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"
BROWSER = (
    b"GET /static/app/main.css?v=3 HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="124", "Google Chrome";v="124", "Not-A.Brand";v="99"\r\nsec-ch-ua-mobile: ?0\r\n'
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 "
    b'Safari/537.36\r\nsec-ch-ua-platform: "Linux"\r\nAccept: text/css,*/*;q=0.1\r\nSec-Fetch-Site: same-origin\r\n'
    b"Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: style\r\nReferer: https://www.example.com/\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9,de;q=0.8\r\n"
    b"Cookie: sessionid=0123456789abcdef0123456789abcdef; csrftoken=abcdefghijklmnopqrstuvwxyz0123456789\r\n"
    b'If-None-Match: "662fae13-1a2b"\r\n\r\n'
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: app\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 1234\r\n"
    b"Set-Cookie: a=b; Path=/\r\nVary: Cookie\r\nX-Frame-Options: DENY\r\n\r\n"
)
FIELDS = [
    (b"Content-Type", b"text/html"),
    (b"Content-Length", b"1234"),
    (b"Last-Modified", b"Tue, 21 Nov 2023 10:00:00 GMT"),
    (b"Connection", b"keep-alive"),
    (b"ETag", b'"655c7f00-4d2"'),
    (b"Accept-Ranges", b"bytes"),
]


def with_h11(role: Any, data: bytes) -> Any:
    connection = h11.Connection(role)
    if role is h11.CLIENT:
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    return connection.next_event()


def http1() -> Iterator[Row]:
    limits = HeadLimits()
    yield "a head of curl (h11)", lambda: with_h11(h11.SERVER, CURL), lambda: parse_head(CURL, 0, limits)
    yield "a head of a browser (h11)", lambda: with_h11(h11.SERVER, BROWSER), lambda: parse_head(BROWSER, 0, limits)


def http1_response() -> Iterator[Row]:
    def joined() -> bytes:
        lines = [b"HTTP/1.1 200 OK", b"Server: gateway", b"Date: Tue, 21 Nov 2023 10:00:00 GMT"]
        lines += [name + b": " + value for name, value in FIELDS]
        return b"\r\n".join([*lines, b"", b""])

    writer = HeadWriter()

    def written() -> bytes:
        writer.begin()
        for part in (b"HTTP/1.1 200 OK", b"\r\nServer: gateway", b"\r\nDate: Tue, 21 Nov 2023 10:00:00 GMT"):
            writer.put(part)
        for name, value in FIELDS:
            writer.put(b"\r\n")
            writer.put(name)
            writer.put(b": ")
            writer.put(value)
        writer.put(b"\r\n\r\n")
        return writer.end()

    yield "an upstream's head (h11)", lambda: with_h11(h11.CLIENT, RESPONSE), lambda: parse_response_head(RESPONSE)
    yield "rendering a head (join; the writer called from Python)", joined, written


def chunked() -> Iterator[Row]:
    data = b"".join(b"400\r\n%b\r\n" % bytes(1024) for _ in range(16)) + b"0\r\n\r\n"
    yield "16 chunks of 1 KiB", None, lambda: ChunkedDecoder().feed(data)


def uris() -> Iterator[Row]:
    plain = plain_twin("uri")
    for what, name, arguments in (
        ("normalize, 30 bytes (plain)", "normalize", (b"/static/%20abc/../def.css?x=12",)),
        ("escape, 30 bytes, 2 escaped (plain)", "escape", (b"/static/a b/def/ghi/jklmno.css", "uri")),
        ("unescape, 30 bytes (plain)", "unescape", (b"/static/%20abc/%41%42/def/ghij",)),
        ("$arg_x, third of four (plain)", "args_get", (b"a=1&b=2&foo=3&bar=4", b"foo")),
        ("$cookie_x, third of four (plain)", "cookie_get", ([b"a=1; b=2; foo=3; bar=4"], b"foo")),
    ):
        yield what, partial(getattr(plain, name), *arguments), partial(getattr(uri, name), *arguments)


def files() -> Iterator[Row]:
    path = __file__.encode()

    def plain() -> None:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.fstat(fd)
        os.close(fd)

    cache = OpenFileCache(10)
    yield "open, fstat, close (os)", plain, lambda: open_path(path)
    yield "the same from open_file_cache", None, lambda: cache.open(path)


def log_line() -> Iterator[Row]:
    texts = [b"127.0.0.1", None, b"21/Nov/2023:10:00:00 +0000", b"GET /x.html HTTP/1.1", b"200", b"5", None, b"curl"]
    getters = [partial(texts.__getitem__, i) for i in range(len(texts))]
    parts: list[Any] = []
    for getter in getters:
        parts += [lambda request, getter=getter: getter(), b'" "']
    unsafe = re.compile(rb'[^ !#-\[\]-~]')

    def plain() -> bytes:
        line = []
        for part in parts:
            if part.__class__ is bytes:
                line.append(part)
            else:
                value = part(None)
                line.append(b"-" if value is None else unsafe.sub(lambda m: b"\\x%02X" % ord(m[0]), value))
        return b"".join(line)

    yield "a line of 8 values (join and re)", plain, partial(LineFormat(parts, ESCAPES["default"]), None)


def zones() -> Iterator[Row]:
    zone = Zone("z", 1 << 20, "bench")
    zone.map()
    words, table = zone.words(1), zone.table(16, 2)

    def record() -> None:
        with zone.lock:
            index = table.insert(b"\x7f\0\0\1")
            table.set_word(index, 0, table.word(index, 0) + 1)

    yield "one atomic addition", None, lambda: words.add(0, 1)
    yield "lock, find a record, change a word", None, record
    yield "stub_status: a request begins", None, Counters(4).claim().request_begins


PARAMS = Path(gateway.__file__).with_name("conf") / "uwsgi_params"
SITE = f"""
server {{
    listen 127.0.0.1:8080;
    location / {{ return 200 hello; }}
    location /app/ {{ include {PARAMS}; uwsgi_pass 127.0.0.1:3031; }}
    {" ".join(f"location /section{i}/ {{ return 200 {i}; }}" for i in range(50))}
    location ~ \\.php$ {{ return 200 php; }}
    location ~ ^/api/v[0-9]+/ {{ return 200 api; }}
}}
"""


class Sink(Output):
    """Takes a response's head and throws it away."""

    def __init__(self, output: Output) -> None:
        self.connection = output.get_connection()
        self.date = b"Tue, 21 Nov 2023 10:00:00 GMT"

    def get_connection(self) -> Any:
        return self.connection

    def send_head(self, request: Request) -> None:
        decide_framing(request)
        render_head(request, self.date)

    def send(self, request: Request, pieces: list[Any], last: bool, flush: bool) -> None:
        pass

    def finish(self, request: Request) -> None:
        pass


def engine() -> Iterator[Row]:
    """What the engine does between a request's head and its answer, for requests that no client made."""
    cycle = load_http(SITE)
    log = Log(MemorySink())
    worker = Worker([cycle], Lane(), log, 0, 1024)
    (server,) = cycle.servers

    def request(target: bytes) -> Request:
        return stand_in(worker, server.root, b"GET", target, b"www.example.com")

    plain = plain_twin("locations", gateway.http)
    table = plain.LocationTable()
    for location in server.root.children:
        table.add(location)
    asked = request(b"/section33/x/y.html")
    for what, path in (
        ("a location of 50, then two regexes", b"/section33/x/y.html"),
        ("a regular expression, the second", b"/api/v2/users"),
    ):
        yield f"{what} (plain)", partial(table.find, asked, path), partial(server.locations.find, asked, path)

    text = "$scheme://$host$request_uri?$http_x"
    plain_template = plain_twin("template", gateway.http)
    template = compile_template(text, cycle.variables)
    before = plain_template.compile_template(text, cycle.variables)
    yield "a template of 4 variables (plain)", partial(before, asked), partial(template, asked)

    app = next(location for location in server.root.children if location.name == b"/app/")
    params = params_of(next(conf for module, conf in app.confs.items() if module.name == "uwsgi"))
    head = parse_head(BROWSER, 0, HeadLimits())
    assert head is not None
    yield (
        "a uwsgi packet of a browser's (plain)",
        partial(PlainEncoder(params).encode, asked, head),
        partial(PacketEncoder(params).encode, asked, head),
    )

    sink = Sink(asked.output)

    def answered() -> None:
        answering = Request(sink, asked.head, server, cycle)
        answering.method, answering.uri, answering.http_version = b"GET", b"/", 11
        answering.start()

    yield "a request through its plan to its head", None, answered


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "http1": http1,
    "http1_response": http1_response,
    "chunked": chunked,
    "uri": uris,
    "files": files,
    "log_line": log_line,
    "zones": zones,
    "engine": engine,
}


def nanoseconds(call: Call) -> float:
    number = 1
    while timeit.timeit(call, number=number) < 0.0005:
        number *= 2
    return min(timeit.repeat(call, number=number, repeat=400)) / number * 1e9


def main(names: list[str]) -> None:
    for name in names or PARTS:
        for what, before, after in PARTS[name]():
            old = f"{nanoseconds(before):10.0f}" if before is not None else " " * 10
            print(f"{name:16}{what:40}{old}{nanoseconds(after):10.0f}")


if __name__ == "__main__":
    main(sys.argv[1:])
