"""The words of a failure."""

from __future__ import annotations

import pytest

from gateway.config.parser import parse
from gateway.dev.diagnosis.failure import as_written, block_size, duration, numbered, shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0002, "0.2 ms"), (0.031, "31 ms"), (2.5, "2.5 s"), (-0.1, "0.0 ms")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_directive_as_it_was_written() -> None:
    (statement,) = parse('root "/a b" c;', "site.conf").statements
    assert as_written(statement) == 'root "/a b" c (site.conf:1)'


def test_what_a_uwsgi_server_reads_as_a_size() -> None:
    assert block_size(b"GET / HTTP/1.1") == 21573
    assert block_size(b"\0\x01\x02\0") == 0x201
    assert block_size(b"G") == 0


def test_bytes_in_a_line() -> None:
    assert shown(b"\x00a\n") == r"'\x00a\n'"
    assert shown(b"x" * 99, 3) == "'xxx'…"


def test_one_cause_has_no_number() -> None:
    assert numbered(["a"]) == "a"
    assert numbered(["a", "b"]) == "1) a; 2) b"
