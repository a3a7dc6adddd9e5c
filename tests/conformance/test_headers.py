"""add_header, expires and the rules of access, as nginx has them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.conformance.pair import get, pair
from tests.conformance.reference import NGINX

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

CONFIGURATION = r"""
map $arg_s $status_text { default x; 1 one; }
map $sent_http_content_type $by_type { default off; text/html 1h; text/plain max; }
server {
    listen 127.0.0.1:@PORT@; server_name localhost; root @SITE@/www;
    add_header X-Server server;
    location / { }
    location /own/ { add_header X-Own own; alias @SITE@/www/; }
    location /own/deep/ { alias @SITE@/www/; }
    location /many/ { add_header A 1; add_header B 2 always; add_header A 3; add_header C ""; add_header D $arg_d;
        alias @SITE@/www/; }
    location /always/ { add_header X always always; alias @SITE@/www/; }
    location /c200 { add_header X x; add_header Y y always; return 200 ok; }
    location /c201 { add_header X x; add_header Y y always; return 201; }
    location /c204 { add_header X x; add_header Y y always; expires 1h; return 204; }
    location /c206 { add_header X x; add_header Y y always; return 206 ok; }
    location /c301 { add_header X x; add_header Y y always; expires 1h; return 301 /x; }
    location /c302 { add_header X x; add_header Y y always; return 302 /x; }
    location /c303 { add_header X x; add_header Y y always; return 303 /x; }
    location /c307 { add_header X x; add_header Y y always; return 307 /x; }
    location /c308 { add_header X x; add_header Y y always; return 308 /x; }
    location /c400 { add_header X x; add_header Y y always; expires 1h; return 400; }
    location /c403 { add_header X x; add_header Y y always; expires 1h; return 403; }
    location /c405 { add_header X x; add_header Y y always; return 405; }
    location /c444 { add_header X x; add_header Y y always; return 444; }
    location /c500 { add_header X x; add_header Y y always; expires max; return 500; }
    location /c503 { add_header X x; add_header Y y always; return 503 text; }
    location /c599 { add_header X x; add_header Y y always; return 599 text; }
    location /page/ { add_header X x; error_page 404 /own/a.html; alias @SITE@/www/; }
    location /pagea/ { add_header X x always; error_page 404 @n; alias @SITE@/www/; }
    location @n { add_header Y y always; return 404 named; }
    location /special/ {
        add_header Last-Modified $arg_lm; add_header ETag $arg_et; add_header Cache-Control $arg_cc;
        add_header Content-Type $arg_ct;
        add_header Server $arg_sv; add_header Location $arg_lo; add_header Date $arg_da;
        add_header Connection $arg_co; alias @SITE@/www/;
    }
    location /if/ { if ($arg_a) { add_header X a; } if ($arg_b) { add_header Y b; } alias @SITE@/www/; }

    location /x1/ { expires 1h; alias @SITE@/www/; }
    location /x2/ { expires -1; alias @SITE@/www/; }
    location /x3/ { expires epoch; alias @SITE@/www/; }
    location /x4/ { expires max; alias @SITE@/www/; }
    location /x5/ { expires off; alias @SITE@/www/; }
    location /x6/ { expires 0; alias @SITE@/www/; }
    location /x7/ { expires modified 1d; alias @SITE@/www/; }
    location /x8/ { expires modified -1d; alias @SITE@/www/; }
    location /x9/ { expires modified +100000d; alias @SITE@/www/; }
    location /xa/ { expires +1w2d; alias @SITE@/www/; }
    location /xb/ { expires $arg_e; alias @SITE@/www/; }
    location /xc/ { expires modified $arg_e; alias @SITE@/www/; }
    location /xd/ { expires $by_type; types { text/html html; text/plain txt; } alias @SITE@/www/; }
    location /xe/ { expires 1h; add_header Cache-Control public; add_header Expires never; alias @SITE@/www/; }
    location /xf/ { expires modified 1d; return 200 x; }

    location /a1/ { allow 127.0.0.1; deny all; alias @SITE@/www/; }
    location /a2/ { deny 127.0.0.1; allow all; alias @SITE@/www/; }
    location /a3/ { allow 10.0.0.0/8; deny all; alias @SITE@/www/; }
    location /a4/ { deny 10.0.0.0/8; alias @SITE@/www/; }
    location /a5/ { allow 127.0.0.0/8; deny all; alias @SITE@/www/; }
    location /a6/ { deny 127.0.0.1/32; allow 127.0.0.1; alias @SITE@/www/; }
    location /a7/ { deny all; satisfy any; alias @SITE@/www/; }
    location /a8/ { deny unix:; allow 2001:db8::/32; deny 0.0.0.0/0; alias @SITE@/www/; }
    location /a9/ { deny all; error_page 403 /own/a.html; alias @SITE@/www/; }
    location /aa/ { deny all; location /aa/in/ { allow all; alias @SITE@/www/; } }
    location /ab/ { deny all; location /ab/in/ { alias @SITE@/www/; } }
    location /ac/ { deny all; return 200 before; }
    location /ad/ { deny all; rewrite ^ /own/a.html last; }
    location /ae/ { limit_except GET { deny all; } alias @SITE@/www/; }
    location /af/ { limit_except POST { deny 127.0.0.1; } return 200; }
}
"""

AGE = re.compile(rb"max-age=(\d{1,5})\b")
CODES = ("200", "201", "204", "206", "301", "302", "303", "307", "308", "400", "403", "405", "444", "500", "503", "599")
EXPIRES = ("1h", "-1", "epoch", "max", "off", "0", "1", "", "x", "1x", "-", "+", "1h30m", "modified", "-1h",
"10000000000")


def make_site(root: Path) -> None:
    www = root / "www"
    www.mkdir()
    for name, content in {"a.html": b"<p>a</p>", "b.txt": b"text", "zero": b""}.items():
        (www / name).write_bytes(content)
        os.utime(www / name, (1_600_000_000, 1_600_000_000))


def test_fields(tmp_path: Path) -> None:
    make_site(tmp_path)
    targets = [f"/c{code}" for code in CODES]
    targets += [
        f"/{folder}/{name}"
        for folder in (
            "own", "own/deep", "many", "always", "page", "pagea", "special", "if", "trail", "trail4", "trailcode",
            "trailret", "trail10",
            *(f"x{c}" for c in "123456789abcdef"), *(f"a{c}" for c in "123456789abcdef"), "aa/in", "ab/in",
        )
        for name in ("a.html", "b.txt", "none", "")
    ]  # fmt: skip
    targets += [f"/{folder}/a.html?e={value}" for folder in ("xb", "xc") for value in EXPIRES]
    targets += ["/a.html", "/none", "/many/a.html?d=4", "/trail/a.html?s=1", "/if/a.html?a=1", "/if/a.html?b=1",
    "/if/a.html?a=1&b=1"]
    targets += [
        f"/special/a.html?{name}={value}"
        for name in ("lm", "et", "cc", "ct", "sv", "lo", "da", "co")
        for value in ("x", "text/x", "/path", '"tag"')
    ]
    requests = [get(target, method=method) for target in targets for method in ("GET", "HEAD", "POST")]
    requests += [get(target, version="1.0") for target in targets]
    requests += [get(target, "Range: bytes=0-2") for target in targets]
    until = [get(f"/xb/a.html?e=@{hour}h") for hour in (1, 9, 17)]
    with pair(tmp_path, CONFIGURATION) as both:
        both.compare(requests)
        both.compare(until, clean=lambda answer: AGE.sub(b"max-age=<until>", answer))
        for request in until:  # a second may pass between the two
            answers = [side.fetch(request, half_close=False) for side in (both.theirs, both.ours)]
            theirs, ours = (int(AGE.findall(answer)[0]) for answer in answers)
            assert 0 <= theirs - ours <= 5, (request, theirs, ours)
