"""access_log writes what nginx writes, variable by variable, for good requests and bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.conformance.reference import NGINX, fetch, free_port, nginx_serving
from tests.modules.http.test_log import serving

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

VARIABLES = (
    "status", "body_bytes_sent", "request", "request_uri", "uri", "document_uri", "args", "query_string", "is_args",
    "request_method", "request_length", "server_protocol", "scheme", "host", "server_name", "remote_addr",
    "remote_user", "http_user_agent", "http_referer", "http_x_y", "http_cookie", "cookie_a", "arg_a", "content_length",
    "content_type", "connection_requests", "pipe", "request_completion", "sent_http_location",
    "sent_http_content_length", "sent_http_content_type", "sent_http_connection", "sent_http_x", "document_root",
    "request_filename", "https", "limit_rate", "set_here", "mapped",
)  # fmt: skip

LOCATIONS = """
    location / { return 200 "hello"; }
    location /set { set $set_here "a\\"b$arg_a"; add_header X "x$arg_a"; return 201 ""; }
    location /redirect { return 302 /else$is_args$args; }
    location /no { return 403; error_page 403 /denied; }
    location = /denied { return 200 "denied"; }
    location /file { root FOLDER; }
    location /again { rewrite ^/again(.*)$ /file$1 last; }
    location /rate { set $limit_rate 100k; return 200 x; }
    location /named { error_page 418 @named; return 418; }
    location @named { return 404 "named"; }
    location ~ ^/regex/(?<part>[a-z]+) { return 200 "$part"; }
"""

HEADERS = b"Host: localhost\r\nConnection: close\r\n"
REQUESTS = [
    *(
        b"GET %b HTTP/1.1\r\n%b\r\n" % (target, HEADERS)
        for target in (
            b"/", b"/?a=1&b", b"/a%20b/../c?x=%41", b'/"q\\', b"/\xff\xfe?\x80", b"/set?a=b", b"/set", b"/redirect?q=1",
            b"/no", b"/file/f.txt", b"/again/f.txt?x", b"/rate", b"/named", b"/regex/abc/def", b"/denied",
        )
    ),
    b"HEAD /file/f.txt HTTP/1.1\r\n%b\r\n" % HEADERS,
    b"POST / HTTP/1.1\r\n%bContent-Length: 5\r\nContent-Type: text/x\r\n\r\nhello" % HEADERS,
    b"GET / HTTP/1.0\r\nUser-Agent: a \"b\" \\ \x01\xe9\r\nReferer: http://r/\r\nX-Y: 1\r\n\r\n",
    b"GET / HTTP/1.1\r\n%bCookie: a=1; b=2\r\nAuthorization: Basic dXNlcjpwYXNz\r\n\r\n" % HEADERS,
    b"GET / HTTP/1.1\r\n%bAuthorization: Basic !!!\r\n\r\n" % HEADERS,
    b"GET http://other/abs?x HTTP/1.1\r\n%b\r\n" % HEADERS,
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /set?a=2 HTTP/1.1\r\n%b\r\n" % HEADERS,
    b"DELETE /set HTTP/1.1\r\n%b\r\n" % HEADERS,
    b"GET /\r\n",
    # refused
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /%%zz HTTP/1.1\r\n%b\r\n" % HEADERS,
    b"GET /../.. HTTP/1.1\r\n%b\r\n" % HEADERS,
    b"nonsense\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"GET / HTTP/1.1\r\n%bContent-Length: x\r\n\r\n" % HEADERS,
    b"GET / HTTP/3.7\r\n%b\r\n" % HEADERS,
    b"GET /%b HTTP/1.1\r\n%b\r\n" % (b"l" * 9000, HEADERS),
]  # fmt: skip


def configuration(folder: Path, log: Path, port: int) -> str:
    formats = "".join(
        f"log_format {escape} escape={escape} '" + " ".join(f"{name}=<${name}>" for name in VARIABLES) + "';\n"
        for escape in ("default", "json", "none")
    )
    logs = "".join(f"access_log {log}.{escape} {escape};\n" for escape in ("default", "json", "none"))
    return (
        f"{formats}map $status $mapped {{ 200 ok; ~^4 $status-$arg_a; }}\n"
        f"server {{ listen 127.0.0.1:{port}; server_name localhost; root /srv;\n{logs}"
        f"{LOCATIONS.replace('FOLDER', str(folder))} }}"
    )


# Lengths of built-in error pages differ by the server's name; a socket pair has no port; nginx takes keep-alive back
# before it writes the log, which then says "close" of a connection that was kept.
NOT_COMPARED = (b"body_bytes_sent", b"sent_http_content_length", b"sent_http_connection")


def differences(ours: bytes, theirs: bytes, port: int) -> list[tuple[bytes, bytes]]:
    """The values that are not the same, line by line."""
    found = []
    for our_line, their_line in zip(ours.split(b"\n"), theirs.split(b"\n"), strict=True):
        our_line, their_line = (line.replace(b"localhost:%d" % port, b"localhost") for line in (our_line, their_line))
        # of a request that was refused some values are empty in nginx, and others are missing
        refused = our_line.startswith((b"status=<400>", b"status=<414>", b"status=<505>"))
        for our, their in zip(our_line.split(b"> "), their_line.split(b"> "), strict=False):
            if refused:
                our, their = our.replace(b"<-", b"<"), their.replace(b"<-", b"<")
            if our[:2000] != their[:2000] and not our.startswith(NOT_COMPARED):
                found.append((our, their))
    return found


async def test_the_same_lines(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "f.txt").write_text("content")
    port = free_port()
    with nginx_serving(configuration(tmp_path, tmp_path / "theirs", port), tmp_path, port):
        for request in REQUESTS:
            await trio.to_thread.run_sync(fetch, port, request)
    async with serving(configuration(tmp_path, tmp_path / "ours", port)) as engine:
        for request in REQUESTS:
            await engine.raw(request)
    for escape in ("default", "json", "none"):
        ours, theirs = ((tmp_path / f"{side}.{escape}").read_bytes() for side in ("ours", "theirs"))
        assert ours.count(b"\n") == theirs.count(b"\n")
        assert differences(ours, theirs, port) == []
