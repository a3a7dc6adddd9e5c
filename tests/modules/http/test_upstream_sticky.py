from __future__ import annotations

from hashlib import md5
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.fakes import answer, close_at_once, farm

LEARN = "sticky learn create=$a lookup=$b"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sticky what ever", 'unknown parameter "what"'),
        ('sticky cookie ""', '"sticky" directive empty cookie name'),
        ("sticky cookie s what", 'unknown parameter "what"'),
        ("sticky cookie s domain=", '"sticky" directive no value for "domain"'),
        ("sticky cookie s path=", '"sticky" directive no value for "path"'),
        ("sticky cookie s path=/ path=/", '"sticky" directive parameter "path" is duplicate'),
        ("sticky cookie s secure secure", '"sticky" directive parameter "secure" is duplicate'),
        ("sticky cookie s expires=x", '"sticky" directive invalid "expires" parameter value'),
        ("sticky cookie s samesite=x", '"sticky" directive invalid "samesite" parameter value'),
        ("sticky route a", 'invalid variable name "a"'),
        ("sticky route $a; sticky route $a", '"sticky" directive is duplicate'),
        (LEARN, '"sticky" directive "zone" parameter is not specified'),
        ("sticky learn create=$a zone=z:1m", '"sticky" directive "lookup" parameter is not specified'),
        ("sticky learn lookup=$a zone=z:1m", '"sticky" directive "create" parameter is not specified'),
        ("sticky learn lookup=a", '"sticky" directive missing variable in the "lookup" parameter'),
        (f"{LEARN} zone=z", '"sticky" directive zone size is not specified'),
        (f"{LEARN} zone=:1m", '"sticky" directive zone name is not specified'),
        (f"{LEARN} zone=z:x", '"sticky" directive invalid zone size'),
        (f"{LEARN} zone=z:4k", '"sticky" directive zone is too small'),
        (f"{LEARN} zone=z:1m zone=z:1m", '"sticky" directive duplicate zone'),
        (f"{LEARN} zone=z:1m timeout=0", '"sticky" directive invalid timeout'),
        (f"{LEARN} zone=z:1m timeout=1 timeout=1", '"sticky" directive duplicate timeout'),
        (f"{LEARN} what", 'unknown parameter "what"'),
    ],
)
def test_refused(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"map $uri $a {{ }} map $uri $b {{ }} upstream u {{ server 127.0.0.1; {line}; }}")
    assert words in str(caught.value)


def test_one_zone_serves_one_upstream() -> None:
    line = "sticky learn create=$uri lookup=$uri zone=z:64k;"
    with pytest.raises(ConfigError, match='sticky zone "z" is already used in upstream "u"'):
        load_http(f"upstream u {{ server 127.0.0.1; {line} }} upstream v {{ server 127.0.0.1; {line} }}")


async def test_cookie(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        bad = await peers.tcp(close_at_once())
        one = await peers.tcp(answer(b"Content-Length: 3\r\n\r\none"))
        two = await peers.tcp(answer(b"Content-Length: 3\r\n\r\ntwo"))
        text = f"""
            upstream u {{ server {one}; server {two}; sticky cookie s path=/; }}
            upstream v {{ server {bad}; server {one}; sticky cookie s; }}
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u; }} location /bad {{ uwsgi_pass v; }} }}
        """
        async with serving(text) as engine:
            sids = {md5(peer.encode()).hexdigest(): body for peer, body in ((one, b"one"), (two, b"two"))}
            for sid, body in sids.items():
                for _ in range(3):
                    reply = await engine.get("/", {"Cookie": f"x=y; s={sid}"})
                    assert (reply.body, reply.header("set-cookie")) == (body, f"s={sid}; path=/".encode())
            bodies = {(await engine.get("/")).body for _ in range(6)}
            assert bodies == {b"one", b"two"}
            # after a try that failed, the cookie of the peer that answered, once
            reply = await engine.get("/bad", {"Cookie": f"s={md5(bad.encode()).hexdigest()}"})
            cookies = [value for name, value in reply.headers if name == b"set-cookie"]
            assert reply.status == 200 and cookies == [f"s={md5(one.encode()).hexdigest()}".encode()]


@pytest.mark.parametrize("header", ["", "header"])
async def test_learn(tmp_path: Path, header: str) -> None:
    async with farm(tmp_path) as peers:
        one = await peers.tcp(answer(b"Set-Cookie: id=7; path=/\r\nContent-Length: 3\r\n\r\none"))
        two = await peers.tcp(answer(b"Content-Length: 3\r\n\r\ntwo"))
        text = f"""
            upstream u {{ server {one}; server {two};
                sticky learn create=$upstream_cookie_id lookup=$cookie_id zone=z:64k {header}; }}
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u; }} }}
        """
        async with serving(text) as engine:
            assert (await engine.get("/")).body == b"one"
            assert [(await engine.get("/", {"Cookie": "id=7"})).body for _ in range(3)] == [b"one"] * 3
            assert {(await engine.get("/", {"Cookie": "id=8"})).body for _ in range(2)} == {b"one", b"two"}
            assert len(engine.cycle.upstreams.all[0].sticky.sessions.table) == 1


async def test_route(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        one = await peers.tcp(answer(b"Content-Length: 3\r\n\r\none"))
        two = await peers.tcp(answer(b"Content-Length: 3\r\n\r\ntwo"))
        text = f"""
            upstream u {{ server {one} route=a; server {two} route=b; sticky route $arg_x $arg_y; }}
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass u; }} }}
        """
        async with serving(text) as engine:
            assert [(await engine.get("/?x=b&y=a")).body for _ in range(2)] == [b"two", b"two"]
            assert [(await engine.get("/?y=a")).body for _ in range(2)] == [b"one", b"one"]
