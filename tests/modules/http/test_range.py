"""range: 206, 416, multipart, If-Range."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.modules.http.range import UNLIMITED, NotSatisfiable, cut, only_part, parse
from tests.engine import serving
from tests.fakes import farm
from tests.http_peers import answering
from tests.upstream.cache.caching import page


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"0-0", [(0, 1)]),
        (b"5-", [(5, 10)]),
        (b"-3", [(7, 10)]),
        (b"-30", [(0, 10)]),
        (b"0-1, 8-99", [(0, 2), (8, 10)]),
        (b"0-9,0-9", None),
        (b"0" * 5000 + b"5-", [(5, 10)]),
        (b"0-1,-" + b"0" * 5000 + b"1", [(0, 2), (9, 10)]),
    ],
)
def test_parse(text: bytes, parts: list[tuple[int, int]] | None) -> None:
    assert parse(text, 10, 100) == parts


def test_by_default_parts_with_their_heads_must_not_be_much_more_than_the_whole() -> None:
    text = b",".join(b"%d-%d" % (n, n) for n in range(20))
    assert parse(text, 100, UNLIMITED) is None
    assert len(parse(text, 100, 1000) or ()) == 20
    assert len(parse(text, 10_000, UNLIMITED) or ()) == 20


def test_nothing_to_cut_off_an_empty_body() -> None:
    assert parse(b"0-", 0, 100) is None
    assert parse(b"-5", 0, 100) is None


_LONG = [b"%b-" % (b"9" * 5000), b"0-%b" % (b"9" * 5000), b"-%b" % (b"9" * 5000), b"0-1,-9223372036854775808"]


@pytest.mark.parametrize("text", [b"", b"-", b"a-b", b"10-", b"5-3", b"1-2-3", b"0x1-2", *_LONG])
def test_what_is_no_range_is_not_satisfiable(text: bytes) -> None:
    with pytest.raises(NotSatisfiable):
        parse(text, 10, 100)


def test_cut_over_pieces() -> None:
    assert cut([b"abc", b"defg"], 0, 2, 5) == [b"c", b"de"]
    assert cut([b"abc"], 10, 0, 5) == []


async def test_single_and_multipart(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"0123456789" * 10)
    async with serving(f"server {{ listen 127.0.0.1:80; root {tmp_path}; }}") as engine:
        reply = await engine.get("/t", {"Range": "bytes=2-4"})
        assert (reply.status, reply.body) == (206, b"234")
        assert reply.header("content-range") == b"bytes 2-4/100"
        reply = await engine.get("/t", {"Range": "bytes=0-1,98-"})
        assert reply.status == 206
        assert (reply.header("content-type") or b"").startswith(b"multipart/byteranges; boundary=")
        assert b"\r\n\r\n01\r\n--" in reply.body and b"\r\n\r\n89\r\n--" in reply.body
        assert int(reply.header("content-length") or b"0") == len(reply.body)
        reply = await engine.get("/t", {"Range": "bytes=100-"})
        assert (reply.status, reply.header("content-range")) == (416, b"bytes */100")
        assert (await engine.get("/t", {"Range": "bytes=0-1", "If-Range": '"other"'})).status == 200


async def test_an_upstream_s_own_range_gives_way(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(page(b"Content-Range: bytes 0-799/800", body=b"12345678" * 100)))
        text = f"server {{ listen 127.0.0.1:80; proxy_force_ranges on; location / {{ proxy_pass http://{address}; }} }}"
        async with serving(text) as engine:
            reply = await engine.get("/", {"Range": "bytes=0-1"})
            assert [value for name, value in reply.headers if name == b"content-range"] == [b"bytes 0-1/800"]


async def test_head_tells_the_range_without_a_body(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"0123456789")
    async with serving(f"server {{ listen 127.0.0.1:80; root {tmp_path}; }}") as engine:
        reply = await engine.request("HEAD", "/t", {"Range": "bytes=1-3"})
        assert (reply.status, reply.body, reply.header("content-length")) == (206, b"", b"3")


NUMBERS = st.one_of(
    st.sampled_from([b"", b"0", b"1", b"9", b"10", b"11", b"007", b"9" * 18, b"9" * 19, b"9223372036854775807", b" 1"]),
    st.integers(0, 30).map(lambda number: b"%d" % number),
)


@given(st.one_of(st.builds(lambda *parts: b"".join(parts), NUMBERS, st.sampled_from([b"-", b"--", b""]), NUMBERS),
                 st.binary(max_size=6)), st.integers(0, 20))  # fmt: skip
def test_the_usual_forms_are_what_parse_says_of_them(text: bytes, total: int) -> None:
    part = only_part(b"bytes=" + text, 6, total)
    if part is not None:
        assert parse(text, total, UNLIMITED) == [(part.start, part.end)]
    elif re.fullmatch(rb"\d{1,18}-\d{0,18}|-\d{1,18}", text):
        with contextlib.suppress(NotSatisfiable):
            assert parse(text, total, UNLIMITED) is None


async def test_a_part_of_what_lies_in_a_file(tmp_path: Path) -> None:
    data = bytes(range(256)) * 400
    (tmp_path / "big").write_bytes(data)
    async with serving(f"server {{ listen 127.0.0.1:80; root {tmp_path}; }}") as engine:
        for text, start, end in (("0-0", 0, 1), ("-5", 102395, 102400), ("9999-", 9999, 102400), ("7-70000", 7, 70001)):
            reply = await engine.get("/big", {"Range": f"bytes={text}"})
            assert (reply.status, reply.body) == (206, data[start:end])
            assert reply.header("content-range") == b"bytes %d-%d/102400" % (start, end - 1)
            assert reply.header("content-length") == b"%d" % (end - start)
        assert (await engine.get("/big", {"Range": "bytes=102400-"})).status == 416
        modified = (await engine.get("/big")).header("last-modified") or b""
        for validator, status in ((modified, 206), (b"Thu, 01 Jan 1970 00:00:01 GMT", 200), (b'"x"', 200), (b"x", 200)):
            fields = {"Range": "bytes=0-1", "If-Range": validator.decode()}
            assert (await engine.get("/big", fields)).status == status
