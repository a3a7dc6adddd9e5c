"""ring_writer: records as bytes, with what is secret left out."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.errors import HeadError
from gateway._fast.http1 import parse_head, with_fields
from gateway._fast.ring_writer import RingWriter, front_of, perhaps_secret
from gateway.core.zones import Words
from gateway.modules.http.request_history_record import mask, masked, unpacked
from tests._fast.test_http2_head import head_of
from tests.http2_client import request


def _writer(size: int, memory: bytearray | None = None) -> tuple[RingWriter, bytearray]:
    memory = bytearray(8 + 2 * (16 + size)) if memory is None else memory
    return RingWriter(memory, 8, Words(memory, 0, 1), 0, 16, 2, size, size, b"s" * 8, mask), memory


def _kept(fields: bytes, size: int = 4096) -> tuple[dict[str, Any], bytes]:
    """What a record has of a request with these lines."""
    writer, memory = _writer(size)
    head = parse_head(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")
    assert head is not None
    _begin(writer)
    writer.head(head, b"GET")
    writer.end()
    return _read(memory), bytes(memory)


def _begin(writer: RingWriter, id: bytes | None = None) -> int:
    front = front_of(b"p", b"s")
    return writer.begin(0, 0, 0, 12, 200, 0, 11, False, id, front, b"http", b"c", b"text/html")


def _read(memory: bytearray) -> dict[str, Any]:
    """The first slot's record."""
    return unpacked(bytes(memory[24 : 24 + Words(memory, 8, 2).load(1)]))


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
    ("line", "found"),
    [
        (b"GET /a?b HTTP/1.1", ("GET", "/a?b", "HTTP/1.1", "a")),
        (b"GET http://h:8/a?token=1&b=2 HTTP/1.1", ("GET", "/a?token=****&b=2", "HTTP/1.1", "h")),
        (b"GET /a?b=1&session=1 HTTP/1.0", ("GET", "/a?b=1&session=****", "HTTP/1.0", "a")),
        (b"GET /a?session HTTP/1.1", ("GET", "/a?session", "HTTP/1.1", "a")),
        (b"POST http://h HTTP/1.1", ("POST", "", "HTTP/1.1", "h")),
        (b"\r\nGET   /a   HTTP/1.1  ", ("GET", "/a", "HTTP/1.1", "a")),
    ],
)
def test_the_line(line: bytes, found: tuple[str, str, str, str]) -> None:
    writer, memory = _writer(1024)
    head = parse_head(b"#" + line + b"\r\nHost: a\r\nCookie: b=1\r\n\r\n", 1)
    assert head is not None
    _begin(writer)
    writer.head(head, b"GET")
    writer.end()
    entry = _read(memory)
    assert (entry["method"], entry["uri"], entry["protocol"], entry["host"]) == found
    assert (entry["location"], entry["server"], entry["client"]) == ("p", "s", "c")
    assert entry["asked"] == [("Host", "a"), ("Cookie", "b=****")]
    assert entry["answered"] == [("Content-Type", "text/html"), ("Content-Length", "12")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"GET /a?token=SECRET\r\n", ("GET", "/a?token=****", [])),
        (b"BAD\x01 SECRET HTTP/1.1\r\n\r\n", ("", "", [])),
        (b"GET http://me:SECRET@h/ HTTP/1.1\r\nHost: a\r\n\r\n", ("", "", [])),
        (b"GET /a?token=SECRET HTTP/1.1\r\nHost: a\r\nCookie: a=SECRET\r\nBad : SECRET\r\n\r\n",
         ("GET", "/a?token=****", [("Host", "a"), ("Cookie", "a=****")])),
    ],
)  # fmt: skip
def test_what_is_refused(text: bytes, found: tuple[str, str, list[tuple[str, str]]]) -> None:
    """Nothing is kept of lines that were not understood."""
    writer, memory = _writer(1024)
    try:
        head = parse_head(text)
    except HeadError as error:
        head = error.head
    assert head is not None
    _begin(writer)
    writer.head(head, head.method or b"")
    writer.end()
    entry = _read(memory)
    assert (entry.get("method", ""), entry["uri"], entry["asked"]) == found
    assert b"SECRET" not in memory


def test_fields_that_were_set() -> None:
    """They stand in the head's bytes without a line around them."""
    head = parse_head(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic SECRET\r\n\r\n")
    assert head is not None
    head = with_fields(head, [(b"Host", b"a"), (b"X-Token", b"SECRET"), (b"X", b"1"), (b"Cookie", b"a=SECRET")])
    writer, memory = _writer(1024)
    _begin(writer)
    writer.head(head, b"GET")
    writer.end()
    assert _read(memory)["asked"] == [("Host", "a"), ("X-Token", "****"), ("X", "1"), ("Cookie", "a=****")]
    assert b"SECRET" not in memory


def test_a_mask_that_fails_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request's log phase has nothing to catch; it is told on stderr."""
    told: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda failure: told.append(str(failure.exc_value)))

    def fail(name: bytes, value: bytes) -> bytes:
        raise LookupError("no mask")

    memory = bytearray(8 + 16 + 1024)
    writer = RingWriter(memory, 8, Words(memory, 0, 1), 0, 16, 1, 1024, 1024, b"s" * 8, fail)
    head = parse_head(b"GET /?token=SECRET HTTP/1.1\r\nHost: a\r\nX-Token: SECRET\r\nX: 1\r\n\r\n")
    assert head is not None
    _begin(writer)
    writer.head(head, b"GET")
    writer.end()
    assert b"SECRET" not in memory
    assert _read(memory)["asked"] == [("Host", "a"), ("X-Token", ""), ("X", "1")]
    assert told == ["no mask"] * 2


def test_what_has_no_room() -> None:
    entry, _ = _kept(b"Host: a\r\nX-Long: " + b"x" * 500 + b"\r\nX-Last: 1\r\n", 256)
    assert [name for name, _ in entry["asked"]] == ["Host", "X-Long"]
    assert entry["cut"]
    assert "cut" not in _kept(b"Host: a\r\n", 256)[0]


def test_nothing_is_written_behind_a_slot() -> None:
    head = parse_head(b"GET / HTTP/1.1\r\nHost: a\r\nX-Token: a\r\nCookie: " + b"a=b;" * 200 + b"\r\n\r\n")
    assert head is not None
    for size in range(88, 320, 8):
        writer, memory = _writer(size)
        memory[8 + 16 + size :] = b"#" * (16 + size)
        _begin(writer, b"i" * 32)
        writer.head(head, b"GET")
        for _ in range(40):
            writer.text(b"t" * 30, 30)
            writer.tag(ord("N"))
            writer.plain(b"Name", b"value")
            writer.answered(b"X-Token", b"value" * 10)
            writer.head(head, b"GET")
        writer.end()
        assert memory[8 + 16 + size :] == b"#" * (16 + size)
        assert memory[24 + 10 + 41] & 8  # it was cut


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_two_writers_of_one_ring(slots: int) -> None:
    """Each finds its slot by the number, whoever had the one before."""
    memory = bytearray(8 + slots * (16 + 64))
    some = [RingWriter(memory, 8, Words(memory, 0, 1), 0, 16, slots, 64, 64, b"s" * 8) for _ in range(2)]
    for number, which in enumerate((0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0), 1):
        assert some[which].put(b"%d" % number) == number
        begin = 8 + (number - 1) % slots * (16 + 64)
        assert Words(memory, begin, 2).load(0) == number
        assert memory[begin + 16 : begin + 16 + len(str(number))] == b"%d" % number


def test_the_slots_take_turns() -> None:
    writer, memory = _writer(128)
    assert [_begin(writer) for _ in range(3)] == [1, 2, 3]
    assert Words(memory, 8, 1).load(0) == 0  # it is being written
    writer.end()
    assert Words(memory, 8, 1).load(0) == 3


def test_without_a_record() -> None:
    writer, _ = _writer(64)
    with pytest.raises(RuntimeError):
        writer.end()
    with pytest.raises(RuntimeError):
        _begin(_writer(8)[0])
    head = parse_head(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\nX-Token: a\r\n\r\n")
    assert head is not None
    writer.head(head, b"GET")
    writer.text(b"text", 10)
    writer.tag(ord("N"))
    writer.plain(b"a", b"b")


def test_wrong() -> None:
    memory = bytearray(8)
    wrong = ((0, 64, b"s" * 8), (1, 12, b"s" * 8), (1, 64, b"s"), (1, 64, b"s" * 8), (1, 1 << 31, b"s" * 8))
    for slots, size, seed in wrong:
        with pytest.raises(ValueError):
            RingWriter(memory, 0, Words(memory, 0, 1), 0, 16, slots, size, size, seed)


def test_perhaps_secret() -> None:
    assert perhaps_secret(b"X-API_KEY") and perhaps_secret(b"Set-Cookie") and perhaps_secret(b"token")
    assert not perhaps_secret(b"Accept-Language") and not perhaps_secret(b"tok") and not perhaps_secret(b"")


def test_of_http2() -> None:
    """Its head is written down as HTTP/1's."""
    fields = [(b"cookie", b"a=SECRET"), (b"x-token", b"SECRET"), (b"accept", b"*/*"), (b"cookie", b"b=SECRET")]
    head = head_of(request("/a?token=SECRET&b=1", *fields, host="h:80"))
    writer, memory = _writer(1024)
    _begin(writer)
    writer.head(head, b"GET")
    writer.end()
    entry = _read(memory)
    assert (entry["method"], entry["uri"], entry["protocol"]) == ("GET", "/a?token=****&b=1", "HTTP/2.0")
    assert entry["host"] == "h"
    assert entry["asked"] == [masked(name.decode(), value.decode()) for name, value in head.fields()]
    assert b"SECRET" not in memory


def test_ids() -> None:
    """Two writers of one ring, whose numbers follow on each other: all differ, and none looks like the next."""
    memory = bytearray(8 + 16 + 256)
    found = []
    for seed in (b"s" * 8, b"t" * 8):
        writer = RingWriter(memory, 8, Words(memory, 0, 1), 0, 16, 1, 256, 256, seed)
        for _ in range(500):
            _begin(writer)
            writer.end()
            found.append(_read(memory)["id"])
    assert len({id[:16] for id in found}) == len({id[16:] for id in found}) == 1000
    assert all(len(id) == 32 and sum(a == b for a, b in zip(id, other, strict=True)) < 16
               for id, other in itertools.pairwise(found))  # fmt: skip
