from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.fakes import Asked, answer, answer_always, farm
from tests.speeches import MEMCACHED


def site(address: str, inside: str = "", outside: str = "") -> str:
    """A server that asks memcached at this address."""
    return f"""upstream one {{ server {address}; keepalive 1; }} {outside}
        server {{ listen 127.0.0.1:8080; types {{ text/css css; }}
        location / {{ set $memcached_key "the key"; memcached_pass {'up' if outside else 'one'}; {inside} }}
        location /none {{ set $memcached_key ""; memcached_pass one; }}
        location @made {{ return 200 "made"; }} }}"""


async def test_a_value(tmp_path: Path) -> None:
    asked: list[Asked] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer_always(MEMCACHED.ok, asked=asked, speech=MEMCACHED))
        async with serving(site(address)) as engine:
            for method in ("GET", "GET", "HEAD"):
                reply = await engine.request(method, "/a.css")
                assert reply.status == 200
                assert reply.header("content-type") == b"text/css"
                assert reply.header("content-length") == b"3"
                assert reply.body == (b"ok\n" if method == "GET" else b"")
            assert (await engine.get("/", {"Range": "bytes=1-"})).body == b"k\n"
            assert (await engine.request("POST", "/", body=b"x")).status == 405
            assert (await engine.get("/none")).status == 500
            assert 'the "$memcached_key" variable is not set' in engine.log.lines[-1]
        assert peers.hits[address] == 1
    assert [request.params[b"key"] for request in asked] == [b"the%20key"] * 4


async def test_no_value(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer_always(b"END\r\n", speech=MEMCACHED))
        async with serving(site(address)) as engine:
            for _ in range(2):
                assert (await engine.get("/")).status == 404
            assert 'key: "the%20key" was not found by memcached' in "".join(engine.log.lines)
        assert peers.hits[address] == 1
        async with serving(site(address, "error_page 404 = @made;")) as engine:
            assert (await engine.get("/")).body == b"made"


async def test_the_flag_for_gzip(tmp_path: Path) -> None:
    data = MEMCACHED.ok.replace(b" 0 ", b" 2 ")
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(data, speech=MEMCACHED))
        for flag, encoding in ((0, None), (1, None), (2, b"gzip"), (3, b"gzip")):
            async with serving(site(address, f"memcached_gzip_flag {flag};")) as engine:
                assert (await engine.get("/")).header("content-encoding") == encoding


@pytest.mark.parametrize(
    ("data", "condition"), [(b"END\r\n", "not_found"), (b"ERROR\r\n", "invalid_response"), (b"", "error")]
)
async def test_another_peer_is_asked(tmp_path: Path, data: bytes, condition: str) -> None:
    async with farm(tmp_path) as peers:
        one = await peers.tcp(answer(data, speech=MEMCACHED))
        two = await peers.tcp(answer(MEMCACHED.ok, speech=MEMCACHED))
        outside = f"upstream up {{ server {one}; server {two} backup; }}"
        async with serving(site(one, f"memcached_next_upstream {condition};", outside)) as engine:
            assert (await engine.get("/")).body == b"ok\n"
        async with serving(site(one, "memcached_next_upstream off;", outside)) as engine:
            assert (await engine.get("/")).status == (404 if condition == "not_found" else 502)


async def test_a_big_value_and_a_small_buffer(tmp_path: Path) -> None:
    value = bytes(range(256)) * 1000
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer_always(MEMCACHED.answer(b"", value), speech=MEMCACHED))
        async with serving(site(address, "memcached_buffer_size 100;")) as engine:
            for _ in range(2):
                assert (await engine.get("/")).body == value
        assert peers.hits[address] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server { location / { memcached_pass a:b; } }", 'invalid port in upstream "a:b"'),
        ("server { location / { memcached_pass $a:1; } }", 'host not found in upstream "$a"'),
        ("server { location / { memcached_pass 127.0.0.1:1; } }", 'unknown "memcached_key" variable'),
        ("memcached_next_upstream http_500;", 'invalid value "http_500"'),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(text)
    assert message in str(caught.value)
