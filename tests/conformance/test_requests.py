"""Raw requests, good, odd and wrong: what nginx answers to them, byte by byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.pair import get, pair
from tests.conformance.reference import NGINX

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

SHOWN = (
    "$request_method|$uri|$args|$is_args|$request_uri|$host|$server_name|$server_protocol|$http_host|$content_length|$content_type|"
    "$request_length|$remote_user|$http_x|$http_x_y|$http_cookie|$cookie_a|$arg_a|$scheme|$request|$document_uri|$http_connection"
)

CONFIGURATION = f"""
lingering_timeout 200ms; lingering_time 1s; client_header_buffer_size 1k; large_client_header_buffers 3 2k;
server {{
    listen 127.0.0.1:@PORT@ default_server; server_name localhost;
    location / {{ return 200 "{SHOWN}"; }}
    location /two {{ return 200 two; }}
    location /no {{ return 404; }}
    location /small {{ client_max_body_size 5; return 200 ok; }}
    location /file {{ root @SITE@; client_max_body_size 5; }}
    location /close {{ keepalive_timeout 0; return 200 close; }}
    location /header {{ keepalive_timeout 75 20; return 200 header; }}
    location /once {{ keepalive_requests 1; return 200 once; }}
    location /thrice {{ keepalive_requests 3; return 200 thrice; }}
    location /ie {{ keepalive_disable msie6 safari; return 200 ie; }}
    location /nobody {{ return 204; }}
    location /linger {{ lingering_close always; return 200 linger; }}
    location /tokens {{ server_tokens off; return 403; }}
    location /padding {{ return 404; }}
    location /nopadding {{ msie_padding off; return 404; }}
}}
server {{
    listen 127.0.0.1:@PORT@;
    server_name named.com *.wild.com tail.* .both.org ~^re(?<digits>\\d+)\\.net$ "" _ UPPER.com;
    location / {{ return 200 "named $host $server_name $digits $uri"; }}
}}
server {{
    listen 127.0.0.1:@PORT2@; server_name loose.com;
    ignore_invalid_headers off; underscores_in_headers on; merge_slashes off;
    location / {{ return 200 "{SHOWN}|$http_a_b"; }}
    location //two {{ return 200 "two slashes"; }}
}}
server {{
    listen 127.0.0.1:@PORT3@;
    chunked_transfer_encoding off; client_header_buffer_size 4k; large_client_header_buffers 1 4k;
    location / {{ return 200 "{SHOWN}"; }}
}}
"""

LINES = (
    "GET / HTTP/1.1", "GET  / HTTP/1.1", "GET /  HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET\t/ HTTP/1.1",
    "GET /\tHTTP/1.1",
    "get / HTTP/1.1", "Get / HTTP/1.1", "GET_X / HTTP/1.1", "G-T / HTTP/1.1", "GET1 / HTTP/1.1", "GETT / HTTP/1.1",
    "A / HTTP/1.1",
    "HEAD / HTTP/1.1", "POST / HTTP/1.1", "PUT / HTTP/1.1", "DELETE / HTTP/1.1", "OPTIONS / HTTP/1.1",
    "OPTIONS * HTTP/1.1", "TRACE / HTTP/1.1",
    "CONNECT / HTTP/1.1", "CONNECT a:80 HTTP/1.1", "PATCH / HTTP/1.1", "MKCOL / HTTP/1.1", "PROPFIND / HTTP/1.1",
    "PROPPATCH / HTTP/1.1",
    "LOCK / HTTP/1.1", "UNLOCK / HTTP/1.1", "COPY / HTTP/1.1", "MOVE / HTTP/1.1", "QUERY / HTTP/1.1",
    "PRI * HTTP/2.0", "M-SEARCH * HTTP/1.1",
    "GET", "GET ", "GET /", "GET / ", "GET /a", "GET / HTTP", "GET / HTTP/", "GET / HTTP/1", "GET / HTTP/1.",
    "GET / HTTP/.1", "GET / HTTP/1.x",
    "GET / http/1.1", "GET / HTTP/1.0", "GET / HTTP/0.9", "GET / HTTP/1.2", "GET / HTTP/1.9", "GET / HTTP/1.10",
    "GET / HTTP/1.01", "GET / HTTP/01.1",
    "GET / HTTP/2.0", "GET / HTTP/2", "GET / HTTP/3.0", "GET / HTTP/9.9", "GET / HTTP/10.1", "GET / HTTP/1.100",
    "GET / HTTP/1.1000", "GET / HTTP/1 .1",
    "GET / HTTP/1.1\t", "GET / HTTP/1.1x", "GET / XTTP/1.1", "GET / H", "GET / HTTPS/1.1", "GET /a b HTTP/1.1",
    "GET /a  b HTTP/1.1",
    "GET /a HTTP/1.1 HTTP/1.1", "GET / HTTP/1.1\r", "", " ", "\0", "GET /\0 HTTP/1.1", "GET /\x01 HTTP/1.1",
    "GET /\x7f HTTP/1.1", "GET /\x80\xff HTTP/1.1",
    "\x16\x03\x01", "GET a HTTP/1.1", "GET ? HTTP/1.1", "GET # HTTP/1.1", "GET * HTTP/1.1", "GET .. HTTP/1.1",
    "GET \\ HTTP/1.1",
    "GET http://localhost/ HTTP/1.1", "GET http://localhost HTTP/1.1", "GET http://named.com/x HTTP/1.1",
    "GET HTTP://NAMED.com/x HTTP/1.1",
    "GET http://named.com?a=b HTTP/1.1", "GET http://named.com:80/x HTTP/1.1", "GET http://named.com:/x HTTP/1.1",
    "GET http://named.com:x/ HTTP/1.1",
    "GET http:///x HTTP/1.1", "GET http:/x HTTP/1.1", "GET http:x HTTP/1.1", "GET http: HTTP/1.1",
    "GET https://named.com/ HTTP/1.1",
    "GET ftp://named.com/ HTTP/1.1", "GET x-y.z+1://named.com/ HTTP/1.1", "GET 1x://named.com/ HTTP/1.1",
    "GET http://user@named.com/ HTTP/1.1",
    "GET http://user:pass@named.com/ HTTP/1.1", "GET http://[::1]/ HTTP/1.1", "GET http://[::1]:80/ HTTP/1.1",
    "GET http://[::1 HTTP/1.1",
    "GET http://[]/ HTTP/1.1", "GET http://a_b/ HTTP/1.1", "GET http://a..b/ HTTP/1.1",
    "GET http://named.com./ HTTP/1.1", "GET http://named.com#f HTTP/1.1",
    "GET http://named.com HTTP/1.0", "GET http://na%6ded.com/ HTTP/1.1", "GET http://named.com\\x HTTP/1.1",
    "GET //named.com/x HTTP/1.1",
    "GET http://named.com/\r\nHost: other", "GET http://named.com:99999/ HTTP/1.1",
    "GET http://named.com:80x/ HTTP/1.1", "GET http://./ HTTP/1.1",
)  # fmt: skip

TARGETS = (
    "/", "//", "///", "/a//b", "/./", "/.", "/..", "/../", "/../a", "/a/..", "/a/../", "/a/../b", "/a/../..",
    "/a/../../b", "/a/./b", "/a/.b", "/a/..b",
    "/a/b..", "/a/...", "/a/.../b", "/.../..", "/a/.", "/a/b/.", "/a/b/..", "/a/b/../..", "/%2e", "/%2e%2e",
    "/%2e%2e/", "/a/%2e%2e/b", "/a%2f..%2fb",
    "/a%2F%2Fb", "/%2F", "/a%5cb", "/a\\b", "/a\\..\\b", "/%41", "/%61%62", "/%zz", "/%", "/%4", "/%4g", "/%g4",
    "/%00", "/%0", "/%01", "/%0a", "/%0d%0a", "/%20", "/%7f",
    "/%80", "/%ff", "/%FF", "/%c3%a9", "/\xc3\xa9", "/%25", "/%2541", "/%3f", "/%3fa=b", "/%23", "/a%23b", "/a#b",
    "/a?b#c", "/#", "/?#", "/a?", "/a?b", "/a?b?c",
    "/a??", "/?a=1", "/?a=1&a=2", "/?A=1", "/?a", "/?a=", "/?&a=1", "/?xa=1", "/?a%3d1", "/?b=1&a=%20", "/?a=%zz",
    "/?\xff", "/?a=b c", "/?%", "/?/../", "/a+b",
    "/a;b", "/a,b", "/a:b", "/a@b", "/a&b", "/a=b", "/a$b", "/a!b", "/a'b", "/a(b)", "/a*b", "/a~b", "/a`b", "/a|b",
    "/a^b", "/a{b}", "/a[b]", "/a<b>", '/a"b', "/a\x01b",
    "/a/%2e/b", "/a/%2E%2E", "/a/.%2e", "/a/%2e.", "/a/..%2f", "/a/%2e%2e%2fb", "/..%00/", "/%2e%2e%2f",
    "/a/../%2e%2e/b", "/two", "/TWO", "/two/", "/two%2f", "/t%77o",
    "/./two", "/x/../two", "//two", "/two?x", "/two#x",
    "/" + "a" * 300, "/" + "%61" * 300, "/?" + "b" * 300, "/" + "a/" * 60 + "../" * 60, "/" + "../" * 3,
)  # fmt: skip

HOSTS = (
    "localhost", "LOCALHOST", "localhost.", "localhost:80", "localhost:", "localhost:x", "localhost:80x",
    "localhost:99999999", "named.com", "NAMED.COM", "named.com.",
    "named.com:8080", "a.wild.com", "a.b.wild.com", "wild.com", ".wild.com", "tail.x", "tail.x.y", "tail", "both.org",
    "x.both.org", "xboth.org", "re12.net",
    "re.net", "rex.net", "RE12.NET", "upper.com", "Upper.Com", "_", "unknown", "", " ", "a b", "a/b", "a\\b", "a..b",
    "..", ".", "a.", ".a", "a_b", "a-b", "-", "a:b:c",
    "[::1]", "[::1]:80", "[::1]x", "[::1", "::1", "[x]", "[]", "a[b]", "127.0.0.1", "127.0.0.1:1", "a\x01", "a\x7f",
    "a\xff", "a%41", "a?b", "a#b", "a@b", "a,b", "a;b", "a*", "*",
    "a\tb", "named.com, localhost", "x" * 300, "named.com:80:80", "\0", "a\0b", "a..", "named.com..",
    "[fe80::1%25eth0]", "user@localhost", '"a"', "<a>", "a|b", "a{b}", "a^b", "a`b",
)  # fmt: skip

FIELDS = (
    "X: 1", "X:1", "X:  1  ", "X:\t1\t", "X :1", "X : 1", " X: 1", "\tX: 1", "X", "X:", ":", ": 1", "X 1", "X\t: 1",
    "X: a\tb", "X: a\x01b", "X: a\0b", "X\0: 1",
    "X\x01: 1", "X: \xff", "X\xff: 1", "X_Y: 1", "_X: 1", "X-Y: 1", "X.Y: 1", "X!Y: 1", "X(Y: 1", "X/Y: 1", "X,Y: 1",
    'X"Y: 1', "X=Y: 1", "X: 1\n Y: 2", "X: 1\r\n folded",
    "X: 1\r\n\tfolded", "X: 1\rY: 2", "X: 1\r", "X: a\r b", "X: \r", "X: 1\nX-Y: 2", "x: 1", "X: 1\r\nX: 2",
    "X-Y: 1\r\nx-y: 2", "A_B: 1", "X:1:2", "X::", "-: 1", "-X: 1", "X-: 1",
    "1: 1", "X Y: 1", "X\x7f: 1", "X: \x7f", "X@: 1", "X: " + "a" * 1900, "X" * 200 + ": 1",
    "X: " + "a" * 2500, "X: " + "a" * 5000, "X" * 2500 + ": 1",
    "Cookie: a=1", "Cookie: b=2; a=1", "Cookie: a=1;b=2", "Cookie: a", "Cookie: a=", "Cookie: =1", "Cookie: A=1",
    "Cookie: xa=1; a=2", "Cookie: b=2\r\nCookie: a=1",
    "Cookie: a=1\r\nCookie: a=2", "Cookie: b=\"x; a=1\"", "Cookie: a = 1", "Cookie:a=1 ; b", "Cookie: b,a=1",
    "Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic dXNlcg==", "Authorization: basic dXNlcjpwYXNz",
    "Authorization: Basic  dXNlcjpwYXNz", "Authorization: Basic !",
    "Authorization: Basic", "Authorization: Bearer x", "Authorization: ",
    "Authorization: Basic dTpw\r\nAuthorization: Basic dXNlcjpwYXNz",
    "Content-Type: a/b", "Content-Type: a/b\r\nContent-Type: c/d", "Connection: keep-alive", "Connection: Close",
    "Connection: close, x", "Connection: x, close",
    "Connection: upgrade", "Connection: keep-alive, close", "Connection: closed", "Connection: ",
    "Connection: close\r\nConnection: keep-alive",
    "Connection: keep-alive\r\nConnection: close", "Keep-Alive: 300", "Expect: 100-continue", "Expect: x",
    "Upgrade: websocket", "Upgrade: h2c", "TE: trailers", "Trailer: X",
    "Host: other", "Host: localhost", "Host:", "host: localhost", "Max-Forwards: 0", "Via: x", "X-Forwarded-For: 1",
    "Accept-Encoding: gzip", "Range: bytes=0-1",
    "If-Modified-Since: x", "Depth: 1", "Destination: x", "Date: x", "User-Agent: x\r\nUser-Agent: y",
    "Referer: a\r\nReferer: b", "If-Range: x\r\nIf-Range: y",
    "Content-Length: 0\r\nContent-Length: 0", "Accept: a\r\nAccept: b",
    "X-Y: " + "b" * 700, "X: a\r\n" + "\r\n".join(f"N{n}: {n}" for n in range(90)),
    "\r\n".join(f"N{n}: {n}" for n in range(150)), "\r\n".join(f"N{n}: " + "v" * 50 for n in range(150)),
)  # fmt: skip

BODIES = (
    (("Content-Length: 3",), b"abc"), (("Content-Length: 3",), b"abcd"), (("Content-Length: 0",), b""),
    (("Content-Length: 0",), b"x"), (("Content-Length: 3 ",), b"abc"),
    (("Content-Length: 03",), b"abc"), (("Content-Length: +3",), b"abc"), (("Content-Length: -3",), b"abc"),
    (("Content-Length: 3,3",), b"abc"), (("Content-Length: 3, 3",), b"abc"),
    (("Content-Length: 0x3",), b"abc"), (("Content-Length: 3a",), b"abc"), (("Content-Length: ",), b"abc"),
    (("Content-Length: 99999999999999999999",), b"abc"),
    (("Content-Length: 9223372036854775807",), b"abc"), (("Content-Length: 9223372036854775808",), b"abc"),
    (("Content-Length: 2000000",), b"abc"),
    (("Content-Length: 3", "Content-Length: 3"), b"abc"), (("Content-Length: 3", "Content-Length: 4"), b"abc"),
    (("Content-Length: 3", "Transfer-Encoding: chunked"), b"3\r\nabc\r\n0\r\n\r\n"),
    (("Transfer-Encoding: chunked", "Content-Length: 3"), b"3\r\nabc\r\n0\r\n\r\n"), (("Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked"), b"0\r\n\r\n"),
    *(
        ((f"Transfer-Encoding: {coding}",), b"3\r\nabc\r\n0\r\n\r\n")
        for coding in ("chunked", "Chunked", "CHUNKED", "chunked ", " chunked", "identity", "gzip", "gzip, chunked",
        "chunked, gzip", "chunked;x=1", "x", "", "chunked,", ",chunked", "\tchunked",
                       "chunked\x0b", "xchunked", "chunkedx", "chunked chunked")
    ),
    *(
        (("Transfer-Encoding: chunked",), body)
        for body in (
            b"0\r\n\r\n", b"0\n\n", b"3\r\nabc\r\n0\r\n\r\n", b"3\nabc\n0\n\n", b"3 \r\nabc\r\n0\r\n\r\n",
            b" 3\r\nabc\r\n0\r\n\r\n", b"3;x=1\r\nabc\r\n0\r\n\r\n", b"3;\r\nabc\r\n0;y\r\n\r\n",
            b"03\r\nabc\r\n00\r\n\r\n",
            b"A\r\n0123456789\r\n0\r\n\r\n", b"a\r\n0123456789\r\n0\r\n\r\n", b"g\r\n", b"-1\r\n", b"+1\r\n",
            b"0x1\r\na\r\n0\r\n\r\n", b"\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"3\r\nab\r\n0\r\n\r\n", b"3\r\nabc0\r\n\r\n",
            b"3\r\nabc\r\n0\r\nX: 1\r\n\r\n", b"3\r\nabc\r\n0\r\nX: 1\r\nY: 2\r\n\r\n", b"0\r\nX\r\n\r\n",
            b"0\r\n X: 1\r\n\r\n", b"0\r\n: 1\r\n\r\n", b"0\r\nX: 1\n\n", b"fffffffffffffffff\r\n",
            b"7fffffffffffffff\r\n",
            b"ffffffffffffffff\r\n", b"8000000000000000\r\n", b"3\rabc\r\n0\r\n\r\n", b"3\r\nabc\r0\r\n\r\n",
            b"3\r\r\nabc\r\n0\r\n\r\n", b"3\t\r\nabc\r\n0\r\n\r\n", b"3 ;x\r\nabc\r\n0\r\n\r\n",
            b'3;x="a;b"\r\nabc\r\n0\r\n\r\n',
            b"3;\x01\r\nabc\r\n0\r\n\r\n", b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n",
            b"0\r\n\r\nGET /two HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"0 \r\n\r\n", b"0\r\n\n",
            b"0\n\r\n", b"00000000000000000000003\r\nabc\r\n0\r\n\r\n",
        )
    ),
)  # fmt: skip

NEXT = b"GET /two HTTP/1.1\r\nHost: localhost\r\n\r\n"


def raw(text: str) -> bytes:
    return text.encode("latin-1")


def request_lines() -> Iterator[bytes]:
    for line in LINES:
        for end in ("\r\n", "\n"):
            yield raw(f"{line}{end}Host: localhost{end}{end}")
        yield raw(f"{line}\r\nHost: localhost\r\n\r\n") + NEXT
    for text in ("", "\r\n", "\n", "\r\n\r\n", "\n\n\n", "\r", "\r\r\n", "\0\r\n", " \r\n"):
        yield raw(text + "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    for size in (900, 1000, 1100, 1990, 2100, 4000, 7000):
        yield raw(f"GET /{'u' * size} HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield raw(f"GET /?{'u' * size}")
        yield raw(f"{'M' * size} / HTTP/1.1\r\nHost: localhost\r\n\r\n")


def targets() -> Iterator[bytes]:
    for target in TARGETS:
        yield raw(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")


def fields() -> Iterator[bytes]:
    for host in HOSTS:
        yield raw(f"GET /h HTTP/1.1\r\nHost: {host}\r\n\r\n")
        yield raw(f"GET /h HTTP/1.0\r\nHost: {host}\r\n\r\n")
    for field in FIELDS:
        yield raw(f"GET /f HTTP/1.1\r\nHost: localhost\r\n{field}\r\n\r\n")
        yield raw(f"GET /f HTTP/1.1\r\n{field}\r\nHost: localhost\r\n\r\n") + NEXT
    yield b"GET / HTTP/1.1\r\n\r\n"
    yield b"GET / HTTP/1.0\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nX: 1\r\n\r\n" + NEXT
    yield b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: named.com\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    yield b"GET / HTTP/1.1\r\nHost: loc"
    yield b"GET / HTTP/1.1\r\nHost: localhost\r\n\r"
    yield b"GET / HTTP/1.1\nHost: localhost\n\n"


def bodies() -> Iterator[bytes]:
    for path in ("/", "/small", "/file", "/nobody"):
        for head, body in BODIES:
            for method in ("POST", "GET", "HEAD"):
                yield get(path, *head, method=method).replace(b"Connection: close\r\n", b"") + body + NEXT
    for version in ("1.0", "1.1"):
        for head, body in BODIES[:25]:
            yield get("/", *head, method="PUT", version=version) + body
        for expect in ("100-continue", "100-Continue", "x", ""):
            yield get("/small", "Content-Length: 3", f"Expect: {expect}", method="POST", version=version) + b"abc"
            yield get("/small", "Content-Length: 30", f"Expect: {expect}", method="POST", version=version)
            yield get("/file", "Content-Length: 3", f"Expect: {expect}", method="POST", version=version) + b"abc"


def connections() -> Iterator[bytes]:
    for path in ("/", "/close", "/header", "/once", "/thrice", "/no", "/nobody", "/ie", "/linger", "/tokens",
    "/padding", "/nopadding"):
        for version in ("1.0", "1.1"):
            for connection in ("", "Connection: keep-alive\r\n", "Connection: close\r\n"):
                for agent in ("", "User-Agent: Mozilla/4.0 (MSIE 6.0)\r\n",
                "User-Agent: Mozilla/5.0 (Macintosh) AppleWebKit Safari/5\r\n", "User-Agent: Chrome/99\r\n"):
                    for method in ("GET", "POST"):
                        yield raw(f"{method} {path} HTTP/{version}\r\nHost: localhost\r\n{connection}{agent}\r\n") * 4
    yield b"GET /two\r\n"
    yield b"GET /two\r\nGET /two\r\n"
    yield b"GET /no\r\n"
    yield b"HEAD /two\r\n"
    yield b"POST /two\r\n\r\n"


@pytest.mark.parametrize(
    ("corpus", "port"),
    [
        *((corpus, port) for corpus in (request_lines, targets, fields) for port in (0, 1, 2)),
        (bodies, 0),
        (connections, 0),
        (connections, 2),
    ],
)
def test_requests(corpus: Callable[[], Iterator[bytes]], port: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("file")
    with pair(tmp_path, CONFIGURATION) as both:
        both.compare(dict.fromkeys(corpus()), port=port, known=corpus.__name__)
