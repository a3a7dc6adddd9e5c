"""Which of a location's directives makes its content: as in nginx, the one that stands last."""

from __future__ import annotations

import pytest

from gateway.modules.http import HTTP_MODULES
from tests.engine import serving

PROXY = "proxy_pass http://127.0.0.1:1;"
UWSGI = "uwsgi_pass 127.0.0.1:1;"
FASTCGI = "fastcgi_pass 127.0.0.1:1;"
SCGI = "scgi_pass 127.0.0.1:1;"
MEMCACHED = "memcached_pass 127.0.0.1:1;"
ALL = "limit_except GET { allow all; }"


@pytest.mark.parametrize(
    ("inside", "request_line", "answer"),
    [
        (PROXY + "stub_status;", "GET /", 200),
        ("stub_status;" + PROXY, "GET /", "http"),
        (PROXY + "empty_gif;", "GET /", 200),
        (PROXY + "api;", "GET /", 200),
        ("api;" + PROXY, "GET /", "http"),
        (UWSGI + PROXY, "GET /", "http"),
        (PROXY + UWSGI, "GET /", "uwsgi"),
        (SCGI + MEMCACHED + FASTCGI, "GET /", "fastcgi"),
        # a limit_except has nginx's handler: the first of the *_pass, whichever stood last; and of nothing else
        (PROXY + UWSGI + ALL, "GET /", "uwsgi"),
        (PROXY + UWSGI + ALL, "POST /", "http"),
        (UWSGI + PROXY + ALL, "POST /", "http"),
        (SCGI + UWSGI + FASTCGI + ALL, "POST /", "fastcgi"),
        (SCGI + UWSGI + ALL, "POST /", "uwsgi"),
        (PROXY + "stub_status;" + ALL, "GET /", 200),
        (PROXY + "stub_status;" + ALL, "POST /", "http"),
        ("stub_status;" + ALL, "POST /", 404),
        ("empty_gif; limit_except GET { " + PROXY + " }", "POST /", "http"),
        ("empty_gif; limit_except GET { " + PROXY + " }", "GET /", 200),
        # an `if` keeps what its location has, and what an `if` before it has set
        (PROXY + "stub_status; if ($arg_a) { set $x 1; }", "GET /?a=1", 200),
        ("stub_status; if ($arg_a) { " + PROXY + " }", "GET /?a=1", "http"),
        ("stub_status; if ($arg_a) { " + PROXY + " }", "GET /", 200),
        ("stub_status; if ($arg_a) { " + UWSGI + " } if ($arg_b) { set $x 1; }", "GET /?b=1", 200),
        # a location inside has none of it
        ("stub_status; location /in { }", "GET /in/", 404),
        (PROXY + "location /in { }", "GET /in/", 404),
    ],
)
async def test_the_last_one_answers(inside: str, request_line: str, answer: str | int) -> None:
    method, target = request_line.split()
    outside = "listen 127.0.0.1:80; root /nonexistent; set $x 0; set $memcached_key a;"
    text = f"server {{ {outside} location / {{ {inside} }} }}"
    async with serving(text) as engine:
        reply = await engine.request(method, target)
        tried = [line.split('upstream: "')[1].split("://")[0] for line in engine.log.lines if "upstream: " in line]
        assert tried[:1] == ([answer] if isinstance(answer, str) else [])
        assert reply.status == (502 if isinstance(answer, str) else answer)


async def test_the_server_blocks_own_is_not_inherited() -> None:
    text = "server { listen 127.0.0.1:80; root /nonexistent; stub_status; location /in { } }"
    async with serving(text) as engine:
        assert (await engine.get("/")).status == 200
        assert (await engine.get("/in/")).status == 404


def test_those_that_pass_on_are_in_nginxs_order() -> None:
    names = [module.name for module in HTTP_MODULES if module.passes]
    assert names == ["proxy", "fastcgi", "uwsgi", "scgi", "grpc", "tunnel", "memcached"]


@pytest.mark.parametrize("inside", ["deny all;", "deny all; auth_basic off;"])
async def test_satisfy_any_says_what_a_rule_forbids(inside: str) -> None:
    async with serving(f"server {{ listen 127.0.0.1:80; satisfy any; {inside} }}") as engine:
        assert (await engine.get("/")).status == 403
        assert [line for line in engine.log.lines if "access forbidden by rule" in line]
