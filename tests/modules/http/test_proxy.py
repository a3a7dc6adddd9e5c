from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.engine import serving
from tests.fakes import Peer, answer, farm

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


def http_peer(asked: list[bytes], answer: bytes = OK, size: int = 0) -> Peer:
    """Answers each head (and `size` bytes behind it) that comes on a connection."""

    async def peer(stream: trio.SocketStream) -> None:
        buffer = b""
        while True:
            _, end, rest = buffer.partition(b"\r\n\r\n")
            if end and len(rest) >= size:
                asked.append(buffer)
                buffer = b""
                await stream.send_all(answer)
                continue
            data = await stream.receive_some()
            if not data:
                return
            buffer += data

    return peer


async def test_the_request_is_made_anew(tmp_path: Path) -> None:
    asked: list[bytes] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(http_peer(asked))
        text = f"""
        server {{ listen 127.0.0.1:8080;
            location / {{ proxy_pass http://{address}; proxy_set_header X-Host $proxy_host; }} }}
        """
        async with serving(text) as engine:
            reply = await engine.get("/a%20b?c=d", {"X-Tag": "one", "TE": "trailers"}, host="example.org")
            assert (reply.status, reply.body) == (200, b"ok\n")
    lines = asked[0].split(b"\r\n")
    assert lines[0] == b"GET /a%20b?c=d HTTP/1.1"
    assert b"Host: " + address.encode() in lines
    assert b"X-Host: " + address.encode() in lines
    assert b"X-Tag: one" in lines
    assert not [line for line in lines if line.lower().startswith((b"connection", b"te:"))]


@pytest.mark.parametrize(
    ("location", "uri", "asks", "expected"),
    [
        ("/a/", "/b/", "/a/c%20d?x", b"/b/c%20d?x"),
        ("/a/", "/", "/a/c", b"/c"),
        ("/a/", "", "/a/./c", b"/a/./c"),
        ("/a/", "/$arg_u", "/a/c?u=v", b"/v"),
        ("~ ^/a", "", "/a/c", b"/a/c"),
    ],
)
async def test_uri(tmp_path: Path, location: str, uri: str, asks: str, expected: bytes) -> None:
    asked: list[bytes] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(http_peer(asked))
        text = f"server {{ listen 127.0.0.1:8080; location {location} {{ proxy_pass http://{address}{uri}; }} }}"
        async with serving(text) as engine:
            assert (await engine.get(asks)).status == 200
    assert asked[0].split(b" ")[1] == expected


@pytest.mark.parametrize("script", ["rewrite ^/a(.*) /c$1; break;", "rewrite ^/a(.*) /c$1 break;"])
async def test_a_rewritten_uri_goes_out_as_it_is(tmp_path: Path, script: str) -> None:
    asked: list[bytes] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(http_peer(asked))
        text = f"server {{ listen 127.0.0.1:8080; location /a/ {{ {script} proxy_pass http://{address}/b/; }} }}"
        async with serving(text) as engine:
            assert (await engine.get("/a/x%20y?z")).status == 200
    assert asked[0].split(b" ")[1] == b"/c/x%20y?z"


async def test_body_and_chunked_answer(tmp_path: Path) -> None:
    asked: list[bytes] = []
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    async with farm(tmp_path) as peers:
        address = await peers.tcp(http_peer(asked, answer, size=4))
        text = f"server {{ listen 127.0.0.1:8080; location / {{ proxy_pass http://{address}; proxy_set_body body; }} }}"
        async with serving(text) as engine:
            reply = await engine.get("/")
            assert (reply.status, reply.body) == (200, b"abc")
    assert asked[0].endswith(b"\r\n\r\nbody")
    assert b"\r\nContent-Length: 4\r\n" in asked[0]


async def test_redirects_and_cookies_are_rewritten(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        answer = (
            b"HTTP/1.1 302 Found\r\nLocation: http://back/x/y\r\nSet-Cookie: a=b; Path=/x/; Domain=back\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        address = await peers.tcp(http_peer([], answer))
        text = f"""
        server {{ listen 127.0.0.1:8080;
            location / {{ proxy_pass http://{address};
                proxy_redirect http://back/x/ /front/;
                proxy_cookie_path /x/ /front/; proxy_cookie_domain back front; proxy_cookie_flags a secure; }} }}
        """
        async with serving(text) as engine:
            reply = await engine.get("/")
            location = reply.header("location")
            assert location is not None
            assert location.endswith(b"/front/y")
            assert reply.header("set-cookie") == b"a=b; Path=/front/; Domain=front; Secure"


async def test_the_handler_that_an_if_leaves(tmp_path: Path) -> None:
    """As nginx, which keeps one handler: the last `if` with a *_pass decides which, and the last `if` the settings."""
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"
    two = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo"
    async with farm(tmp_path) as peers:
        first, second, app = [await peers.tcp(peer) for peer in (http_peer([], one), http_peer([], two), answer())]
        text = f"""
            server {{ listen 127.0.0.1:8080; root {tmp_path};
                location /c {{
                    if ($arg_a) {{ proxy_pass http://{first}; }} if ($arg_b) {{ set $x 1; }}
                    if ($arg_c) {{ proxy_pass http://{second}; }} if ($arg_d) {{ add_header X-D d always; }} }}
                location /p {{ proxy_pass http://{second};
                    if ($arg_a) {{ proxy_pass http://{first}; }} if ($arg_b) {{ set $x 1; }} }}
                location /u {{ uwsgi_pass {app};
                    if ($arg_a) {{ proxy_pass http://{first}; }}
                    if ($arg_b) {{ set $x 1; }} if ($arg_c) {{ set $x 1; }} }}
                location /l {{ stub_status; limit_except POST {{ allow all; }} }} }}"""
        async with serving(text) as engine:
            found = {}
            for target in (
                "/c", "/c?a=1", "/c?b=1", "/c?a=1&b=1", "/c?a=1&b=1&c=1", "/c?c=1&d=1", "/p?a=1", "/p?a=1&b=1",
                "/u", "/u?a=1", "/u?b=1", "/u?a=1&b=1", "/u?a=1&b=1&c=1", "/l",
            ):  # fmt: skip
                reply = await engine.get(target)
                found[target] = reply.body if reply.status == 200 else reply.status
            assert found == {
                "/c": 404, "/c?a=1": b"one", "/c?b=1": 404, "/c?a=1&b=1": 500, "/c?a=1&b=1&c=1": b"two",
                "/c?c=1&d=1": 500, "/p?a=1": b"one", "/p?a=1&b=1": b"two",
                "/u": b"ok\n", "/u?a=1": b"one", "/u?b=1": b"ok\n", "/u?a=1&b=1": 500, "/u?a=1&b=1&c=1": 500, "/l": 404,
            }  # fmt: skip
            alerts = [line for line in engine.log.lines if "[alert]" in line and "no upstream configuration" in line]
            assert len(alerts) == 4
            engine.log.lines[:] = [line for line in engine.log.lines if line not in alerts]
