"""OTLP's messages, read by the classes that protoc made of their descriptions."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol import otlp
from tests.spans import Attribute, span

service: Any = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
START = 1_700_000_000_000_000_001
SOURCE = otlp.origin([(b"service.name", b"shop"), (b"zone", "Ü".encode())], b"gateway", b"1.2")


def read(framed: bytes) -> Any:
    assert framed[:1] == b"\0" and int.from_bytes(framed[1:5], "big") == len(framed) - 5
    return service.ExportTraceServiceRequest.FromString(framed[5:])


def attributes_of(span: Any) -> dict[str, Any]:
    found = {}
    for each in span.attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind)
        found[each.key] = [one.string_value for one in value.values] if kind == "array_value" else value
    return found


def test_a_request() -> None:
    said: list[Attribute] = [
        (b"http.method", b"GET"), (b"http.status_code", 502), (b"below", -1),
        (b"http.request.header.x", b"one", True), (b"broken", b"\xffx"),
    ]  # fmt: skip
    one = span(bytes(range(16)), b"12345678", b"/path", START, START + 1, said, b"abcdefgh", b"a=1,b=2", failed=True)
    two = span(b"t" * 16, b"s" * 8, b"x" * 300, 1, 2)
    told = read(otlp.request(SOURCE, [one, two])).resource_spans[0]
    attributes = {each.key: each.value.string_value for each in told.resource.attributes}
    assert attributes == {"service.name": "shop", "zone": "Ü"}
    scope = told.scope_spans[0]
    assert (scope.scope.name, scope.scope.version) == ("gateway", "1.2")
    first, second = scope.spans
    assert (first.trace_id, first.span_id, first.parent_span_id) == (bytes(range(16)), b"12345678", b"abcdefgh")
    assert (first.trace_state, first.name, first.kind) == ("a=1,b=2", "/path", 2)
    assert (first.start_time_unix_nano, first.end_time_unix_nano) == (START, START + 1)
    assert first.status.code == 2 and second.status.code == 0
    assert attributes_of(first) == {
        "http.method": "GET", "http.status_code": 502, "below": -1, "http.request.header.x": ["one"], "broken": "�x",
    }  # fmt: skip
    assert (second.parent_span_id, second.trace_state, second.name) == (b"", "", "x" * 300)


@given(st.lists(st.tuples(st.binary(max_size=200), st.binary(max_size=200) | st.integers(-(2**63), 2**63 - 1))))
def test_whatever_is_said_is_read(pairs: list[tuple[bytes, bytes | int]]) -> None:
    made = otlp.request(SOURCE, [span(b"t" * 16, b"s" * 8, b"n", 1, 2, pairs)])
    found = read(made).resource_spans[0].scope_spans[0].spans[0].attributes
    assert len(found) == len(pairs)
    for (name, value), each in zip(pairs, found, strict=True):
        assert each.key == name.decode("utf-8", "replace")
        if isinstance(value, int):
            assert each.value.int_value == value
        else:
            assert each.value.string_value == value.decode("utf-8", "replace")


def test_what_was_not_taken() -> None:
    answer = service.ExportTraceServiceResponse()
    assert otlp.rejected(b"") == (0, b"")
    assert otlp.rejected(bytes(5)) == (0, b"")
    answer.partial_success.rejected_spans = 300
    answer.partial_success.error_message = "too old"
    assert otlp.rejected(bytes(5) + answer.SerializeToString()) == (300, b"too old")
    assert otlp.rejected(bytes(5) + b"\x19" + bytes(8) + b"\x25" + bytes(4) + answer.SerializeToString())[0] == 300


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\x05x", b"\xff", b"\x0b", b"\x0a\x02\x12\x09", b"\x80" * 11])
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"a field that|a number that"):
        otlp.rejected(bytes(5) + data)
    with pytest.raises(ValueError, match="compressed"):
        otlp.rejected(b"\1" + bytes(4))


@given(st.binary())
def test_any_answer(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        otlp.rejected(data)
