"""ring_writer: records as bytes, with what is secret left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.http1 import parse_head
from gateway._fast.ring_writer import RingWriter, front_of, perhaps_secret
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
    writer.figures(0, 0, 0, -1, 200, 0, False, None)
    writer.asked(front_of(b"p", b"s"), b"GET", None, b"http", b"c", b"h", None, head)
    writer.fields(head)
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


@pytest.mark.parametrize("name", ["X-Token", "X-Plain", "X-tOKEN", "X-" + "n" * 60, "X-Token-" + "n" * 60])
def test_a_name_is_found_again(name: str) -> None:
    """What was found of a name is remembered, under its own spelling."""
    for _ in range(2):
        entry, _ = _kept(f"{name}: v\r\n{name.lower()}: w\r\nHost: a\r\n".encode())
        assert entry["asked"] == [masked(name, "v"), masked(name.lower(), "w"), ("Host", "a")]


def test_names_that_share_a_place() -> None:
    """More of them than there are places: the later one is looked at again."""
    names = [f"X-{'Token' if number % 3 == 0 else 'Plain'}-{number}" for number in range(300)]
    for _ in range(2):
        for start in range(0, len(names), 50):
            some = names[start : start + 50]
            lines = "".join(f"{name}: v\r\n" for name in ["Host", *some])
            entry, _ = _kept(lines.encode(), 16384)
            assert entry["asked"][1:] == [masked(name, "v") for name in some]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["X-B", "Accept", "Cookie", "X-A", "X-Token", "Via"]),
            st.text(st.sampled_from("ab=; ?&:"), max_size=20),
            st.sampled_from(["", " ", "    "]),
            st.sampled_from(["", " "]),
            st.sampled_from(["\r\n", "\n"]),
        ),
        max_size=12,
    )
)
def test_lines_are_kept_as_they_are_parsed(lines: list[tuple[str, str, str, str, str]]) -> None:
    text = "".join(f"{name}:{before}{value.strip()}{after}{end}" for name, value, before, after, end in lines)
    text = f"Host: h\r\n{text}"
    head = parse_head(b"GET / HTTP/1.1\r\n" + text.encode() + b"\r\n")
    assert head is not None
    entry, _ = _kept(text.encode())
    assert entry["asked"] == [masked(name.decode(), value.decode()) for name, value in head.fields()]


@pytest.mark.parametrize(
    ("line", "protocol", "found"),
    [
        (b"GET /a?b HTTP/1.1", None, ("/a?b", "HTTP/1.1")),
        (b"GET /a HTTP/1.0", b"HTTP/2.0", ("/a", "HTTP/2.0")),
        (b"GET http://h/a?token=1&b=2 HTTP/1.1", None, ("/a?token=****&b=2", "HTTP/1.1")),
        (b"GET /a?session HTTP/1.1", None, ("/a?session", "HTTP/1.1")),
    ],
)
def test_the_line(line: bytes, protocol: bytes | None, found: tuple[str, str]) -> None:
    writer, memory = _writer(1024)
    head = parse_head(line + b"\r\nHost: a\r\n\r\n")
    assert head is not None
    writer.begin()
    writer.figures(0, 0, 0, 12, 200, 0, False, None)
    writer.asked(front_of(b"p", b"s"), b"GET", protocol, b"http", b"c", b"", b"text/html", head)
    writer.end()
    entry = unpacked(bytes(memory[24 : 24 + Words(memory, 8, 2).load(1)]))
    assert (entry["uri"], entry["protocol"]) == found
    assert (entry["location"], entry["server"], entry["host"]) == ("p", "s", "s")
    assert entry["answered"] == [("Content-Type", "text/html"), ("Content-Length", "12")]


def test_what_has_no_room() -> None:
    entry, _ = _kept(b"Host: a\r\nX-Long: " + b"x" * 500 + b"\r\nX-Last: 1\r\n", 256)
    assert entry["asked"] == [("Host", "a"), ("X-Last", "1")]
    assert entry["was_cut"]
    assert not _kept(b"Host: a\r\n", 256)[0]["was_cut"]


def test_nothing_is_written_behind_a_slot() -> None:
    writer, memory = _writer(128)
    memory[8 + 16 + 128 :] = b"#" * (16 + 128)
    writer.begin()
    writer.figures(0, 0, 0, -1, 200, 0, False, b"i" * 32)
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
        writer.figures(0, 0, 0, -1, 200, 0, False, None)
    head = parse_head(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\nX-Token: a\r\n\r\n")
    assert head is not None
    with pytest.raises(RuntimeError):
        writer.asked(b"", b"GET", None, b"http", b"c", b"h", None, head)
    writer.fields(head)
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
