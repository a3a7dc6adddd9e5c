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
    TAG_CUT,
    TAG_NOTES,
    TAG_UPSTREAM,
    UPSTREAM,
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
    writer.begin()
    writer.figures(1.5, 0.25, 7, -1, 404, 8080, True, b"mine")
    head = parse_head(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head is not None
    writer.asked(front_of(b"/ (a:1)", b"site"), b"GET", None, b"http", b"127.0.0.1", b"host", b"text/html", head)
    writer.tag(TAG_UPSTREAM)
    for key in UPSTREAM:
        writer.text(key.encode() if key != "cache" else None, 100)
    writer.tag(TAG_NOTES)
    writer.text(b"[error] one\n[warn] two", 100)
    writer.answered(b"X-Token", b"abc")
    writer.plain(b"Content-Encoding", b"gzip")
    writer.tag(TAG_CUT)
    writer.end()
    ((_, data),) = ring.newest()
    entry = unpacked(data)
    assert (entry["id"], entry["time"], entry["seconds"], entry["status"]) == ("mine", "1.500", "0.250", "404")
    assert (entry["bytes"], entry["port"], entry["completion"], entry["cut"]) == ("7", "8080", "OK", True)
    assert (entry["location"], entry["server"], entry["uri"], entry["client"]) == ("/ (a:1)", "site", "/a", "127.0.0.1")
    assert (entry["upstream"], entry["response"], "cache" in entry) == ("upstream", "response", False)
    assert entry["notes"] == ["[error] one", "[warn] two"]
    assert entry["answered"] == [("Content-Type", "text/html"), ("X-Token", "****"), ("Content-Encoding", "gzip")]


@given(st.binary(max_size=300))
def test_what_is_no_record(data: bytes) -> None:
    """Two workers may have written into one slot: whoever reads it must not fail."""
    with contextlib.suppress(ValueError):
        assert isinstance(unpacked(data)["uri"], str)


def test_an_empty_one() -> None:
    with pytest.raises(ValueError, match="not a record"):
        unpacked(b"")
