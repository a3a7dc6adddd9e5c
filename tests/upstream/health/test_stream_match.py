from __future__ import annotations

from gateway.upstream.health.stream_match import begins_with, with_bytes


def test_bytes_in_a_string() -> None:
    assert with_bytes(rb"a\x00\xFf\xg\n") == b"a\x00\xff\\xg\\n"


def test_begins_with() -> None:
    assert begins_with(b"+OK")(b"+OK ready") and not begins_with(b"+OK")(b"-ERR +OK")
