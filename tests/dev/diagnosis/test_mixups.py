"""What came back says who answered."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from gateway.dev.diagnosis.mixups import other_protocol, speaker
from gateway.dev.diagnosis.question import Speech
from tests.dev.diagnosis.asking import explaining, named
from tests.fakes import answer, farm


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is an SSH server"),
        (b"-ERR unknown command\r\n", "is Redis"),
        (b"\x15\x03\x01\x00\x02\x02\x16\n\n", "is a TLS server"),
        (b"<html>no head</html>\n", "a body without a head"),
        (b"?\r\n", "is no head of an answer"),
    ],
)
async def test_an_answer_that_is_none(tmp_path: Path, data: bytes, words: str) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(data))
        async with explaining(f"location / {{ uwsgi_pass {address}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            assert "he answer to this uwsgi request begins " in await named(engine)
            assert words in await named(engine)


@pytest.mark.parametrize(
    ("family", "speech", "words"),
    [
        ("uwsgi", "HTTP", "proxy_pass http://a:1; here, or let it speak uwsgi (uWSGI: socket ="),
        ("fastcgi", "HTTP", "proxy_pass http://a:1; here, or let it speak FastCGI (uWSGI: fastcgi-socket =)"),
        ("memcached", "HTTP", "proxy_pass http://a:1; here"),
        ("proxy", "uwsgi", "uwsgi_pass a:1; and include uwsgi_params; here, or let it speak HTTP (uWSGI: http-socket"),
        ("scgi", "uwsgi", "uwsgi_pass a:1; and include uwsgi_params; here, or let it speak SCGI"),
    ],
)
def test_both_ways_to_put_it_right(family: str, speech: Speech, words: str) -> None:
    assert words in (other_protocol(family, "a:1", speech) or "")


@pytest.mark.parametrize(("family", "speech"), [("uwsgi", "uwsgi"), ("proxy", "HTTP"), ("uwsgi", None)])
def test_nothing_is_wrong(family: str, speech: Speech | None) -> None:
    assert other_protocol(family, "a:1", speech) is None


async def test_memcached_pass_to_an_http_server(tmp_path: Path) -> None:
    async def http(stream: trio.SocketStream) -> None:
        await stream.receive_some(100)
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with farm(tmp_path) as peers:
        address = await peers.tcp(http)
        server = f"location / {{ set $memcached_key x; memcached_pass {address}; }}"
        async with explaining(server, tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            assert "is an HTTP server: proxy_pass" in await named(engine)


def test_unknown_words() -> None:
    assert speaker(b"hello") is None
