"""Responses made of several: ssi with random documents, addition, sub_filter, auth_request, as nginx answers them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.conformance.pair import get, pair
from tests.conformance.reference import NGINX

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed to compare with")

CONFIGURATION = r"""
charset_map koi8-r utf-8 { C0 D18E; C1 D0B0; C2 D0B1; }
types { text/html html; text/plain txt; } default_type text/html;
server {
    listen 127.0.0.1:@PORT@; server_name localhost; root @SITE@/www;
    location / { ssi on; }
    location /kept/ { ssi on; ssi_last_modified on; ssi_silent_errors on; ssi_value_length 6; alias @SITE@/www/; }
    location /gz/ { ssi on; gzip on; gzip_min_length 0; alias @SITE@/www/; }
    location /args { return 200 "[$args]"; }
    location /deny/ { deny all; alias @SITE@/www/; }
    location /add/ { add_before_body /args?b; add_after_body /missing; alias @SITE@/www/; }
    location /add-ssi/ { ssi on; sub_filter "[" "<!--#echo var='uri' --> ["; add_after_body /args; alias @SITE@/www/; }
    location /utf/ { charset utf-8; source_charset utf-8; add_after_body /koi; alias @SITE@/www/; }
    location = /koi { source_charset koi8-r; alias @SITE@/www/koi.html; }
    location /sub/ { sub_filter aab X; sub_filter AB "$uri"; sub_filter abcab Z; sub_filter_once off; alias @SITE@/www/; }
    location /once/ { sub_filter abcab Z; sub_filter aab ""; sub_filter ab Y; sub_filter_last_modified on;
        alias @SITE@/www/; }
    location /types/ { sub_filter_types text/plain; sub_filter b B; alias @SITE@/www/; }
    location /auth/ { auth_request /said/; auth_request_set $said "$uri"; add_header X-Said $said always;
        location /auth/ok { auth_request /said/ok; alias @SITE@/www/one.html; }
        location /auth/401 { auth_request /said/401; }
        location /auth/403 { auth_request /said/403; }
        location /auth/302 { auth_request /said/302; } }
    location /said/ok { return 204; }
    location /said/401 { add_header WWW-Authenticate x always; return 401; }
    location /said/403 { return 403; }
    location /said/302 { return 302 /; }
    location /mirror { mirror /args; mirror /missing; return 200 "mirrored"; }
}
"""  # noqa: E501

TOKENS = (
    "<!--#", "-->", " -->", "echo", "include", "set", "if", "else", "endif", "elif", "block", "endblock", "config",
    ' var="a"', ' var="uri"', ' value="x$a"', ' virtual="/args?q"', ' virtual="/one.html"', ' virtual="/missing"',
    ' expr="$a"', ' expr="$a = x"', ' expr="$uri = /d(.)/"', ' name="b"', ' stub="b"', ' set="a"', ' wait="yes"',
    ' encoding="none"', ' default="D"', ' file="one.html"', ' errmsg="E"', "-", "--", "<", ">", '"', "'", " ", "text",
    "<!-- c -->", '<!--#echo var="1" -->', '<!--#set var="a" value="v" -->', '<!--#if expr="$a" -->', "<!--#else -->",
    '<!--#if expr="$a != /V/" -->', "<!--#endif -->", '<!--#include virtual="/args?w" -->', "\\", "$a", "${a}",
    '<!--#include virtual="/missing" stub="b" -->', '<!--#block name="b" -->', "<!--#endblock -->",
    '<!--#echo var="a" -->', '<!--#include virtual="/deny/one.html" wait="yes" -->',
)  # fmt: skip


def documents(seed: int, count: int) -> dict[str, str]:
    """Documents at random; a full stop ends each, as what may begin a command at the very end is lost in nginx."""
    chance = random.Random(seed)
    return {
        f"d{number}.html": "".join(chance.choices(TOKENS, k=chance.randint(1, 25))) + "." for number in range(count)
    }


def test_documents(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    pages = {**documents(7, 300), "one.html": 'one <!--#echo var="a" --> <!--#echo var="uri" -->'}
    for name, page in pages.items():
        (tmp_path / "www" / name).write_text(page)
    requests = [get(f"/{folder}{name}") for name in pages for folder in ("", "kept/")]
    requests += [get(f"/gz/{name}") for name in list(pages)[:50]]
    # Where a document waits, nginx puts what comes behind the body into its middle, or hangs.
    waiting = ('wait="yes"', "file=")
    prompt = [name for name, page in pages.items() if not any(word in page for word in waiting)]
    requests += [get(f"/add-ssi/{name}") for name in prompt[:50]]
    with pair(tmp_path, CONFIGURATION) as both:
        both.compare(requests, known="ssi")


def test_others(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    chance = random.Random(3)
    pages: dict[str, bytes] = {
        f"s{number}.html": "".join(chance.choices("aabbcABC<[", k=chance.choice((0, 3, 40, 70_000)))).encode()
        for number in range(40)
    }
    pages |= {"one.html": b"<p>one</p>", "one.txt": b"abab", "koi.html": b"\xc1\xc0\xc2 a"}
    for name, page in pages.items():
        (tmp_path / "www" / name).write_bytes(page)
    requests = [
        get(f"/{folder}/{name}", method=method)
        for folder in ("sub", "once", "types", "add", "utf")
        for name in pages
        for method in ("GET", "HEAD")
    ]
    requests += [get(f"/{folder}/one.html", "Range: bytes=1-2") for folder in ("sub", "add", "utf")]
    requests += [get(f"/{path}") for path in ("auth/ok", "auth/401", "auth/403", "auth/302", "auth/x", "mirror?x")]
    with pair(tmp_path, CONFIGURATION) as both:
        both.compare(requests, known="ssi")
