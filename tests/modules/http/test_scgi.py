from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import serving
from tests.fakes import Asked, answer, farm
from tests.speeches import SCGI


async def test_a_request_goes_to_the_application(tmp_path: Path) -> None:
    asked: list[Asked] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(SCGI.ok, asked=asked, speech=SCGI))
        text = f"""server {{ listen 127.0.0.1:8080; location / {{
            scgi_pass {address}; scgi_param SCGI 1; scgi_param REQUEST_URI $request_uri; }} }}"""
        async with serving(text) as engine:
            reply = await engine.get("/x?a=1", {"X-Tag": "one"}, host="example.org")
            assert (reply.status, reply.body) == (200, b"ok\n")
            assert reply.header("status") is None
    (request,) = asked
    assert request.pairs == [
        (b"CONTENT_LENGTH", b"0"),
        (b"SCGI", b"1"),
        (b"REQUEST_URI", b"/x?a=1"),
        (b"HTTP_HOST", b"example.org"),
        (b"HTTP_CONNECTION", b"close"),
        (b"HTTP_X_TAG", b"one"),
    ]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("buffering", ["on", "off"])
async def test_the_length_comes_first(tmp_path: Path, chunked: bool, buffering: str) -> None:
    asked: list[Asked] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(SCGI.ok, asked=asked, speech=SCGI))
        text = f"""server {{ listen 127.0.0.1:8080; location / {{
            scgi_pass {address}; scgi_request_buffering {buffering}; }} }}"""
        async with serving(text) as engine:
            head = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
            if chunked:
                request = head + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
            else:
                request = head + b"Content-Length: 4\r\n\r\nbody"
            assert (await engine.raw(request)).endswith(b"ok\n")
    assert asked[0].pairs[0] == (b"CONTENT_LENGTH", b"4") and asked[0].body == b"body"


async def test_a_body_that_is_not_passed(tmp_path: Path) -> None:
    asked: list[Asked] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(SCGI.answer(b"Location: /there\r\n", b""), asked=asked, speech=SCGI))
        text = f"""server {{ listen 127.0.0.1:8080; location / {{
            scgi_pass {address}; scgi_pass_request_body off; scgi_pass_request_headers off;
            scgi_param A ""; scgi_param B "" if_not_empty; scgi_param HTTP_HOST ""; }} }}"""
        async with serving(text) as engine:
            assert (await engine.get("/")).status == 200
    assert asked[0].pairs == [(b"CONTENT_LENGTH", b"0"), (b"A", b"")]


async def test_a_body_that_was_read_away_has_no_length(tmp_path: Path) -> None:
    asked: list[Asked] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(SCGI.ok, asked=asked, speech=SCGI))
        text = f"""server {{ listen 127.0.0.1:8080; default_type text/html;
            location / {{ add_after_body /up; return 200 page; }}
            location /up {{ scgi_pass {address}; }} }}"""
        async with serving(text) as engine:
            assert (await engine.request("POST", "/", body=b"12345")).body == b"pageok\n"
    assert asked[0].pairs[0] == (b"CONTENT_LENGTH", b"0")
