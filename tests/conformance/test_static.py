"""Files as nginx serves them: root, alias, index, try_files, error_page, types, disable_symlinks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conformance.pair import get, pair
from tests.conformance.reference import NGINX

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

CONFIGURATION = r"""
types { text/html html htm; text/plain txt; text/x-two two TWO2; image/png png; application/x-gz tar.gz gz; }
default_type application/x-unknown;
server {
    listen 127.0.0.1:@PORT@; server_name localhost; root @SITE@/www;
    location /d/ { }
    location /alias/ { alias @SITE@/www/d/; }
    location /alias2 { alias @SITE@/www/d; }
    location = /exact { alias @SITE@/www/a.html; }
    location ~ ^/rx/(.*)$ { alias @SITE@/www/d/$1; }
    location ~ ^/rxd(/.*)$ { root @SITE@/www/d; rewrite ^/rxd(.*) $1 break; }
    location /var/ { root @SITE@/$arg_r; }
    location /try { try_files $uri $uri/ /a.html?x=1; }
    location /try2/ { try_files $uri =404; }
    location /try3/ { try_files $uri @named; }
    location /try4/ { try_files /none /none2/ =418; }
    location /try5/ { try_files $uri.html $uri/index.html /d/; }
    location /try6/ { alias @SITE@/www/d/; try_files $uri $uri/ /a.html; }
    location /try7/ { try_files /d/ /a.html; }
    location /try8 { try_files $document_root$uri /show?$args&u=$uri; }
    location /try9/ { root @SITE@/www/d; try_files /x.txt =500; }
    location @named { return 200 "named $uri $args $request_filename"; }
    location /show { return 200 "show $uri $args $request_filename $document_root $realpath_root"; }
    location /index1/ { index none.html sub.txt /d/x.txt; alias @SITE@/www/i/; }
    location /index2/ { index none /show; alias @SITE@/www/d/; }
    location /index3/ { index $arg_i index.html; alias @SITE@/www/d/; }
    location /noindex/ { alias @SITE@/www/empty/; }
    location /types/ { types { text/one html; } alias @SITE@/www/; }
    location /types2/ { types { } default_type text/only; alias @SITE@/www/; }
    location /types3/ { types { } default_type ""; alias @SITE@/www/; }
    location /charset/ { default_type "text/html; charset=x"; types { } alias @SITE@/www/; }
    location /sym1/ { disable_symlinks on; alias @SITE@/www/; }
    location /sym2/ { disable_symlinks if_not_owner; alias @SITE@/www/; }
    location /sym3/ { disable_symlinks on from=@SITE@; alias @SITE@/www/; }
    location /sym4/ { disable_symlinks on from=$document_root; root @SITE@/www/link; rewrite ^/sym4(.*) $1 break; }
    location /sym5/ { disable_symlinks off; alias @SITE@/www/; }
    location /cache/ { open_file_cache max=10; open_file_cache_errors on; alias @SITE@/www/; }
    location /noetag/ { etag off; alias @SITE@/www/; }
    location /internal/ { internal; alias @SITE@/www/; }
    location /lim/ { limit_except GET HEAD { deny all; } alias @SITE@/www/; }

    location /e1/ { error_page 404 /a.html; }
    location /e2/ { error_page 404 =200 /a.html; }
    location /e3/ { error_page 404 = /show; }
    location /e4/ { error_page 404 =301 /show; }
    location /e5/ { error_page 404 http://e.com/x; }
    location /e6/ { error_page 404 =301 http://e.com/x; }
    location /e7/ { error_page 404 =307 http://e.com$uri; }
    location /e8/ { error_page 404 =200 http://e.com/x; }
    location /e9/ { error_page 404 @named; }
    location /ea/ { error_page 404 =202 @named; }
    location /eb/ { error_page 404 = @named; }
    location /ec/ { error_page 404 /none.html; }
    location /ed/ { error_page 404 /internal/a.html; }
    location /ee/ { error_page 404 /d; }
    location /ef/ { error_page 404 =410 /d/; }
    location /eg/ { error_page 403 404 405 /show?s=$status; return 403; }
    location /eh/ { error_page 403 =404 /show; deny all; }
    location /ei/ { error_page 401 402 403 =403 @code; deny all; }
    location @code { return 405; }
    location /ej/ { error_page 404 $uri.txt; }
    location /ek/ { error_page 500 502 /a.html; return 502; }
    location /el/ { error_page 405 =200 /a.html; }
    location /em/ { recursive_error_pages on; error_page 404 /em/again; }
    location /en/ { recursive_error_pages on; error_page 404 = @first; }
    location @first { recursive_error_pages on; error_page 404 = @second; return 404; }
    location @second { return 200 "second $uri"; }
    location /eo/ { error_page 301 /show; return 301 /x; }
    location /ep/ { error_page 404 relative; }
    location /eq/ { error_page 404 =200 ""; }
    location /er/ { error_page 413 /show; client_max_body_size 1; }
    location /es/ { error_page 404 =204 /show; }
    location /et/ { error_page 404 =304 /a.html; }
    location /eu/ { error_page 404 =444 @close; }
    location @close { return 444; }
    location /ev/ { error_page 404 =999 /a.html; }
}
"""  # fmt: skip

FILES = {
    "a.html": b"<p>a</p>", "b": b"no type", "c.TXT": b"upper", "e.tar.gz": b"gz", "f.two": b"2", "g.png": b"png",
    "big.txt": b"0123456789" * 7000, "zero.txt": b"", "sp ace.txt": b"space", "q?x.txt": b"mark",
    "p%41.txt": b"percent",
    "d/index.html": b"index", "d/x.txt": b"x", "d/sub/y.html": b"y", "i/sub.txt": b"sub index", ".hidden": b"hidden",
    "h.": b"dot", "try2/z": b"z", "trydir/index.html": b"try index",
    "e0/\xc3\xa9.txt".encode("latin-1").decode("utf-8"): b"e",
    "var/v.txt": b"v", "try5/m.html": b"m", "try5/n/index.html": b"n",
}  # fmt: skip

TARGETS = [
    *("/" + name for name in (
        "a.html", "a.html?x=1", "b", "c.TXT", "e.tar.gz", "f.two", "g.png", "big.txt", "zero.txt", "sp%20ace.txt",
        "none",
        "q%3Fx.txt", "p%2541.txt", "d", "d/", "d?a=1", "d/index.html", "d/x.txt", "d/sub", "d/sub/", "d/sub/y.html", "",
        ".hidden", "h.", "e0/%C3%A9.txt", "a.html/", "a.html/x", "d//x.txt", "d/./x.txt", "d/../a.html", "A.HTML",
        "d/sub/../../a.html?q", "none/", "none/x", "d%2Fx.txt", "a.html%00", "link/x.txt", "filelink.txt", "broken",
        "linkdir", "locked", "d/x.txt%20", "fifo",
    )),
    "/alias/", "/alias/x.txt", "/alias/none", "/alias", "/alias/sub", "/alias/sub/y.html", "/alias2", "/alias2/x.txt",
    "/alias2x", "/alias2/", "/alias2/sub", "/exact", "/exact/", "/exact?x", "/rx/x.txt", "/rx/sub/y.html", "/rx/",
    "/rx/none",
    "/rx/sub", "/rxd/x.txt", "/rxd/sub", "/rxd/", "/var/v.txt?r=www", "/var/v.txt?r=none", "/var/v.txt",
    "/try", "/trydir", "/trydir/", "/try/none?y=2", "/try2/z", "/try2/none", "/try2/", "/try3/none?a=b", "/try4/x",
    "/try5/m", "/try5/n", "/try5/none", "/try6/x.txt", "/try6/sub", "/try6/none", "/try6/", "/try7/x", "/try8x?q=1",
    "/try9/",
    "/show", "/show?a", "/index1/", "/index1", "/index2/", "/index3/?i=x.txt", "/index3/?i=none", "/index3/",
    "/noindex/",
    "/noindex", "/types/a.html", "/types/c.TXT", "/types/big.txt", "/types2/a.html", "/types2/b", "/types3/a.html",
    "/charset/a.html",
    *(f"/sym{n}/{name}" for n in range(1, 6) for name in ("a.html", "link/x.txt", "filelink.txt", "broken", "link/",
    "link",
                                                           "linkdir/index.html", "none")),
    "/cache/a.html", "/cache/none", "/cache/d", "/cache/d/", "/noetag/a.html", "/internal/a.html", "/lim/a.html",
    *(f"/e{letter}/x" for letter in "123456789abcdefghijklmnopqrstuv"),
    "/e1/x?y=1", "/e9/x?y=1", "/ej/d/x", "/em/again", "/e7/a%20b", "/e1/",
]  # fmt: skip

METHODS = ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "FOO")


def make_site(root: Path) -> None:
    for name, content in FILES.items():
        path = root / "www" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1_600_000_000, 1_600_000_000))
    www = root / "www"
    (www / "empty").mkdir()
    (www / "link").symlink_to("d")
    (www / "linkdir").symlink_to(www / "d")
    (www / "filelink.txt").symlink_to("d/x.txt")
    (www / "broken").symlink_to("nowhere")
    os.mkfifo(www / "fifo")


def test_files(tmp_path: Path) -> None:
    make_site(tmp_path)
    requests = [get(target) for target in TARGETS]
    requests += [get(target, method="HEAD") for target in TARGETS]
    requests += [
        get(target, "Content-Length: 3", method=method) + b"abc"
        for method in METHODS
        for target in ("/a.html", "/d", "/d/", "/none", "/e1/x", "/el/a.html", "/e9/x", "/er/x", "/lim/a.html",
        "/noindex/", "/try/a")
    ]
    with pair(tmp_path, CONFIGURATION) as both:
        both.compare(requests)
