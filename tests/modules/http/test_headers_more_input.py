"""more_set_input_headers and more_clear_input_headers."""

from __future__ import annotations

import pytest

from gateway.config.errors import ConfigError
from tests.engine import Engine, load_http, serving, warnings_of

CONF = """
more_set_input_headers "X-Outer: $uri";
server {
    listen 127.0.0.1:80;
    location / { return 200 "$http_x_a|$http_x_b|$http_x_outer|$host"; }
    location /set {
        more_set_input_headers "X-A: $arg_v" "x-b: two";
        try_files /none @end;
    }
    location /replace { more_set_input_headers -r "X-A: new" "X-B: new"; try_files /none @end; }
    location /type { more_set_input_headers -t "text/plain text/css" "X-A: text"; try_files /none @end; }
    location /clear { more_clear_input_headers X-A "X-O*"; try_files /none @end; }
    location /empty { more_set_input_headers "X-A:" "X-B: $arg_none"; try_files /none @end; }
    location /host { more_set_input_headers "Host: $arg_v"; try_files /none @end; }
    location /deny { more_set_input_headers "X-Real-IP: 192.0.2.1"; allow 192.0.2.1; deny all; set_real_ip_from unix:;
                     set_real_ip_from 127.0.0.1; set_real_ip_from 0.0.0.0/0; try_files /none @end; }
    location /if { if ($arg_v) { more_set_input_headers "X-A: if"; return 200 "$http_x_a"; } try_files /none @end; }
    location /accept { more_clear_input_headers Accept-Encoding Range If-Modified-Since; gzip on; gzip_min_length 0;
                       gzip_types text/plain; try_files /none @end; }
    location /body { more_set_input_headers "X-A: body"; client_max_body_size 3; try_files /none @end; }
    location @end { return 200 "$http_x_a|$http_x_b|$http_x_outer|$host"; }
}
"""


async def asked(engine: Engine, path: str, *fields: str, method: str = "GET", body: str = "") -> bytes:
    head = "".join(f"{field}\r\n" for field in fields)
    reply = await engine.raw(f"{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{head}\r\n{body}".encode())
    return reply


def content(reply: bytes) -> bytes:
    return reply.partition(b"\r\n\r\n")[2]


async def test_fields_of_requests() -> None:
    async with serving(CONF) as engine:
        assert content(await asked(engine, "/set?v=1", "X-A: a", "X-A: b")) == b"1|two|/set|h"
        assert content(await asked(engine, "/set?v=1")) == b"1|two|/set|h"
        assert content(await asked(engine, "/replace", "X-B: a", "x-b: b")) == b"|new|/replace|h"
        assert content(await asked(engine, "/type", "X-A: a", "Content-Type: Text/CSS; charset=x")) == b"text||/type|h"
        assert content(await asked(engine, "/type", "X-A: a", "Content-Type: text/html")) == b"a||/type|h"
        assert content(await asked(engine, "/clear", "X-A: a", "x-a: b", "X-B: b")) == b"|b||h"
        assert content(await asked(engine, "/empty", "X-A: a", "X-B: b")) == b"||/empty|h"
        assert content(await asked(engine, "/if?v=1", "X-A: a")).startswith(b"a")  # return is of the rewrite phase


async def test_host() -> None:
    async with serving(CONF) as engine:
        assert content(await asked(engine, "/host?v=Other:81")) == b"||/host|other"
        assert content(await asked(engine, "/host")) == b"||/host|"
        assert b" 400 " in await asked(engine, "/host?v=a/b")


async def test_what_reads_the_head() -> None:
    async with serving(CONF) as engine:
        reply = await asked(engine, "/accept", "Accept-Encoding: gzip", "Range: bytes=0-0")
        assert reply.startswith(b"HTTP/1.1 200 ") and b"Content-Encoding" not in reply
        assert b" 200 " in await asked(engine, "/deny")  # realip and access come after it


@pytest.mark.parametrize("framing", ["Content-Length: 3", "Transfer-Encoding: chunked"])
async def test_the_body_is_as_it_was(framing: str) -> None:
    body = "abc" if framing.endswith("3") else "3\r\nabc\r\n0\r\n\r\n"
    async with serving(CONF) as engine:
        first = f"POST /body HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n{body}"
        second = "GET /set?v=2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        reply = await engine.raw((first + second).encode())
        assert reply.count(b"HTTP/1.1 200 ") == 2 and b"body||/body|h" in reply and b"2|two|/set|h" in reply
        assert b" 413 " in await asked(engine, "/body", "Content-Length: 4", method="POST", body="abcd")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("more_set_input_headers;", "invalid number of arguments"),
        ("more_set_input_headers -x A;", 'unknown option name: "-x"'),
        ("more_clear_input_headers -r A;", 'unknown option name: "-r"'),
        ("more_set_input_headers -t;", 'option "-t" has no value'),
        ("more_set_input_headers ': a';", "no name in"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_http(text)


def test_what_says_how_long_a_body_is_stays() -> None:
    said = warnings_of("more_clear_input_headers Content-Length transfer-encoding X;")
    assert len(said) == 2 and all("is not changed" in text for text in said)
