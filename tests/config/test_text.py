"""text: bytes survive being configuration text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.config.text import to_bytes, to_str


@given(st.binary())
def test_any_bytes_come_back(data: bytes) -> None:
    assert to_bytes(to_str(data)) == data


def test_utf8_reads_as_text() -> None:
    assert to_str("grüße".encode()) == "grüße"
    assert to_bytes("日本") == b"\xe6\x97\xa5\xe6\x9c\xac"
