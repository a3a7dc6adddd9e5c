"""uwsgi: the same requests through nginx and through gateway to one application in the real uWSGI, and in gunicorn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.app_servers import app_server
from tests.conformance.pair import get, pair
from tests.conformance.reference import NGINX

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")
pytest.importorskip("pyuwsgi")
pytest.importorskip("gunicorn")

PARAMS = """
    uwsgi_param QUERY_STRING $query_string; uwsgi_param REQUEST_METHOD $request_method;
    uwsgi_param CONTENT_TYPE $content_type;
    uwsgi_param CONTENT_LENGTH $content_length; uwsgi_param REQUEST_URI $request_uri;
    uwsgi_param PATH_INFO $document_uri;
    uwsgi_param DOCUMENT_ROOT $document_root; uwsgi_param SERVER_PROTOCOL $server_protocol;
    uwsgi_param REQUEST_SCHEME $scheme;
    uwsgi_param HTTPS $https if_not_empty; uwsgi_param REMOTE_ADDR $remote_addr; uwsgi_param REMOTE_PORT $remote_port;
    uwsgi_param SERVER_PORT $server_port; uwsgi_param SERVER_NAME $server_name;
"""

CONFIGURATION = """
upstream dead_and_alive { server 127.0.0.1:@PORT2@; server unix:SOCKET; }
server {
    listen 127.0.0.1:@PORT@; server_name localhost; root @SITE@; uwsgi_read_timeout 20s;
    PARAMS
    location / { uwsgi_pass unix:SOCKET; }
    location /unbuffered/ { uwsgi_buffering off; uwsgi_pass unix:SOCKET; }
    location /streamed/ { uwsgi_request_buffering off; uwsgi_pass unix:SOCKET; }
    location /buffers/ { uwsgi_buffer_size 4k; uwsgi_buffers 2 4k; uwsgi_busy_buffers_size 4k; uwsgi_pass unix:SOCKET; }
    location /notemp/ { uwsgi_max_temp_file_size 0; uwsgi_pass unix:SOCKET; }
    location /own/ { PARAMS uwsgi_param OWN "own $arg_x"; uwsgi_param HTTP_X_FORWARDED_FOR added;
        uwsgi_pass unix:SOCKET; }
    location /nohead/ { uwsgi_pass_request_headers off; uwsgi_pass unix:SOCKET; }
    location /nobody/ { uwsgi_pass_request_body off; uwsgi_pass unix:SOCKET; }
    location /modifier/ { uwsgi_modifier1 0; uwsgi_modifier2 0; uwsgi_pass unix:SOCKET; }
    location /hide/ { uwsgi_hide_header X-One; uwsgi_hide_header Set-Cookie; uwsgi_pass_header Date;
        uwsgi_pass_header Server;
        uwsgi_pass_header X-Accel-Test; uwsgi_pass unix:SOCKET; }
    location /ignore/ { uwsgi_ignore_headers X-Accel-Redirect X-Accel-Limit-Rate Expires Set-Cookie;
        uwsgi_pass unix:SOCKET; }
    location /intercept/ { uwsgi_intercept_errors on; error_page 404 /page; error_page 500 502 =200 /page;
        error_page 403 @named;
        error_page 503 http://e.com/; error_page 401 /page; uwsgi_pass unix:SOCKET; }
    location /pages/ { error_page 404 500 /page; uwsgi_pass unix:SOCKET; }
    location = /page { return 200 "page $uri $upstream_status"; }
    location @named { return 200 "named $uri $sent_http_content_type"; }
    location /internal/ { internal; alias @SITE@/; }
    location /internal2/ { internal; return 200 "second $uri $args"; }
    location /ranges/ { uwsgi_force_ranges on; uwsgi_pass unix:SOCKET; }
    location /gzip/ { gzip on; gzip_types *; gzip_min_length 1; gzip_vary on; uwsgi_pass unix:SOCKET; }
    location /add/ { add_header X-Added $upstream_status; add_header X-Time "$upstream_http_x_one" always; expires 1h;
        uwsgi_pass unix:SOCKET; }
    location /small/ { client_max_body_size 10; uwsgi_pass unix:SOCKET; }
    location /file/ { client_body_in_file_only clean; client_body_buffer_size 1k; uwsgi_pass unix:SOCKET; }
    location /next/ { uwsgi_pass dead_and_alive; }
    location /var/ { set $to unix:SOCKET; uwsgi_pass $to; }
    location /varname/ { set $to dead_and_alive; uwsgi_pass $to; }
    location /refused/ { uwsgi_pass 127.0.0.1:@PORT2@; }
    location /nowhere/ { uwsgi_pass unix:@OWN@/none.sock; }
    location /limited/ { limit_except GET { deny all; } uwsgi_pass unix:SOCKET; }
    location /rewritten/ { rewrite ^/rewritten/(.*) /environ?r=$1 break; uwsgi_pass unix:SOCKET; }
    location /try/ { try_files $uri @app; }
    location @app { PARAMS uwsgi_param NAMED 1; uwsgi_pass unix:SOCKET; }
    location /http10/ { chunked_transfer_encoding off; uwsgi_pass unix:SOCKET; }
}
"""

STATUSES = (
    "200 OK", "201 Created", "202 Accepted", "204 No Content", "206 Partial Content", "301 Moved Permanently",
    "302 Found", "304 Not Modified",
    "307 Temporary Redirect", "400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found",
    "404 Gone fishing", "405 No", "410 Gone",
    "413 Big", "418 Teapot", "429 Slow down", "499 Mine", "500 Broken", "502 Bad", "503 Later", "504 Late", "599 Odd",
)  # fmt: skip

FIELDS = (
    "", "X-One=1", "X-One=1&X-One=2", "X-Two=&x-lower=a", "Set-Cookie=a%3d1&Set-Cookie=b%3d2",
    "Location=http://other/x", "Location=/path?q",
    "Location=relative", "Location=", "ETag=%22x%22", "ETag=W/%22x%22",
    "Last-Modified=Mon,%2028%20Sep%201970%2006:00:00%20GMT", "Last-Modified=x",
    "Date=Mon,%2028%20Sep%201970%2006:00:00%20GMT", "Server=mine", "Cache-Control=no-cache",
    "Cache-Control=a&Cache-Control=b",
    "Expires=Mon,%2028%20Sep%201970%2006:00:00%20GMT", "Vary=Cookie", "Content-Encoding=br", "Content-Encoding=gzip",
    "Accept-Ranges=bytes", "Content-Language=de",
    "Content-Disposition=x", "WWW-Authenticate=Basic", "Refresh=5;%20url=/x", "Link=a&Link=b",
    "X-Accel-Limit-Rate=1000000", "X-Accel-Limit-Rate=x",
    "X-Accel-Buffering=no", "X-Accel-Buffering=yes", "X-Accel-Expires=10", "X-Accel-Charset=utf-8",
    "X-Accel-Redirect=/internal/f.txt", "X-Accel-Test=1",
    "X-Accel-Redirect=/internal2/a?b=c", "X-Accel-Redirect=/page", "X-Accel-Redirect=/none",
    "X-Accel-Redirect=@named", "X-Accel-Redirect=/../x",
    "X-Accel-Redirect=/internal/f.txt&Set-Cookie=a%3d1&ETag=x&X-One=1&Cache-Control=private",
    "X-Accel-Redirect=/internal/f.txt&status=404%20x",
    "X-Accel-Redirect=/internal/%2566.txt", "X-Accel-Redirect=", "no-type=1",
    "no-type=1&Content-Type=text/html;%20charset=koi8-r", "no-type=1&Content-Type=a/b;c=d;%20charset=%22x%22",
    "no-type=1&Content-Type=",
    "X-One=1&Server=s&ETag=%22e%22&Date=x&Last-Modified=y&Location=http://a/&X-Two=2&Content-Encoding=z",
    "Status=404%20x", "P3P=x", "X-Powered-By=y", "Trailer=x", "Upgrade=h2c", "Age=5", "Allow=GET",
    "Content-Location=/x", "Retry-After=5", "X-Colon=a:b:c",
)  # fmt: skip

LOCATIONS = (
    "unbuffered", "buffers", "notemp", "hide", "ignore", "intercept", "pages", "ranges", "gzip", "add", "next", "var",
    "varname", "rewritten", "http10", "modifier",
)  # fmt: skip


def environs() -> Iterator[bytes]:
    for path in (
        "/environ", "/own/environ?x=1", "/nohead/environ", "/nobody/environ", "/modifier/environ", "/rewritten/a?b=c",
        "/try/environ?q", "/next/environ", "/var/environ",
        "/environ?a=b&c=%20", "/a%20b/../environ", "/%D0%B0/environ", "/a//b/environ", "/environ?", "/x%2Fy/environ",
        "/streamed/environ", "/a+b/environ?x=a+b", "/environ?%ff",
    ):
        for version in ("1.0", "1.1"):
            yield get(path, version=version)
        yield get(path, "X-A: 1", "X-A: 2", "x-b_c: 1", "Cookie: a=1", "Cookie: b=2", "User-Agent: me", "Accept: */*",
        "Referer: r")
        yield get(path, "Content-Type: a/b", "Content-Length: 3", "Authorization: Basic eDp5", method="POST") + b"abc"
        yield get(path, "Host: ", host="named.example:8080").replace(b"Host: \r\n", b"")
        yield get(path, "Proxy: evil", "Content-Length-X: 1", "HTTPS: on", "Connection-X: 1", "TE: x", "Upgrade: y",
        "Keep-Alive: z", "X-Forwarded-For: 1.2.3.4, 5.6.7.8")
        yield get(path, "Transfer-Encoding: chunked", method="PUT") + b"3\r\nabc\r\n0\r\n\r\n"
    for method in ("HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "FOO"):
        yield get("/environ", method=method)
        yield get("/limited/environ", method=method)
    yield get("/environ", *(f"X-Field-{n}: {'v' * 100}" for n in range(60)))


def answers() -> Iterator[bytes]:
    for status in STATUSES:
        query = "status=" + status.replace(" ", "%20")
        for path in ("plain", "x", "empty", "stream", "large", "intercept/x", "pages/x", "gzip/x", "add/x",
        "ranges/x", "unbuffered/x"):
            for method in ("GET", "HEAD"):
                yield get(f"/{path}?{query}", "Accept-Encoding: gzip", method=method)
    for query in FIELDS:
        for path in ("x", "plain", *(f"{location}/x" for location in LOCATIONS)):
            yield get(f"/{path}?{query}")
        for version in ("1.0", "1.1"):
            yield get(f"/x?{query}", method="HEAD", version=version)
        yield get(f"/gzip/x?{query}", "Accept-Encoding: gzip")
        yield get(f"/x?{query}", 'If-None-Match: "x"')
        yield get(f"/ranges/x?{query}", "Range: bytes=1-2")
        yield get(f"/x?{query}", "Range: bytes=1-2")
        yield get(f"/x?{query}", "If-Modified-Since: Mon, 28 Sep 1970 06:00:00 GMT")
    for size in (0, 16, 4096, 65536, 300_000, 3_000_000):
        for location in ("", *(f"{each}/" for each in (LOCATIONS if size < 1_000_000 else LOCATIONS[:3]))):
            for more in ("", "&_nolength=1"):
                yield get(f"/{location}large?_n={size}{more}")
    for location in ("", *(f"{each}/" for each in LOCATIONS)):
        yield get(f"/{location}stream?_n=500", "Accept-Encoding: gzip")
        yield get(f"/{location}stream?_n=3", version="1.0")
        yield get(f"/{location}x?_nolength=1", version="1.0")
        yield get(f"/{location}x?_length=2")
        yield get(f"/{location}empty")
        if location not in ("next/", "varname/"):  # it would take the server that is left out of the upstream
            yield get(f"/{location}raise")
    for path in ("refused", "nowhere", "intercept/raise", "limited/x"):
        for method in ("GET", "HEAD", "POST"):
            yield get(f"/{path}", method=method)


def bodies() -> Iterator[bytes]:
    for location in ("", "streamed/", "unbuffered/", "small/", "file/", "next/", "var/", "limited/"):
        for size in (0, 1, 5, 11, 4096, 70_000, 900_000):
            data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            parts = [data[at : at + 5000] for at in range(0, size, 5000)]
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
            yield get(f"/{location}read", f"Content-Length: {size}", method="POST") + data
            yield get(f"/{location}read", "Transfer-Encoding: chunked", method="POST") + chunks + b"0\r\n\r\n"
            yield get(f"/{location}read", f"Content-Length: {size}", "Expect: 100-continue", method="PUT") + data


def without_ports(answer: bytes) -> bytes:
    return re.sub(rb'"REMOTE_PORT": "\d+"', b"", answer)


@pytest.mark.parametrize("kind", ["uwsgi", "gunicorn"])
@pytest.mark.parametrize("corpus", [environs, answers, bodies])
def test_app_servers(corpus: Callable[[], Iterator[bytes]], kind: str, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("the file f")
    with app_server(kind) as path:
        text = CONFIGURATION.replace("PARAMS", PARAMS).replace("SOCKET", path)
        # for the second server a third of them will do
        requests = list(dict.fromkeys(corpus()))[:: 1 if kind == "uwsgi" else 3]
        with pair(tmp_path, text) as both:
            both.theirs.patience = both.ours.patience = 30
            both.compare(requests, known=f"uwsgi {corpus.__name__}",
            clean=without_ports, threads=8, part=kind != "uwsgi")
