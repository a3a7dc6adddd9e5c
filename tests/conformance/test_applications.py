"""fastcgi_pass, scgi_pass and memcached_pass with the servers that people run behind them, beside a real nginx."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from tests.conformance import peers
from tests.conformance.pair import get, pair
from tests.conformance.reference import NGINX

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

needs_php = pytest.mark.skipif(peers.PHP is None, reason="php-fpm is not installed")
needs_uwsgi = pytest.mark.skipif(not peers.UWSGI, reason="pyuwsgi is not installed")
needs_memcached = pytest.mark.skipif(peers.MEMCACHED is None, reason="memcached is not installed")

SCRIPT = r"""<?php
header_remove('X-Powered-By');
switch ($_GET['do'] ?? '') {
case 'echo':
    foreach (['REQUEST_METHOD', 'SCRIPT_NAME', 'PATH_INFO', 'QUERY_STRING', 'CONTENT_LENGTH', 'CONTENT_TYPE',
              'DOCUMENT_URI', 'HTTP_X_A', 'HTTP_COOKIE', 'HTTPS'] as $name)
        echo "$name=" . ($_SERVER[$name] ?? '-') . "\n";
    echo md5(file_get_contents('php://input')) . "\n"; break;
case 'status': http_response_code((int) $_GET['n']); echo 'own page'; break;
case 'redirect': header('Location: /there'); break;
case 'fields': header('X-A: 1'); header('X-A: 2', false); header('Set-Cookie: a=1'); header('Set-Cookie: b=2', false);
    header('Last-Modified: Sat, 01 Jan 2022 00:00:00 GMT'); header('ETag: "e"'); header('Content-Length: 6');
    echo "fields"; break;
case 'accel': header('X-Accel-Redirect: /files/a.txt'); header('Content-Type: text/x; charset=utf-8'); break;
case 'big': for ($n = 0; $n < 300; $n++) echo str_repeat(chr(65 + $n % 26), 1000); break;
case 'flush': for ($n = 0; $n < 5; $n++) { echo "part $n\n"; flush(); } break;
case 'warn': error_log("told on stderr"); trigger_error("careful", E_USER_WARNING); echo "after"; break;
case 'warnings': for ($n = 0; $n < 400; $n++) error_log("number $n of many"); echo "after"; break;
case 'short': header('Content-Length: 1000'); echo str_repeat('x', 100); break;
case 'large': header('X-Large: ' . str_repeat('l', 5000)); echo 'x'; break;
case 'none': http_response_code(204); break;
default: echo 'hello';
}
"""

LOCATION = """
    fastcgi_pass unix:@SITE@/php.sock; fastcgi_index index.php; fastcgi_split_path_info ^(.+?\\.php)(/.*)?$;
    fastcgi_param SCRIPT_FILENAME @SITE@/www$fastcgi_script_name; fastcgi_param SCRIPT_NAME $fastcgi_script_name;
    fastcgi_param PATH_INFO $fastcgi_path_info; fastcgi_param QUERY_STRING $query_string;
    fastcgi_param REQUEST_METHOD $request_method; fastcgi_param CONTENT_TYPE $content_type;
    fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param DOCUMENT_URI $document_uri;
    fastcgi_param HTTPS $https if_not_empty;
"""

PHP_SITE = f"""
upstream kept {{ server unix:@SITE@/php.sock; keepalive 2; }}
server {{
    listen 127.0.0.1:@PORT@; server_name localhost; root @SITE@/www; client_max_body_size 0;
    location / {{ {LOCATION} }}
    location /kept/ {{ rewrite ^/kept(.*) $1 break; fastcgi_keep_conn on;
        {LOCATION.replace("unix:@SITE@/php.sock", "kept")} }}
    location /unbuffered/ {{ rewrite ^/unbuffered(.*) $1 break; {LOCATION} fastcgi_buffering off; }}
    location /stream/ {{ rewrite ^/stream(.*) $1 break; {LOCATION} fastcgi_request_buffering off; }}
    location /own/ {{ rewrite ^/own(.*) $1 break; {LOCATION} fastcgi_intercept_errors on;
        error_page 404 /files/a.txt; }}
    location /catch/ {{ rewrite ^/catch(.*) $1 break; {LOCATION} fastcgi_catch_stderr "careful"; }}
    location /small/ {{ rewrite ^/small(.*) $1 break; {LOCATION} client_body_buffer_size 1k; fastcgi_buffers 2 1k;
        fastcgi_buffer_size 1k; fastcgi_busy_buffers_size 1k; }}
    location /files/ {{ internal; }}
}}
"""


def post(target: str, body: bytes, *headers: str) -> bytes:
    return get(target, f"Content-Length: {len(body)}", *headers, method="POST") + body


def chunked(target: str, body: bytes) -> bytes:
    return get(target, "Transfer-Encoding: chunked", method="POST") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


@needs_php
def test_php(tmp_path: Path) -> None:
    www = tmp_path / "www"
    for folder in ("files", "dir"):
        (www / folder).mkdir(parents=True)
        (www / folder / "a.txt").write_text("a file")
    for name in ("index.php", "a.php", "dir/index.php"):
        (www / name).write_text(SCRIPT)
    body = bytes(range(256)) * 400
    requests = [
        request
        for prefix in ("", "/kept", "/unbuffered", "/stream", "/own", "/catch", "/small")
        for target in ("/", "/dir/", "/a.php", "/a.php/info/x", "/missing.php")
        for request in (
            get(f"{prefix}{target}?do=echo&a=%20b", "X-A: 1", "Cookie: a=b"),
            get(f"{prefix}{target}", method="HEAD"),
            post(f"{prefix}{target}?do=echo", b"some=thing", "Content-Type: application/x-www-form-urlencoded"),
        )
    ]
    requests += [
        get(f"{prefix}/a.php?do={do}")
        for prefix in ("", "/kept", "/unbuffered", "/own", "/catch", "/small")
        for do in ("status&n=404", "status&n=500", "status&n=201", "redirect", "fields", "accel", "big", "flush",
                   "warn", "none", "large", "short")
    ]  # fmt: skip
    requests += [
        make(f"{prefix}/a.php?do=echo", body)
        for prefix in ("", "/kept", "/stream", "/small")
        for make in (post, chunked)
    ]
    with peers.php(tmp_path), pair(tmp_path, PHP_SITE) as servers:
        servers.compare(requests)
        for side in (servers.theirs, servers.ours):
            side.fetch(get("/a.php?do=warnings"), half_close=False)
        said = [re.findall(r"PHP message: [^,]*", side.log()) for side in (servers.theirs, servers.ours)]
        for wanted in ("told on stderr", "PHP Warning:  careful in", "number 399 of many"):
            assert all(any(wanted in line for line in lines) for lines in said), wanted


WSGI_SITE = """
server {
    listen 127.0.0.1:@PORT@; server_name localhost;
    NAME_param REQUEST_METHOD $request_method; NAME_param REQUEST_URI $request_uri; NAME_param PATH_INFO $document_uri;
    NAME_param QUERY_STRING $query_string; NAME_param SERVER_PROTOCOL $server_protocol;
    NAME_param CONTENT_TYPE $content_type; NAME_param REMOTE_ADDR $remote_addr;
    NAME_param SERVER_NAME $server_name; NAME_param SERVER_PORT 80; LENGTH
    location / { NAME_pass unix:@SITE@/NAME.sock; }
    location /un { NAME_pass unix:@SITE@/NAME.sock; NAME_buffering off; NAME_request_buffering off; }
    location /own { NAME_pass unix:@SITE@/NAME.sock; NAME_intercept_errors on; error_page 404 =200 /page;
        NAME_hide_header X-Own; NAME_ignore_headers X-Accel-Redirect; }
    location /without { NAME_pass unix:@SITE@/NAME.sock; NAME_pass_request_headers off; NAME_pass_request_body off; }
    location /no { NAME_pass unix:@SITE@/none.sock; }
    location /page { return 200 "a page"; }
}
"""


@needs_uwsgi
@pytest.mark.parametrize("protocol", ["fastcgi", "scgi"])
def test_wsgi(tmp_path: Path, protocol: str) -> None:
    text = WSGI_SITE.replace("NAME", protocol)
    text = text.replace("LENGTH", "fastcgi_param CONTENT_LENGTH $content_length;" if protocol == "fastcgi" else "")
    requests = [
        request
        for target in ("/", "/un", "/own/deep", "/no")
        for request in (
            get(f"{target}?a=1", "X-A: 1", "Cookie: a=1"),
            get(f"{target}?big"),
            get(f"{target}?status=404+Nothing"),
            get(f"{target}?status=200+Fine"),
            get(f"{target}?redirect"),
            get(target, method="HEAD"),
            post(target, b"x" * 100),
            post(target, b"y" * 60000, "Content-Type: text/x"),
        )
        if (protocol, target) != ("scgi", "/un") or b"yyy" not in request  # nginx 1.22 tells a wrong length
    ]
    requests += [get("/without", "X-A: 1"), get("/", "Expect: 100-continue")]
    with peers.uwsgi(tmp_path, protocol), pair(tmp_path, text) as servers:
        servers.compare(requests)


MEMCACHED_SITE = """
upstream kept { server unix:@SITE@/memcached.sock; keepalive 2; }
server {
    listen 127.0.0.1:@PORT@; server_name localhost; default_type text/x; types { text/css css; }
    set $memcached_key $arg_k;
    location / { memcached_pass unix:@SITE@/memcached.sock; }
    location /kept { memcached_pass kept; memcached_buffer_size 1k; }
    location /made { memcached_pass kept; error_page 404 502 = @made; }
    location /gzip { memcached_pass kept; memcached_gzip_flag 2; }
    location /no { memcached_pass unix:@SITE@/none.sock; }
    location @made { return 200 "made $arg_k"; }
}
"""


@needs_memcached
def test_memcached(tmp_path: Path) -> None:
    keys = {"a": b"value", "empty": b"", "big": bytes(range(256)) * 2000, "%2520x": b"escaped", "end": b"\r\nEND\r\n"}
    with peers.memcached(tmp_path) as path, pair(tmp_path, MEMCACHED_SITE) as servers:
        for key, value in keys.items():
            peers.store(path, key, value)
        peers.store(path, "zip", gzip.compress(b"small"), flags=3)
        servers.compare(
            get(f"{target}?k={key}", *headers, method=method)
            for target in ("/", "/a.css", "/kept", "/made", "/gzip", "/no")
            for key in ("a", "empty", "big", "%20x", "end", "zip", "missing", "l" * 300, "")
            for method in ("GET", "HEAD")
            for headers in ((), ("Range: bytes=1-3",))
            if not (key == "zip" and headers)
        )
        servers.compare([post("/", b"body"), post("/kept?k=a", b"body"), get("/?k=a", method="DELETE")])
