"""ring_writer: records as bytes, with what is secret left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.http1 import parse_head
from gateway._fast.ring_writer import RingWriter, perhaps_secret
from gateway.core.zones import Words
from gateway.modules.http.request_history_record import mask, masked, unpacked


def _writer(size: int, memory: bytearray | None = None) -> tuple[RingWriter, bytearray]:
    memory = bytearray(8 + 2 * (16 + size)) if memory is None else memory
    return RingWriter(memory, 8, Words(memory, 0, 1), 0, 16, 2, size, b"s" * 16, mask), memory


def _kept(fields: bytes, size: int = 4096) -> tuple[dict[str, Any], bytes]:
    """What a record has of a request with these lines."""
    writer, memory = _writer(size)
    head = parse_head(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")
    assert head is not None
    writer.begin()
    writer.figures(0, 0, 0, 200, 0, False, None)
    writer.line(b"p", b"s", b"GET", None, b"http", b"c", b"h", b"/")
    writer.asked(head)
    cut = writer.cut
    writer.end()
    words = Words(memory, 8, 2)
    data = bytes(memory[24 : 24 + words.load(1)])
    return unpacked(data) | {"was_cut": cut}, bytes(memory)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Cookie", "sid=1; theme=dark"),
        ("Cookie", "a==b=c,d;=;;x"),
        ("Cookie", "=" * 300),
        ("Authorization", "Basic YTpi"),
        ("Authorization", "alone"),
        ("Proxy-Authorization", "Digest username=a, response=b"),
        ("X-Api-Key", "k"),
        ("X-Csrf-TOKEN", "k"),
        ("Referer", "/a?session=9&b=1"),
        ("Referer", "/a"),
        ("Accept", "text/html;q=0.9, */*"),
    ],
)
def test_a_field_is_kept_as_it_may_be(name: str, value: str) -> None:
    entry, _ = _kept(f"Host: a\r\n{name}: {value}\r\nX-Last: 1\r\n".encode())
    assert entry["asked"] == [("Host", "a"), masked(name, value), ("X-Last", "1")]


@given(st.text(st.sampled_from("ab=;, "), max_size=40))
def test_cookies_are_masked_as_in_python(value: str) -> None:
    value = value.strip()
    entry, _ = _kept(f"Host: a\r\nCookie: {value}\r\n".encode())
    assert entry["asked"][1] == masked("Cookie", value)


def test_what_is_left_out_is_written_nowhere() -> None:
    """Neither are the lines that are no fields."""
    _, memory = _kept(b"Host: a\r\nCookie: a=SECRET1\r\nAuthorization: Basic SECRET2\r\nX_api_key: SECRET3\r\n")
    assert b"SECRET" not in memory


def test_what_has_no_room() -> None:
    entry, _ = _kept(b"Host: a\r\nX-Long: " + b"x" * 500 + b"\r\nX-Last: 1\r\n", 256)
    assert entry["asked"] == [("Host", "a"), ("X-Last", "1")]
    assert entry["was_cut"]
    assert not _kept(b"Host: a\r\n", 256)[0]["was_cut"]


def test_nothing_is_written_behind_a_slot() -> None:
    writer, memory = _writer(128)
    memory[8 + 16 + 128 :] = b"#" * (16 + 128)
    writer.begin()
    writer.figures(0, 0, 0, 200, 0, False, b"i" * 32)
    for _ in range(40):
        writer.text(b"t" * 30, 30)
        writer.tag(ord("N"))
        writer.plain(b"Name", b"value")
        writer.answered(b"X-Token", b"value" * 10)
    assert writer.cut
    writer.end()
    assert memory[8 + 16 + 128 :] == b"#" * (16 + 128)


def test_the_slots_take_turns() -> None:
    writer, memory = _writer(64)
    assert [writer.begin() for _ in range(3)] == [1, 2, 3]
    assert Words(memory, 8, 1).load(0) == 0  # it is being written
    writer.end()
    assert Words(memory, 8, 1).load(0) == 3


def test_without_a_record() -> None:
    writer, _ = _writer(64)
    with pytest.raises(RuntimeError):
        writer.end()
    with pytest.raises(RuntimeError):
        writer.figures(0, 0, 0, 200, 0, False, None)
    writer.text(b"text", 10)
    writer.tag(ord("N"))
    writer.plain(b"a", b"b")


def test_wrong() -> None:
    memory = bytearray(8)
    for slots, size, seed in ((0, 64, b"s" * 16), (1, 12, b"s" * 16), (1, 64, b"s"), (1, 64, b"s" * 16)):
        with pytest.raises(ValueError):
            RingWriter(memory, 0, Words(memory, 0, 1), 0, 16, slots, size, seed)


def test_perhaps_secret() -> None:
    assert perhaps_secret(b"X-API_KEY") and perhaps_secret(b"Set-Cookie") and perhaps_secret(b"token")
    assert not perhaps_secret(b"Accept-Language") and not perhaps_secret(b"tok") and not perhaps_secret(b"")
