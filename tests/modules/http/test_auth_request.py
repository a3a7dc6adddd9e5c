"""auth_request: what each answer means, and what of it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.fakes import Peer, farm, silent
from tests.http_peers import Heard, Hearing, proxied, talking

ANSWERS = """
    location = /open { return 204; }
    location = /forbidden { return 403; }
    location = /unauthorized { return 401; }
    location = /redirect { return 302 /x; }
    location = /broken { return 500; }
"""


@pytest.mark.parametrize(
    ("answer", "status"),
    [("open", 200), ("forbidden", 403), ("unauthorized", 401), ("redirect", 500), ("broken", 500), ("missing", 500)],
)
async def test_answers(tmp_path: Path, answer: str, status: int) -> None:
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; {ANSWERS}
        location /page {{ auth_request /{answer}; alias {tmp_path}/page; }} }}"""
    (tmp_path / "page").write_text("page")
    async with serving(text) as engine:
        reply = await engine.get("/page")
        assert reply.status == status
        assert (reply.body == b"page") == (status == 200)
        told = [line for line in engine.log.lines if "auth request unexpected status: " in line]
        assert bool(told) == (status == 500)
        # the answer's body is read by nobody, the request's goes on
        assert (await engine.request("HEAD", "/page")).status == status


async def test_off_and_satisfy_any(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("page")
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; {ANSWERS} auth_request /forbidden;
        location = /page {{ auth_request off; }}
        location = /any {{ alias {tmp_path}/page; satisfy any; allow all; }}
        location = /any-unauthorized {{ alias {tmp_path}/page; satisfy any; deny all; auth_request /unauthorized; }}
        location = /all {{ alias {tmp_path}/page; allow all; }} }}"""
    async with serving(text) as engine:
        for target, status in (("/page", 200), ("/any", 200), ("/any-unauthorized", 401), ("/all", 403)):
            assert (await engine.get(target)).status == status


async def test_auth_request_set(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("page")
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; {ANSWERS}
        location = /page {{ auth_request /open; auth_request_set $who $uri; auth_request_set $limit_rate 1m;
            add_header X-Who $who; add_header X-Rate $limit_rate; }}
        location = /denied {{ auth_request /forbidden; auth_request_set $who "$uri?"; error_page 403 = @denied; }}
        location @denied {{ return 200 $who; }}
        location = /unset {{ add_header X-Who "[$who]"; return 204; }} }}"""
    async with serving(text) as engine:
        reply = await engine.get("/page")
        assert (reply.header("x-who"), reply.header("x-rate")) == (b"/open", b"1048576")
        assert (await engine.get("/denied")).body == b"/forbidden?"
        assert (await engine.get("/unset")).header("x-who") == b"[]"


def hasty(answer: bytes, connections: list[list[Heard]]) -> Peer:
    """Answers each head, and waits for no body."""

    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        here = [heard]
        connections.append(here)
        await stream.send_all(answer)
        while (more := await hearing.head()) is not None:
            here.append(more)
            await stream.send_all(answer)

    return talking(talk)


async def test_an_upstream_s_challenges(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 401 No\r\nWWW-Authenticate: a\r\nContent-Length: 0\r\nWWW-Authenticate: b\r\n\r\n"
    connections: list[list[Heard]] = []
    outside = """location = /page { auth_request /up; } location = /intercepted { auth_request /up/intercept; }
        location /up/intercept { proxy_intercept_errors on; error_page 401 /x401; proxy_pass http://back; }
        location = /x401 { return 401; }"""
    async with proxied(hasty(answer, connections), tmp_path, outside=outside, kept=True) as engine:
        for target in ("/page", "/intercepted"):
            reply = await engine.request("POST", target, body=b"12345")
            assert reply.status == 401
            assert [value for name, value in reply.headers if name == b"www-authenticate"] == [b"a", b"b"]


async def test_a_body_that_is_announced_and_not_sent(tmp_path: Path) -> None:
    """As nginx: the Content-Length goes on. What came next on such a connection would be taken for the body."""
    connections: list[list[Heard]] = []
    answer = b"HTTP/1.1 204 Yes\r\n\r\n"
    outside = """location /page/ { auth_request /up; try_files /no =418; }
        location /told/ { auth_request /none; try_files /no =418; }
        location = /none { proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://back; }
        location /off/ { proxy_pass_request_body off; proxy_pass http://back; }"""
    async with proxied(hasty(answer, connections), tmp_path, outside=outside, kept=True) as engine:
        for target in ("/told/1", "/told/2", "/page/1", "/page/2", "/off/1", "/told/3"):
            reply = await engine.request("POST", target, body=b"12345")
            assert reply.status == (204 if target == "/off/1" else 418)
        client = b"POST /page/3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert (await engine.raw(client + b"2\r\nab\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 418")
        assert (await engine.get("/page/4")).status == 418
    found = [[(each.line, each.fields.get(b"content-length")) for each in heard] for heard in connections]
    assert found == [
        [(b"GET /none HTTP/1.1", None)] * 3,  # a location has connections of its own
        [(b"GET /up HTTP/1.1", b"5")],
        [(b"GET /up HTTP/1.1", b"5")],
        [(b"POST /off/1 HTTP/1.1", b"5")],
        [(b"GET /up HTTP/1.1", None)] * 2,
    ]


async def test_a_client_that_goes_away(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(silent())
        text = f"""server {{ listen 127.0.0.1:80; location = /page {{ auth_request /up; return 200 x; }}
            location / {{ auth_request /up; }} location = /up {{ proxy_pass http://{address}; }} }}"""
        async with serving(text) as engine:
            client = engine.connect()
            await client.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while not peers.hits[address]:
                await trio.sleep(0.01)
            await client.aclose()
            while engine.worker.connections:
                await trio.sleep(0.01)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("auth_request /a; auth_request off;", '"auth_request" directive is duplicate'),
        ("auth_request_set a b;", 'invalid variable name "a"'),
        ("auth_request_set $uri b;", 'the duplicate "uri" variable'),
    ],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_http(f"server {{ {line} }}")
