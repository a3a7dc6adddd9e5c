"""Response heads: the cases of tests/data/http1/response.toml, lookups, rendering."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.errors import HeadError
from gateway._fast.http1_response import parse_response_head
from tests.protocol.http1_cases import load, to_bytes

CASES = load("response")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    data = to_bytes(case["data"])
    form = case.get("form", "http")
    if "headless" in case:  # HTTP/0.9
        head = parse_response_head(b"//" + data, 2, form)
        assert head is not None
        assert (head.version, head.status, head.size, head.fields, head.status_line) == (9, 0, 0, [], b"")
        return
    if "refused" in case:
        for more in (b"", b"B: c\r\n\r\n"):
            with pytest.raises(HeadError) as raised:
                parse_response_head(data + more, 0, form)
            assert (raised.value.status, raised.value.message) == (502, case["refused"])
        return
    for n in range(len(data)):
        assert parse_response_head(data[:n], 0, form) is None
    if case.get("incomplete"):
        assert parse_response_head(data, 0, form) is None
        return
    for offset, text in ((0, data), (0, data + b"body"), (3, b"..." + data)):
        head = parse_response_head(text, offset, form)
        assert head is not None
        assert (head.status, head.size) == (case["code"], len(data))
        for name in case.keys() & {"status_line", "reason", "version"}:
            assert getattr(head, name) == to_bytes(case[name])
        if "fields" in case:
            assert head.fields == to_bytes([*case["fields"], "x"])[:-1]


def test_lookups() -> None:
    head = parse_response_head(b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX-Y: b\r\nset-cookie: c\r\n\r\n")
    assert head is not None
    assert (head.get(b"x-y"), head.get(b"set-cookie"), head.get(b"z")) == (b"b", b"a", None)
    assert head.get_all(b"set-cookie") == [b"a", b"c"]
    assert (head.variable(b"x_y"), head.variable(b"set_cookie"), head.variable(b"z")) == (b"b", b"a, c", None)


text = st.from_regex(rb"(?:[!-~](?:[ -~]{0,20}[!-~])?)?", fullmatch=True)
names = st.from_regex(rb"[A-Za-z][A-Za-z0-9_-]{0,20}", fullmatch=True)


@given(st.integers(100, 999), text, st.lists(st.tuples(names, text), max_size=20))
def test_rendered_heads_are_read_back(status: int, reason: bytes, fields: list[tuple[bytes, bytes]]) -> None:
    line = b"HTTP/1.1 %d %b" % (status, reason)
    lines = [line, *(b"%b: %b" % field for field in fields), b"", b""]
    head = parse_response_head(b"\r\n".join(lines))
    assert head is not None
    assert (head.status, head.reason, head.fields) == (status, reason, fields)


@given(st.binary(max_size=100), st.sampled_from(["http", "uwsgi", "cgi"]))
def test_nothing_but_head_error(data: bytes, form: Any) -> None:
    for start in (b"", b"HTTP/1.1 200 OK\r\n"):
        try:
            parse_response_head(start + data, 0, form)
        except HeadError as error:
            assert error.status == 502
