"""The grammar of requests: the cases of tests/data/http1, properties, and h11 as a second opinion."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.http1_request import (
    NEED_DATA,
    Data,
    EndOfRequest,
    HeadError,
    HeadLimits,
    RequestHead,
    RequestParser,
    RequestReader,
    parse_head,
    validate_host,
)
from tests.protocol.http1_cases import load, splits, to_bytes

CASES = [case | {"file": file} for file in ("request_line", "host", "fields", "buffers") for case in load(file)]
ABOUT = {"name", "file", "data", "limits", "status", "message", "incomplete", "notes", "fields"}


def limits_of(case: dict[str, Any]) -> HeadLimits:
    given_limits = dict(case.get("limits", {}))
    if "large_buffers" in given_limits:
        given_limits["large_buffers"] = tuple(given_limits["large_buffers"])
    return HeadLimits(**given_limits)


def feed(pieces: list[bytes], limits: HeadLimits | None = None) -> RequestHead | HeadError | None:
    parser = RequestParser(limits)
    try:
        for piece in pieces:
            head = parser.feed(piece)
            if head is not None:
                return head
    except HeadError as error:
        return error
    return None


def check(case: dict[str, Any], outcome: RequestHead | HeadError | None) -> None:
    if "status" in case:
        assert isinstance(outcome, HeadError)
        assert outcome.status == case["status"]
        assert case["message"] in str(outcome)
        return
    if case.get("incomplete"):
        assert outcome is None
        return
    assert isinstance(outcome, RequestHead), outcome
    for name in case.keys() - ABOUT:
        assert getattr(outcome, name) == to_bytes(case[name]), name
    if "fields" in case:
        assert outcome.fields() == to_bytes([*case["fields"], "x"])[:-1]
    assert (outcome.notes or []) == [
        note.encode("latin-1").decode("utf-8", "surrogateescape") for note in case.get("notes", [])
    ]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['file']}: {case['name']}" for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    data = to_bytes(case["data"])
    limits = limits_of(case)
    for pieces in splits(data):
        check(case, feed(pieces, limits))
    if case.get("incomplete"):
        return
    outcome = feed([data + b"\0beyond\r\n"], limits)
    check(case, outcome)
    if isinstance(outcome, RequestHead):
        assert outcome.data[outcome.end :] == b"\0beyond\r\n"
        assert outcome.size == len(data)
        # the same at an offset
        inner = parse_head(b"GET / HTTP/1.0\r\n\r\n" + data, 18, limits)
        check(case, inner)
        assert inner is not None and (inner.size, inner.end) == (len(data), len(data) + 18)


@pytest.mark.parametrize("case", [c for c in CASES if "status" in c], ids=lambda c: c["name"])
def test_refused_as_early_as_by_bytes(case: dict[str, Any]) -> None:
    """What comes after the offending byte changes nothing."""
    data = to_bytes(case["data"])
    limits = limits_of(case)
    parser = RequestParser(limits)
    with pytest.raises(HeadError) as raised:
        for n in range(len(data)):
            seen = n + 1
            parser.feed(data[n : n + 1])
    whole = feed([data[:seen] + b"GET / HTTP/1.1\r\n\r\n"], limits)
    assert isinstance(whole, HeadError)
    assert (whole.status, whole.message) == (raised.value.status, raised.value.message)


# --- lookups


def test_lookups() -> None:
    head = parse_head(
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nX-Forwarded-For: 1\r\ncookie: b=2\r\nX-Forwarded-For: 2\r\n\r\n"
    )
    assert head is not None
    assert head.get(b"cookie") == b"a=1"
    assert head.get_all(b"x-forwarded-for") == [b"1", b"2"]
    assert head.combined(b"x-forwarded-for") == head.variable(b"x_forwarded_for") == b"1, 2"
    assert head.combined(b"cookie") == head.variable(b"cookie") == b"a=1; b=2"
    assert head.combined(b"host") == b"a"
    for lookup in (head.get, head.combined, head.variable):
        assert lookup(b"absent") is None
    assert head.get_all(b"absent") == []
    assert head.variable(b"x-forwarded-for") is None
    assert head.get(b"x_forwarded_for") is None


def test_validate_host() -> None:
    assert validate_host(b"A") == (b"a", 0)
    assert b"xAx"[1:2] == bytes([0x41])  # one-byte objects are shared: nothing may have written into b"A"
    assert validate_host(b"A.b.:80") == (b"a.b", 80)
    assert validate_host(b"a b") is None


# --- limits of the server that the host chooses


def test_on_host_is_called_once_and_changes_the_limits() -> None:
    seen: list[tuple[bytes, bytes]] = []

    def on_host(host: bytes, head: RequestHead) -> HeadLimits | None:
        seen.append((host, head.uri))
        return HeadLimits(underscores_in_headers=True)

    head = parse_head(b"GET /x HTTP/1.1\r\na_b: 1\r\nHost: H:1\r\na_b: 2\r\n\r\n", 0, HeadLimits(), on_host)
    assert head is not None
    assert (seen, head.get(b"a_b")) == ([(b"h", b"/x")], b"2")
    for data in (b"GET /x\r\n", b"GET /x HTTP/1.0\r\n\r\n"):
        seen.clear()
        assert parse_head(data, 0, HeadLimits(), on_host) is not None
        assert seen == [(b"", b"/x")]
    seen.clear()
    assert parse_head(b"GET http://q/x HTTP/1.1\r\nHost: r\r\n\r\n", 0, HeadLimits(), on_host) is not None
    assert seen == [(b"q", b"/x")]


def test_on_host_may_refuse() -> None:
    def on_host(host: bytes, head: RequestHead) -> HeadLimits | None:
        raise HeadError(421, "client attempted to request the server name different from the one that was negotiated")

    with pytest.raises(HeadError) as raised:
        parse_head(b"GET http://a/x HTTP/1.1\r\n", 0, HeadLimits(), on_host)
    assert (raised.value.status, raised.value.head.uri) == (421, b"/x")


def test_large_buffers_of_the_chosen_server() -> None:
    data = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 300 + b"\r\n\r\n"
    small = HeadLimits(header_buffer_size=32, large_buffers=(1, 64))
    large = HeadLimits(header_buffer_size=32, large_buffers=(2, 512))
    assert parse_head(data, 0, small, lambda host, head: large) is not None
    with pytest.raises(HeadError, match="too long header line"):
        parse_head(data, 0, large, lambda host, head: small)


def test_the_parser_keeps_no_empty_lines() -> None:
    parser = RequestParser()
    for _ in range(1000):
        assert parser.feed(b"\r\n") is None
    assert parser.head is not None and parser.head.data == b""
    assert parser.feed(b"GET / HTTP/1.0\r\n\r\n") is not None


def test_one_parser_reads_one_request_after_another() -> None:
    parser = RequestParser()
    data = b"GET /1 HTTP/1.0\r\n\r\nGET /2 HTTP/1.0\r\n\r\n"
    first = parser.feed(data)
    assert first is not None
    second = parser.feed(data, first.end)
    assert second is not None and (first.uri, second.uri, second.end) == (b"/1", b"/2", len(data))


# --- the reader


def events(pieces: list[bytes], **options: Any) -> list[Any]:
    reader = RequestReader(**options)
    out: list[Any] = []
    for piece in pieces:
        reader.receive_data(piece)
        while (event := reader.next_event()) is not NEED_DATA:
            out.append(event)
            if isinstance(event, EndOfRequest):
                return [*out, reader.rest]
    return out


def body_of(out: list[Any]) -> bytes:
    return b"".join(event.data for event in out if isinstance(event, Data))


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", b""),
        (b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
    ],
)
def test_reader(data: bytes, body: bytes) -> None:
    for pieces in splits(data):
        out = events(pieces)
        assert body_of(out) == body
        assert out[-2:] == [EndOfRequest(), b""]
    assert events([data + b"GET"])[-1] == b"GET"


def test_reader_keeps_trailers() -> None:
    data = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n"
    assert events([data], keep_trailers=True)[1] == EndOfRequest(((b"X", b"y"),))


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([b"GET / HTT", b""], 400),
        ([b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhe", b""], 400),
        ([b"POST / HTTP/1.0\r\nContent-Length: 11\r\n\r\n"], 413),
        ([b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n"], 413),
        ([b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx"], 400),
    ],
)
def test_reader_refuses(pieces: list[bytes], status: int) -> None:
    reader = RequestReader(max_body=10)
    with pytest.raises(HeadError) as raised:
        for piece in pieces:
            reader.receive_data(piece)
            while reader.next_event() is not NEED_DATA:
                pass
    assert raised.value.status == status
    with pytest.raises(HeadError):
        reader.next_event()


# --- properties

TOKENS = [
    b"GET ", b"POST ", b"CONNECT ", b"/", b"/a.b", b"..", b"%2e", b"%", b"?", b"#", b"http://", b"[::1]", b"a:80", b" ",
    b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\n", b"\r", b"\0", b"\t", b"Host: a", b"Host: ", b":", b"X: y", b"x_y: z",
    b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Connection: close", b"\x80", b"a" * 20,
]
requests = st.lists(st.sampled_from(TOKENS), max_size=16).map(b"".join) | st.sampled_from(
    [to_bytes(case["data"]) for case in CASES]
)
SMALL = HeadLimits(header_buffer_size=24, large_buffers=(2, 48), max_headers=3)


def summary(outcome: RequestHead | HeadError | None) -> Any:
    if isinstance(outcome, HeadError):
        return (outcome.status, outcome.message)
    if outcome is None:
        return None
    return (outcome.request_line, outcome.uri, outcome.args, outcome.exten, outcome.hostname, outcome.fields(),
            outcome.content_length, outcome.chunked, outcome.keep_alive, outcome.length)


@given(requests, st.lists(st.integers(0, 200), max_size=6), st.sampled_from([HeadLimits(), SMALL]))
def test_any_split_gives_the_same(data: bytes, cuts: list[int], limits: HeadLimits) -> None:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places)]
    assert summary(feed(pieces, limits)) == summary(feed([data], limits))


TEXTS = ("method", "request_line", "target", "uri", "args", "exten", "protocol", "schema", "hostname")


def test_a_head_of_nothing() -> None:
    head = RequestHead()
    assert [getattr(head, name) for name in TEXTS] == [b""] * len(TEXTS)
    assert (head.fields(), head.get(b"a"), head.host, head.absolute_host) == ([], None, None, None)
    assert (head.size, head.length, head.content_length, head.keep_alive) == (0, 0, -1, False)


def test_a_refused_line_has_no_uri() -> None:
    for data in (b"GET /a\0", b"GET /%00 HTTP/1.0\r\n", b"GET http://", b"GET /a HTTP/1.1x", b"GET /a?b\0"):
        outcome = feed([data + b"\0"])
        assert isinstance(outcome, HeadError)
        assert (outcome.head.uri, outcome.head.args, outcome.head.exten) == (b"", b"", b"")


@given(st.binary(max_size=300) | requests)
def test_nothing_but_head_error(data: bytes) -> None:
    outcome = feed([data])
    if isinstance(outcome, HeadError):
        assert 400 <= outcome.status <= 505 and outcome.head is not None
        assert all(isinstance(getattr(outcome.head, name), bytes) for name in TEXTS)
        assert isinstance(outcome.head.fields(), list)


@given(
    st.lists(
        st.tuples(
            st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,30}", fullmatch=True),
            st.from_regex(rb"(?:[!-~](?:[ -~]{0,40}[!-~])?)?", fullmatch=True),
        ).filter(lambda field: field[0].lower() not in (b"content-length", b"transfer-encoding", b"host")),
        max_size=30,
        unique_by=lambda field: field[0].lower(),
    )
)
def test_fields_come_back(fields: list[tuple[bytes, bytes]]) -> None:
    data = b"GET / HTTP/1.0\r\n" + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"
    head = parse_head(data)
    assert head is not None and head.fields() == fields
    for name, value in fields:
        assert head.get(name.lower()) == value
        assert head.variable(name.lower().replace(b"-", b"_")) == value


# --- h11 as a second opinion

KNOWN_DIFFERENCES = {
    case: entry["reason"] for entry in load("h11_differences", "difference") for case in entry["cases"]
}


def completed(case: dict[str, Any]) -> bytes:
    """Cases that nginx refuses early go on to the end of a head, which h11 waits for."""
    data: bytes = to_bytes(case["data"])
    if "status" in case and not data.endswith(b"\r\n\r\n"):
        data += b"\r\n" if data.endswith(b"\n") else b"\r\n\r\n"
    return data


def h11_opinion(data: bytes) -> Any:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return "refused"
    if event is h11.NEED_DATA:
        return "incomplete"
    assert isinstance(event, h11.Request)
    return (event.method, event.target, [(name, value) for name, value in event.headers])


def our_opinion(data: bytes) -> Any:
    outcome = feed([data])
    if isinstance(outcome, HeadError):
        return "refused"
    if outcome is None:
        return "incomplete"
    target = outcome.target
    if outcome.absolute_host is not None:
        target = outcome.schema + b"://" + outcome.absolute_host + (b"" if target == b"/" else target)
    return (outcome.method, target, [(name.lower(), value) for name, value in outcome.fields()])


COMPARED = [case for case in CASES if "limits" not in case]


@pytest.mark.parametrize("case", COMPARED, ids=[f"{case['file']}: {case['name']}" for case in COMPARED])
def test_h11(case: dict[str, Any]) -> None:
    data = completed(case)
    same = h11_opinion(data) == our_opinion(data)
    assert same == (f"{case['file']}: {case['name']}" not in KNOWN_DIFFERENCES)


def test_known_differences_name_cases() -> None:
    assert KNOWN_DIFFERENCES.keys() <= {f"{case['file']}: {case['name']}" for case in COMPARED}
