"""auth_request: what each answer means, and what of it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.fakes import farm, silent
from tests.http_peers import Heard, answering, proxied

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


async def test_an_upstream_s_challenges(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 401 No\r\nWWW-Authenticate: a\r\nContent-Length: 0\r\nWWW-Authenticate: b\r\n\r\n"
    heard: list[Heard] = []
    outside = """location = /page { auth_request /up; } location = /intercepted { auth_request /up/intercept; }
        location /up/intercept { proxy_intercept_errors on; error_page 401 /x401; proxy_pass http://back; }
        location = /x401 { return 401; }"""
    async with proxied(answering(answer, heard), tmp_path, outside=outside, kept=True) as engine:
        for target in ("/page", "/intercepted"):
            reply = await engine.request("POST", target, body=b"12345")
            assert reply.status == 401
            assert [value for name, value in reply.headers if name == b"www-authenticate"] == [b"a", b"b"]
    # asked without the body, and without a length that would make the upstream wait for it
    assert [(request.line, request.fields[b"content-length"]) for request in heard] == [
        (b"GET /up HTTP/1.1", b"0"),
        (b"GET /up/intercept HTTP/1.1", b"0"),
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
