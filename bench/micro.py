"""Nanoseconds per call of the compiled parts, beside what they replace: python bench/micro.py [name …]

Each figure is the least of many short runs, so that what else the machine does is left out as far as may be. The table
in gateway/_fast/__init__.py quotes it. A part is one function below, which yields (what, before or None, after).
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import h11

from gateway._fast import uri
from gateway._fast.chunked import ChunkedDecoder
from gateway._fast.http1 import HeadLimits, parse_head
from gateway._fast.http1_response import parse_response_head, render_head
from tests._fast.plain import plain_twin

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

    yield "an upstream's head (h11)", lambda: with_h11(h11.CLIENT, RESPONSE), lambda: parse_response_head(RESPONSE)
    yield (
        "rendering a head (join)",
        joined,
        lambda: render_head(b"HTTP/1.1 200 OK", b"Tue, 21 Nov 2023 10:00:00 GMT", b"gateway", FIELDS),
    )


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


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "http1": http1,
    "http1_response": http1_response,
    "chunked": chunked,
    "uri": uris,
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
