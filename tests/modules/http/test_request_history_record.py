"""request_history_record: masks, and records read back."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.http1 import parse_head
from gateway._fast.ring_writer import front_of, perhaps_secret
from gateway.core.ring import Ring
from gateway.modules.http.request_history_record import (
    TAG_NOTES,
    TAG_UPSTREAM,
    UPSTREAM,
    host_of,
    line_of,
    mask,
    mask_uri,
    masked,
    masked_uri,
    unpacked,
)


def test_masks() -> None:
    assert masked("Proxy-Authorization", "token") == ("Proxy-Authorization", "****")
    assert masked("X-CSRF-Token", "a") == ("X-CSRF-Token", "****")
    assert masked("Accept", "*/*") == ("Accept", "*/*")
    assert masked_uri("/a?access_token=x&b=1&Api_Key=2#f") == "/a?access_token=****&b=1&Api_Key=****#f"
    assert mask(b"Location", b"/a?token=\xff") == b"/a?token=****"
    assert mask_uri(b"/\xff?x=1") == b"/\xff?x=1"


_WORDS = ("token", "secret", "passw", "api-key", "apikey", "api_key", "session", "signature", "credential", "cookie")


@given(st.text(max_size=8), st.sampled_from(_WORDS), st.text(max_size=8), st.booleans())
def test_what_is_masked_is_looked_at(before: str, word: str, behind: str, upper: bool) -> None:
    """A record's writer asks for a mask wherever there is one."""
    name = before + (word.upper() if upper else word) + behind
    assert perhaps_secret(name.encode("utf-8", "surrogatepass"))
    uri = f"/a?{name}=value"
    if masked_uri(uri) != uri:
        assert perhaps_secret(uri.encode("utf-8", "surrogatepass"))


def test_a_record_is_read_back(tmp_path: Path) -> None:
    ring = Ring.make(str(tmp_path / "ring"), 2, 4096)
    writer = ring.writer(mask)
    head = parse_head(b"GET /a HTTP/1.1\r\nHost: A.example.:81\r\nX: 1\r\n\r\n")
    assert head is not None
    front = front_of(b"/ (a:1)", b"site")
    writer.begin(1.5, 0.25, 7, -1, 404, 8080, 11, True, b"mine", front, b"https", b"127.0.0.1", b"text/html")
    writer.tag(TAG_UPSTREAM)
    for key in UPSTREAM:
        writer.text(key.encode() if key != "cache" else None, 100)
    writer.tag(TAG_NOTES)
    writer.text(b"[error] one\n[warn] two", 100)
    writer.answered(b"X-Token", b"abc")
    writer.plain(b"Content-Encoding", b"gzip")
    writer.head(head, b"GET")
    writer.plain(b"X-Long", b"x" * 5000)
    writer.end()
    ((_, data),) = ring.newest()
    entry = unpacked(data)
    assert (entry["id"], entry["time"], entry["seconds"], entry["status"]) == ("mine", "1.500", "0.250", "404")
    assert (entry["bytes"], entry["port"], entry["completion"], entry["cut"]) == ("7", "8080", "OK", True)
    assert (entry["location"], entry["server"], entry["uri"], entry["client"]) == ("/ (a:1)", "site", "/a", "127.0.0.1")
    assert (entry["method"], entry["protocol"], entry["scheme"]) == ("GET", "HTTP/1.1", "https")
    assert entry["host"] == "a.example"
    assert entry["asked"] == [("Host", "A.example.:81"), ("X", "1")]
    assert (entry["upstream"], entry["response"], "cache" in entry) == ("upstream", "response", False)
    assert entry["notes"] == ["[error] one", "[warn] two"]
    assert entry["answered"] == [("Content-Type", "text/html"), ("X-Token", "****"), ("Content-Encoding", "gzip")]


@given(st.binary(max_size=300))
def test_what_is_no_record(data: bytes) -> None:
    """Two workers may have written into one slot: whoever reads it must not fail."""
    with contextlib.suppress(ValueError):
        assert isinstance(unpacked(data)["uri"], str)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("GET /a?b HTTP/1.1", ("GET", "/a?b", "HTTP/1.1", None)),
        ("GET /a", ("GET", "/a", "", None)),
        ("GET http://h.example:81/a HTTP/1.0", ("GET", "/a", "HTTP/1.0", "h.example:81")),
        ("GET http://h?a/b HTTP/1.1", ("GET", "?a/b", "HTTP/1.1", "h")),
        ("GET http://h HTTP/1.1", ("GET", "", "HTTP/1.1", "h")),
        ("CONNECT h:443 HTTP/1.1", ("CONNECT", "h:443", "HTTP/1.1", None)),
        (" ", ("", "", "", None)),
        ("GET  HTTP/1.1", ("GET", "", "HTTP/1.1", None)),
    ],
)
def test_a_line(line: str, found: tuple[str, str, str, str | None]) -> None:
    read = line_of(line)
    assert (read["method"], read["uri"], read["protocol"], read.get("host")) == found


@pytest.mark.parametrize(
    ("authority", "fields", "name"),
    [
        (None, [("hOST", "A.example:80")], "a.example"),
        (None, [("Host", "[::1]:80")], "[::1]"),
        (None, [("Host", "[::1]")], "[::1]"),
        ("b", [("Host", "a")], "b"),
        (None, [("Host", "a.")], "a"),
        (None, [], ""),
    ],
)
def test_a_host(authority: str | None, fields: list[tuple[str, str]], name: str) -> None:
    assert host_of(authority, fields) == name


def test_an_empty_one() -> None:
    with pytest.raises(ValueError, match="not a record"):
        unpacked(b"")
