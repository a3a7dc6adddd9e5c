"""Compression: which answers are compressed for whom, and what becomes of their fields."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conformance.pair import get, pair
from tests.conformance.reference import NGINX

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

CONFIGURATION = r"""
types { text/html html; text/plain txt; application/json json; text/css css; }
gzip on;
server {
    listen 127.0.0.1:@PORT@; server_name localhost; root @SITE@/www;
    location /off/ { gzip off; alias @SITE@/www/; }
    location /vary/ { gzip_vary on; alias @SITE@/www/; }
    location /varyoff/ { gzip off; gzip_vary on; alias @SITE@/www/; }
    location /varytwo/ { gzip_vary on; add_header Vary Cookie; alias @SITE@/www/; }
    location /types/ { gzip_types text/plain application/json; alias @SITE@/www/; }
    location /types/deep/ { alias @SITE@/www/; }
    location /all/ { gzip_types *; alias @SITE@/www/; }
    location /caps/ { gzip_types Text/PLAIN; alias @SITE@/www/; }
    location /default/ { types { } default_type "text/html; charset=x"; alias @SITE@/www/; }
    location /min/ { gzip_min_length 3000; alias @SITE@/www/; }
    location /min1/ { gzip_min_length 3001; alias @SITE@/www/; }
    location /v10/ { gzip_http_version 1.0; alias @SITE@/www/; }
    location /level/ { gzip_comp_level 9; alias @SITE@/www/; }
    location /window/ { gzip_window 512; gzip_hash 512; gzip_comp_level 1; gzip_buffers 2 1k; alias @SITE@/www/; }
    location /msie/ { gzip_disable msie6; alias @SITE@/www/; }
    location /agent/ { gzip_disable "Bad.*Agent" other; alias @SITE@/www/; }
    location /any/ { gzip_proxied any; alias @SITE@/www/; }
    location /expired/ { gzip_proxied expired; expires $arg_e; alias @SITE@/www/; }
    location /nocache/ { gzip_proxied no-cache no-store private; add_header Cache-Control $arg_c; alias @SITE@/www/; }
    location /nolm/ { gzip_proxied no_last_modified no_etag; alias @SITE@/www/; }
    location /nolm2/ { gzip_proxied no_etag; etag off; alias @SITE@/www/; }
    location /nolm3/ { gzip_proxied no_last_modified; add_header Last-Modified ""; alias @SITE@/www/; }
    location /auth/ { gzip_proxied auth; alias @SITE@/www/; }
    location /ret/ { return 200 "some text that is more than twenty bytes long"; default_type text/html; }
    location /short/ { return 200 "short"; default_type text/html; }
    location /empty/ { return 200 ""; default_type text/html; }
    location /s201/ { return 201 "some text that is more than twenty bytes long"; default_type text/html; }
    location /s403/ { return 403; }
    location /s404/ { gzip_vary on; return 404; }
    location /s500/ { return 500; }
    location /page/ { error_page 404 /c.html; alias @SITE@/www/; }
    location /encoded/ { add_header Content-Encoding x; alias @SITE@/www/; }
    location /trailer/ { add_header X $gzip_ratio; alias @SITE@/www/; }
    location /chunkoff/ { chunked_transfer_encoding off; alias @SITE@/www/; }
    location /etag/ { add_header ETag $arg_t; alias @SITE@/www/; }
    location /if/ { if ($arg_g = off) { gzip off; } alias @SITE@/www/; }
    location /sendfile/ { sendfile on; sendfile_max_chunk 1k; alias @SITE@/www/; }
}
"""

ACCEPT = (
    "gzip", "gzip, deflate", "deflate", "", "*", "identity", "gzip;q=0", "gzip;q=0.0", "gzip;q=0.001", "gzip;q=1",
    "gzip;q=1.0",
    "gzip;q=1.001", "gzip;q=2", "gzip; q=0", "gzip ;q=0", "gzip;Q=0", "GZIP", "x-gzip", "gzipx", "xgzip",
    "deflate,gzip", "deflate , gzip ;q=0.5",
    "gzip;q=0, *", "*;q=0", "gzip;q=", "gzip;q=.5", "gzip;q=0.0000", "gzip;level=1", "gzip,gzip;q=0", "br, gzip",
    "a/gzip", "gzip;q=0.9;x=1",
    "deflate;q=0, gzip;q=0.1", " gzip", "\tgzip", "gzip\t", "deflate\tgzip", "deflate gzip", "x gzip;q=0",
)  # fmt: skip

FOLDERS = (
    "off", "vary", "varyoff", "varytwo", "types", "types/deep", "all", "caps", "default", "min", "min1", "v10",
    "level", "window", "msie", "agent",
    "any", "expired", "nocache", "nolm", "nolm2", "nolm3", "auth", "ret", "short", "empty", "s201", "s403", "s404",
    "s500", "page",
    "encoded", "trailer", "chunkoff", "if", "sendfile", "etag",
)  # fmt: skip


def make_site(root: Path) -> None:
    www = root / "www"
    www.mkdir()
    for name, content in {
        "a.txt": b"".join(b"%05d" % n for n in range(20_000)), "c.html": b"<p>" * 1000, "none": b"no type" * 100,
        "d.json": b"[1, 2]" * 400, "zero.html": b"",
        "nineteen.html": b"x" * 19, "twenty.html": b"x" * 20, "e.css": b"a{}" * 99,
        "big.html": bytes(range(256)) * 3000,
    }.items():  # fmt: skip
        (www / name).write_bytes(content)
        os.utime(www / name, (1_600_000_000, 1_600_000_000))


def test_who_gets_it(tmp_path: Path) -> None:
    make_site(tmp_path)
    requests = [get("/c.html", f"Accept-Encoding: {value}", version=v) for value in ACCEPT for v in ("1.0", "1.1")]
    requests += [
        get(f"/{folder}/{name}", "Accept-Encoding: gzip", *more, method=method, version=version)
        for folder in FOLDERS
        for name in ("c.html", "d.json")
        for method in ("GET", "HEAD")
        for version in ("1.0", "1.1")
        for more in ((), ("Via: proxy",))
    ]
    requests += [get(f"/{name}", "Accept-Encoding: gzip") for name in os.listdir(tmp_path / "www")]
    requests += [get(f"/all/{name}", "Accept-Encoding: gzip") for name in os.listdir(tmp_path / "www")]
    requests += [get(f"/types/{name}", "Accept-Encoding: gzip") for name in os.listdir(tmp_path / "www")]
    requests += [get(f"/{name}") for name in ("c.html", "vary/c.html", "vary/d.json", "varytwo/c.html",
    "varyoff/c.html")]
    requests += [get("/c.html", "Accept-Encoding: deflate", "Accept-Encoding: gzip")]
    with pair(tmp_path, CONFIGURATION) as both:
        both.compare(requests)


def test_proxied_and_agents(tmp_path: Path) -> None:
    make_site(tmp_path)
    requests = [
        get(f"/{target}", "Accept-Encoding: gzip", "Via: 1.1 p", *more)
        for target in (
            "c.html", "any/c.html", "expired/c.html?e=epoch", "expired/c.html?e=1h", "expired/c.html?e=-1",
            "expired/c.html?e=max",
            "nocache/c.html?c=no-cache", "nocache/c.html?c=no-store", "nocache/c.html?c=private",
            "nocache/c.html?c=public",
            "nocache/c.html?c=max-age=5,private", "nocache/c.html?c=Private", "nocache/c.html?c=x-private",
            "nolm/c.html", "nolm2/c.html",
            "nolm3/c.html", "auth/c.html",
        )
        for more in ((), ("Authorization: x",))
    ]  # fmt: skip
    requests += [
        get(f"/{folder}/c.html", "Accept-Encoding: gzip", f"User-Agent: {agent}")
        for folder in ("msie", "agent", "vary")
        for agent in (
            "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
            "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)", "MSIE 4.0", "MSIE 5.5",
            "MSIE 7.0", "MSIE 60.0", "Bad Agent", "bad x agent", "OTHER", "",
            "Mozilla/4.0 (compatible; MSIE 5.0; Mac) Opera 7",
        )
    ]  # fmt: skip
    requests += [
        get(f"/etag/c.html?t={tag}", "Accept-Encoding: gzip", *more)
        for tag in ("x", '"x"', 'W/"x"', "w/x", '"', "")
        for more in ((), ('If-None-Match: "x"',), ('If-None-Match: W/"x"',))
    ]
    requests += [get("/if/c.html?g=off", "Accept-Encoding: gzip"), get("/if/c.html", "Accept-Encoding: gzip")]
    with pair(tmp_path, CONFIGURATION) as both:
        both.compare(requests)
