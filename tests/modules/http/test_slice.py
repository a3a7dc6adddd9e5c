from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.fakes import farm
from tests.http_peers import Heard, answering
from tests.modules.http.test_log import serving
from tests.upstream.cache.caching import state
from tests.upstream.exchange.test_exchange import lines

WHOLE = b"0123456789abc"


def part(heard: Heard, *fields: bytes, whole: bytes = WHOLE) -> bytes:
    """What a server of files answers to this range."""
    first, last = (int(number) for number in heard.fields[b"range"][6:].split(b"-"))
    body = whole[first : last + 1]
    lines = (b"Content-Range: bytes %d-%d/%d" % (first, first + len(body) - 1, len(whole)), *fields)
    head = b"".join(line + b"\r\n" for line in lines)
    return b"HTTP/1.1 206 Partial Content\r\n%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


@contextlib.asynccontextmanager
async def sliced(
    answer: Callable[[Heard], bytes],
    tmp_path: Path,
    heard: list[Heard],
    inside: str = "",
    outside: str = "",
    size: int = 5,
) -> AsyncIterator[Engine]:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(answer, heard))
        (tmp_path / "cache").mkdir(exist_ok=True)
        text = f"""proxy_temp_path {tmp_path}; proxy_cache_path {tmp_path}/cache keys_zone=a:1m;
            {outside} server {{ listen 127.0.0.1:8080; location / {{ slice {size}; proxy_pass http://{address};
            proxy_set_header Range $slice_range; {inside} }} }}"""
        async with serving(text) as engine:
            yield engine


CACHE = """proxy_cache a; proxy_cache_key $uri$slice_range; proxy_cache_valid 206 1h;
    add_header X-Cache $upstream_cache_status;"""


async def test_the_whole(tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with sliced(part, tmp_path, heard) as engine:
        reply = await engine.get("/")
        assert (reply.status, reply.body, reply.header("content-length")) == (200, WHOLE, b"13")
        assert reply.header("accept-ranges") == b"bytes" and reply.header("content-range") is None
        assert (await engine.request("HEAD", "/")).header("content-length") == b"13"
    assert [request.fields[b"range"] for request in heard[:3]] == [b"bytes=0-4", b"bytes=5-9", b"bytes=10-14"]
    assert len(heard) == 4


@pytest.mark.parametrize(
    ("field", "status", "body", "asked"),
    [
        ("bytes=0-", 206, WHOLE, 3),
        ("bytes=6-8", 206, b"678", 1),
        ("bytes=4-5", 206, b"45", 2),
        ("bytes=11-", 206, b"bc", 1),
        ("bytes=-2", 206, b"bc", 2),
        ("bytes=0-0,2-2", 200, WHOLE, 3),
        ("bytes=x-", 416, None, 1),
        ("bytes=9" + "9" * 30 + "-", 416, None, 1),
    ],
)
async def test_ranges(field: str, status: int, body: bytes | None, asked: int, tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with sliced(part, tmp_path, heard) as engine:
        reply = await engine.get("/", {"Range": field})
        assert reply.status == status and body in (None, reply.body)
    assert len(heard) == asked


async def test_each_part_is_kept(tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with sliced(part, tmp_path, heard, CACHE) as engine:
        assert (await engine.get("/", {"Range": "bytes=5-5"})).body == b"5"
        assert len(heard) == 1
        reply = await engine.get("/")
        assert (state(reply), reply.body) == ("MISS", WHOLE)
        for _ in range(3):
            reply = await engine.get("/")
            assert (state(reply), reply.body) == ("HIT", WHOLE)
    assert len(heard) == 3


async def test_an_answer_that_is_no_part_goes_as_it_is(tmp_path: Path) -> None:
    heard: list[Heard] = []
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with sliced(lambda request: answer, tmp_path, heard) as engine:
        assert (await engine.get("/")).body == b"ok"
    assert len(heard) == 1


def _after(count: int, *answers: bytes) -> Callable[[Heard], bytes]:
    """Parts, and from the next request on something else."""
    left = [count]

    def answer(heard: Heard) -> bytes:
        left[0] -= 1
        return answers[0] if left[0] < 0 else part(heard, b'ETag: "1"')

    return answer


_PART = b"HTTP/1.1 206 P\r\nContent-Range: %b\r\nContent-Length: 5\r\n%b\r\n56789"


@pytest.mark.parametrize(
    ("begun", "answer", "words"),
    [
        (1, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "unexpected status code 200 in slice response"),
        (1, _PART % (b"bytes 5-9/13", b'ETag: "2"\r\n'), "etag mismatch in slice response"),
        (0, _PART % (b"bytes 5", b""), "invalid range in slice response"),
        (0, _PART % (b"bytes 0-4/*", b""), "no complete length in slice response"),
        (0, _PART % (b"bytes 5-9/13", b""), "unexpected range in slice response: 5-10, expected: 0-10"),
        (1, b'HTTP/1.1 206 P\r\nETag: "1"\r\n\r\n', "invalid range in slice response"),
    ],
)
async def test_what_is_no_slice(begun: int, answer: bytes, words: str, tmp_path: Path) -> None:
    async with sliced(_after(begun, answer), tmp_path, []) as engine:
        data = await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b"56789" not in data
        assert words in lines(engine, "error")[0]


async def test_without_the_variable_nothing_is_sliced(tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(heard=heard))
        text = f"""proxy_temp_path {tmp_path}; server {{ listen 127.0.0.1:8080;
            location / {{ slice 5; proxy_pass http://{address}; }}
            location /off {{ proxy_pass http://{address}; proxy_set_header Range $slice_range; }} }}"""
        async with serving(text) as engine:
            assert (await engine.get("/")).body == b"ok\n"
            assert (await engine.get("/off")).body == b"ok\n"
    assert not any(b"range" in request.fields for request in heard)


@pytest.mark.parametrize("size", [5, 3000])
async def test_a_part_of_another_file(size: int, tmp_path: Path) -> None:
    """What came before is sent, if it is not so little that it was held back; logged is the status that it has."""

    def changing(heard: Heard) -> bytes:
        first = heard.fields[b"range"].startswith(b"bytes=0-")
        return part(heard, b'ETag: "%b"' % (b"a" if first else b"b"), whole=b"x" * 2 * size)

    log = tmp_path / "log"
    logged = 'log_format s "$status $body_bytes_sent";'
    async with sliced(changing, tmp_path, [], f"access_log {log} s;", logged, size=size) as engine:
        data = await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert data.count(b"x") == (size if size > 1460 else 0)
        line = next(line for line in engine.log.lines if "etag mismatch in slice response" in line)
        assert "etag mismatch in slice response while reading response header from upstream, client" in line
    assert log.read_text() == f"200 {size if size > 1460 else 0}\n"
