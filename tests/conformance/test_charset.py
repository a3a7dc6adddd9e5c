"""charset: parameters of Content-Type and recoded bodies, as nginx has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.pair import get, pair
from tests.conformance.reference import NGINX

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

CONFIGURATION = r"""
charset_map koi8-r utf-8 { C0 D18E; C1 D0B0; C2 D0B1; F0 E282AC; }
charset_map koi8-r windows-1251 { C0 FE; C1 E0; C2 E1; }
types { text/html html; text/plain txt; image/png png; application/json json; }
default_type text/plain; charset utf-8;
server {
    listen 127.0.0.1:@PORT@; server_name localhost; root @SITE@/www;
    location /off/ { charset off; alias @SITE@/www/; }
    location /types/ { charset_types application/json; alias @SITE@/www/; }
    location /all/ { charset_types *; alias @SITE@/www/; }
    location /var/ { set $c $arg_c; charset $c; alias @SITE@/www/; }
    location /koi/ { source_charset koi8-r; alias @SITE@/www/; }
    location /win/ { source_charset koi8-r; charset windows-1251; alias @SITE@/www/; }
    location /back/ { source_charset windows-1251; charset koi8-r; alias @SITE@/www/; }
    location /from/ { source_charset utf-8; charset koi8-r; alias @SITE@/www/; }
    location /same/ { source_charset UTF-8; alias @SITE@/www/; }
    location /gz/ { gzip on; gzip_types *; source_charset koi8-r; alias @SITE@/www/; }
    location /add/ { add_header X $sent_http_content_type; alias @SITE@/www/; }
    location /ret { return 200 text; }
    location /r301 { return 301 /x; }
    location /r303 { return 303 /x; }
    location /r404 { return 404; }
    location /r204 { return 204; }
    location /empty { default_type ""; return 200 text; }
}
"""

FILES = {
    "a.html": b"<p>plain</p>", "a.png": b"\x89PNG\xc0", "a.json": b"[\xc1]",
    "koi.txt": b"\xc1\xc0\xc2 a \xf0\xff" * 9000,
    "utf.txt": "аюб € я\U0001f600 x".encode() * 3000 + b"\x80\xc3(\xe0\x80\x80\xf8\xff\xd0", "zero.txt": b"",
    "win.txt": b"\xe0\xfe\xe1\xe5",
    "none": b"x",
}  # fmt: skip


def test_charset(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    for name, content in FILES.items():
        (tmp_path / "www" / name).write_bytes(content)
    folders = ("", "off/", "types/", "all/", "koi/", "win/", "back/", "from/", "same/", "gz/", "add/", "var/")
    requests = [get(f"/{folder}{name}", method=method) for folder in folders for name in FILES for method in ("GET",
    "HEAD")]
    requests += [get(f"/{folder}{name}", "Range: bytes=1-3") for folder in folders for name in FILES]
    requests += [get(f"/{folder}{name}", "Accept-Encoding: gzip") for folder in ("gz/", "koi/") for name in FILES]
    requests += [get(f"/var/{name}?c={value}") for name in ("a.html", "koi.txt") for value in ("koi8-r", "x", "UTF-8",
    "")]
    requests += [get(path, method=method) for path in ("/ret", "/r301", "/r303", "/r404", "/r204",
    "/empty") for method in ("GET", "HEAD")]
    with pair(tmp_path, CONFIGURATION) as both:
        both.compare(requests, known="charset")
