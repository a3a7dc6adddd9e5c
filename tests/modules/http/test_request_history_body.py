"""Bodies of requests: how much is kept, what is masked, and how they are shown."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest

from gateway.core.ring import Ring
from gateway.modules.http.request_history_body import Body, masked, read, shown, text_of
from gateway.modules.http.request_history_record import unpacked
from tests.engine import serving
from tests.fakes import farm
from tests.http_peers import answering

CONF = """request_history {folder}/ring requests=20 {body};
    server {{ listen 127.0.0.1:80; client_body_buffer_size 8k; client_body_temp_path {folder}/temp;
    location / {{ proxy_pass http://{peer}; {more} }} location /none {{ return 200; }} }}"""


def last(folder: Path) -> Body | None:
    ring = Ring.read_from(str(folder / "ring"))
    found = next(iter(ring.newest()))[1]
    body: Body | None = unpacked(found).get("body")
    return body


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"user=bob&password=x%20y&a=b", b"user=bob&password=****&a=b"),
        (b"csrf_token=1", b"csrf_token=****"),
        (b'{"a": "b", "api_key": "s\\"ecret", "token": 12, "n": [1]}', None),
        (b'{"passwd": "cut he', b'{"passwd": "****"'),
        (b"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nsecret\r\nmore\r\n--x--\r\n",
         b"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n****\r\n--x--\r\n"),
        (b"<login><password type='a'>p</password></login>", b"<login><password type='a'>****</password></login>"),
        (b"nothing to hide = here", b"nothing to hide = here"),
        (b"\x00\xff\xfe", b"\x00\xff\xfe"),
    ],
)  # fmt: skip
def test_what_is_named_like_a_secret_is_masked(before: bytes, after: bytes | None) -> None:
    expected = after if after is not None else b'{"a": "b", "api_key": "****", "token": ****, "n": [1]}'
    assert masked(before) == expected


@pytest.mark.parametrize("piece", [b"token", b"token=", b'"token":', b"<token>", b'name="token"\r\n', b"a&", b'"'])
def test_a_body_of_such_words_takes_no_time(piece: bytes) -> None:
    begin = time.process_time()
    masked(piece * (65536 // len(piece)))
    assert time.process_time() - begin < 2


def test_text_and_what_is_none() -> None:
    assert text_of("ü\n".encode()) == "ü\n"
    assert text_of("aü".encode()[:-1]) == "a"  # cut within a character
    assert text_of(b"") == "" and text_of(b"\x00a") is None and text_of(b"\xff" * 10) is None
    caption, text = shown(Body(b"\x1f\x8b" * 200, 400))
    assert "binary" in caption and "the first 256" in caption and text.startswith("00000000  1f 8b 1f")
    assert shown(Body(b"abc", 10)) == ("10 bytes, 3 of them are kept (body= of request_history)", "abc")


@pytest.mark.parametrize("record", [b"", b"1234"])
def test_a_record_that_is_none(record: bytes) -> None:
    with pytest.raises(ValueError):
        read(record)
    assert read(struct.pack("=QB", 3, 0) + b"abc") == Body(b"abc", 3)


async def test_bodies_are_kept_where_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "temp").mkdir()
    async with farm(tmp_path) as peers:
        peer = await peers.tcp(answering())
        conf = CONF.format(folder=tmp_path, peer=peer, body="body=16", more="")
        async with serving(conf) as engine:
            await engine.request("POST", "/", body=b"a=1&password=x")
            assert last(tmp_path) == Body(b"a=1&password=***", 14, masked=True)
            await engine.request("POST", "/", body=b"b" * 16)
            assert last(tmp_path) == Body(b"b" * 16, 16) and last(tmp_path).why_not_whole == ""  # type: ignore[union-attr]
            await engine.request("POST", "/", body=b"c" * 100_000)  # in a file by then
            assert last(tmp_path) == Body(b"c" * 16, 100_000)
            await engine.request("POST", "/none", body=b"unread")
            assert last(tmp_path) is None
            await engine.get("/")
            assert last(tmp_path) is None
        conf = CONF.format(folder=tmp_path, peer=peer, body="", more="")
        async with serving(conf) as engine:
            await engine.request("POST", "/", body=b"a=1")
            assert last(tmp_path) is None
        conf = CONF.format(folder=tmp_path, peer=peer, body="body=16", more="proxy_request_buffering off;")
        async with serving(conf) as engine:
            await engine.request("POST", "/", body=b"a" * 300_000)
            found = last(tmp_path)
            assert found == Body(b"", 300_000, passed=True) and "went on as it came" in found.why_not_whole
