"""The engine's life of a request, without modules that serve anything."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from gateway.http.request import Request
from tests.engine import serving

PLAIN = "server { listen 127.0.0.1:8080; root /usr; location / { index no-such-file; } location /in { internal; } }"


async def test_nothing_to_serve_is_404_and_directories_403() -> None:
    async with serving(PLAIN) as engine:
        reply = await engine.get("/x")
        assert reply.status == 404
        assert b"<center><h1>404 Not Found</h1></center>" in reply.body
        assert (await engine.get("/")).status == 403
        assert (await engine.get("/in")).status == 404


async def test_requests_follow_one_another_on_a_connection() -> None:
    async with serving(PLAIN) as engine:
        data = await engine.raw(
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
        assert data.count(b"HTTP/1.1 404 Not Found\r\n") == 2
        assert b"Connection: keep-alive" in data and b"Connection: close" in data


async def test_a_request_that_is_none_is_400() -> None:
    async with serving(PLAIN) as engine:
        data = await engine.raw(b"GET / HTTP/1.1\r\n\r\n")
        assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_a_request_leaves_nothing_to_the_garbage_collector() -> None:
    # A collection for every few requests costs a fifth of a small one.
    async with serving(PLAIN) as engine:
        await engine.get("/x")
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                await engine.get("/x")
            assert [each for each in gc.get_objects() if isinstance(each, Request)] == []
        finally:
            gc.enable()


async def test_a_subrequest_looks_at_the_length_too(tmp_path: Path) -> None:
    text = f"""server {{ listen 127.0.0.1:8080; client_body_temp_path {tmp_path};
        location / {{ mirror /m; return 200 x; }} location /auth {{ auth_request /m; root /usr; }}
        location = /m {{ client_max_body_size 5; return 204; }} }}"""
    async with serving(text) as engine:
        assert (await engine.request("POST", "/auth", body=b"x" * 50)).status == 500
        assert [line for line in engine.log.lines if "too large body: 50 bytes" in line and 'subrequest: "/m"' in line]
        assert (await engine.request("POST", "/auth", body=b"x" * 5)).status == 404


async def test_internal_comes_before_the_redirect_to_the_slash() -> None:
    text = """server { listen 127.0.0.1:8080;
        location /a/ { internal; proxy_pass http://127.0.0.1:1; } location /b/ { proxy_pass http://127.0.0.1:1; }
        location /c/ { uwsgi_pass $arg_u; } location /d/ { client_max_body_size 1; proxy_pass http://127.0.0.1:1; } }"""
    async with serving(text) as engine:
        assert (await engine.get("/a")).status == 404
        reply = await engine.get("/b?x=1")
        assert (reply.status, reply.header("location")) == (301, b"http://localhost/b/?x=1")
        assert (await engine.request("POST", "/d", body=b"xx")).status == 413


BAD = [
    b"GET\r\n\r\n",
    b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /../ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
]


@pytest.mark.parametrize("request_", BAD)
async def test_the_error_page_of_a_request_that_does_not_parse(request_: bytes) -> None:
    text = """server { listen 127.0.0.1:8080; error_page 400 /bad;
        location = /bad { return 200 "BAD $status $uri"; } }"""
    async with serving(text) as engine:
        data = await engine.raw(request_)
        assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n") and data.endswith(b"BAD 400 /bad")
    named = "server { listen 127.0.0.1:8080; error_page 400 @bad; location @bad { return 200 BAD; } }"
    async with serving(named) as engine:  # it has no URI to go there with
        data = await engine.raw(request_)
        assert data.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
        assert any('empty URI in redirect to named location "@bad"' in line for line in engine.log.lines)


async def test_a_status_that_nginx_has_no_words_for_stands_alone() -> None:
    text = """server { listen 127.0.0.1:8080; large_client_header_buffers 4 1k; root /nowhere;
        error_page 494 404 =431 /big; location /big { return 200 big; } }"""
    async with serving(text) as engine:
        for field in (b"", b"X: " + b"x" * 3000 + b"\r\n"):
            data = await engine.raw(b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + field + b"\r\n")
            assert data.startswith(b"HTTP/1.1 431 \r\n") and data.endswith(b"\r\n\r\nbig")


async def test_http_09_with_another_method_gets_a_page_without_a_head() -> None:
    async with serving("server { listen 127.0.0.1:8080; }") as engine:
        data = await engine.raw(b"POST /x\r\n")
        assert data.startswith(b"<html>") and b"400 Bad Request" in data


@pytest.mark.parametrize("field", ['If-Match: "x"', "If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT"])
async def test_a_condition_that_a_server_s_own_return_does_not_meet(field: str) -> None:
    name, _, value = field.partition(": ")
    async with serving('server { listen 127.0.0.1:8080; return 200 "x"; }') as engine:
        assert (await engine.get("/", {name: value})).status == 412
        assert (await engine.get("/")).body == b"x"
        assert not any("Traceback" in line for line in engine.log.lines)
