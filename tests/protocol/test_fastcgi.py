from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.errors import HeadError
from gateway.protocol import fastcgi
from gateway.protocol.fastcgi import END_REQUEST, MAX_PARAMS, PARAMS, STDERR, STDIN, STDOUT, FastcgiReader, record
from tests.speeches import END, params_of, records

HEAD = b"Status: 201 Made\r\nContent-Length: 10\r\n\r\n"
BODY = b"0123456789"
CLOSED = record(STDOUT)


def read(
    parts: Sequence[bytes], length: int = 10, *, keep: bool = False, method: bytes = b"GET", wanted: bool = True
) -> tuple[int, bytes, FastcgiReader, list[bytes]]:
    """(status, body, the reader, what was said on STDERR) of an answer that comes in these parts."""
    said: list[bytes] = []

    def on_stderr(text: bytes) -> bool:
        said.append(text)
        return wanted

    reader = FastcgiReader(keep=keep, on_stderr=on_stderr)
    body = b""
    status = 0
    for part in parts:
        if status:
            body += reader.receive_body(part)
            continue
        head = reader.receive_head(part)
        if head is not None:
            status = head.status
            body += reader.begin_body(method, status, length, chunked=False, close=False)
    return status, body, reader, said


def test_a_request() -> None:
    long = (b"n" * 200, b"v" * 70)
    data = fastcgi.begin([(b"A", b"1"), (b"EMPTY", b""), long], keep=True) + fastcgi.stdin(b"body") + fastcgi.stdin(b"")
    found, rest = records(data)
    assert not rest
    assert found[0] == (fastcgi.BEGIN_REQUEST, b"\0\1\1\0\0\0\0\0")
    assert found[2:] == [(PARAMS, b""), (STDIN, b"body"), (STDIN, b"")]
    assert params_of(found[1][1]) == [(b"A", b"1"), (b"EMPTY", b""), long]


def test_many_params_need_several_records() -> None:
    pairs = [(b"N%d" % n, bytes(30000)) for n in range(5)]
    found, _ = records(fastcgi.begin(pairs, keep=False))
    contents = [content for kind, content in found if kind == PARAMS]
    assert len(contents) == 4 and contents[-1] == b"" and max(map(len, contents)) <= MAX_PARAMS
    assert [pair for content in contents for pair in params_of(content)] == pairs  # none is cut in two
    with pytest.raises(OverflowError):
        fastcgi.begin([(b"A", bytes(MAX_PARAMS))], keep=False)


@given(st.binary(max_size=100000))
def test_a_body_in_records(body: bytes) -> None:
    found, rest = records(fastcgi.stdin(body))
    assert not rest and b"".join(content for _, content in found) == body
    assert all(kind == STDIN and len(content) <= 32768 for kind, content in found)


ANSWER = (
    record(STDERR, b"warning.\n")
    + record(STDOUT, HEAD[:11])
    + record(STDERR)
    + record(STDOUT, HEAD[11:] + BODY[:3])
    + record(STDERR, b"more")
    + record(STDOUT, BODY[3:])
    + CLOSED
    + END
)


@given(st.lists(st.integers(0, len(ANSWER))), st.booleans())
def test_any_split(cuts: list[int], keep: bool) -> None:
    places = sorted({*cuts, 0, len(ANSWER)})
    parts = [ANSWER[a:b] for a, b in pairwise(places)]
    status, body, reader, said = read(parts, keep=keep)
    assert (status, body, said) == (201, BODY, [b"warning", b"more"])
    assert reader.done and reader.keepalive == keep and reader.receive_end()


def test_what_stderr_says_before_the_head_is_in_its_way_as_in_nginx() -> None:
    """The buffer for the head begins anew where a part of STDERR fills it, or is all that came."""
    said = record(STDERR, bytes(5000))
    reader = FastcgiReader(limit=4096)
    assert reader.receive_head(said + record(STDOUT, b"A: b")) is None
    assert reader.head_received() == len(said) - 4096 + 16  # padded
    for _ in range(3):
        reader = FastcgiReader(limit=4096)
        for at in range(0, 3000, 100):  # no padding: each ends where what came does
            assert reader.receive_head(record(STDERR, bytes(96))) is None and reader.head_received() == 0, at
    assert reader.receive_head(record(STDOUT, HEAD + BODY)) is not None
    assert reader.head_received() == 8 + len(HEAD)


@pytest.mark.parametrize(("size", "lines"), [(1, 256), (17, 128), (8, 0), (121, 0), (5000, 0)])
def test_no_more_is_looked_at_than_may_come_before_the_head(size: int, lines: int) -> None:
    """Where the buffer ends in the padding of a record it is full; 0: in what is said, and another one is read."""
    said: list[bytes] = []
    reader = FastcgiReader(on_stderr=lambda text: not said.append(text), limit=4096)
    data = record(STDERR, bytes(size)) * (20000 // size)
    assert reader.receive_head(data) is None
    assert (reader.head_received() >= 4096) == bool(lines)
    assert len(said) == (lines or 20000 // size)


def test_stderr_decides() -> None:
    with pytest.raises(HeadError) as caught:
        read([ANSWER], wanted=False)
    assert caught.value.message == ""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"H", "unsupported FastCGI protocol version: 72"),
        (b"\1\4", "invalid FastCGI record type: 4"),
        (b"\1\6\1", "unexpected FastCGI request id high byte: 1"),
        (b"\1\6\0\2", "unexpected FastCGI request id low byte: 2"),
        (END, "unexpected FastCGI record: 3"),
        (CLOSED, "prematurely closed FastCGI stdout"),
        (record(STDOUT, b"\0: a\r\n\r\n"), "invalid header"),
    ],
)
def test_refused(data: bytes, message: str) -> None:
    with pytest.raises(HeadError, match=message):
        read([data])
    with pytest.raises(HeadError, match=message):
        read([data[at : at + 1] for at in range(len(data))])


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (CLOSED, "prematurely closed FastCGI stdout"),
        (END, "prematurely closed FastCGI request"),
        (b"x", "version: 120"),
    ],
)
def test_broken_off(end: bytes, message: str) -> None:
    reader = FastcgiReader()
    reader.receive_head(record(STDOUT, HEAD))
    assert reader.begin_body(b"GET", 200, 10, chunked=False, close=False) == b""
    with pytest.raises(HeadError, match=message) as caught:
        reader.receive_body(record(STDOUT, b"012") + end)
    assert caught.value.part == b"012"


def test_more_than_announced() -> None:
    for parts in ([record(STDOUT, HEAD + BODY + b"x")], [record(STDOUT, HEAD), record(STDOUT, BODY + b"x")]):
        _, body, reader, _ = read(parts, keep=True)
        assert body == BODY and reader.excess and reader.done and not reader.keepalive


def test_a_second_answer_spoils_the_connection() -> None:
    for parts in ([ANSWER + ANSWER], [ANSWER, ANSWER]):
        _, body, reader, _ = read(parts, keep=True)
        assert body == BODY and reader.done and not reader.keepalive


def test_the_connection_s_end() -> None:
    for keep in (True, False):
        _, _, reader, _ = read([record(STDOUT, HEAD + BODY)], -1, keep=keep)
        assert not reader.done and reader.receive_end() == (not keep)
    _, _, reader, said = read([record(STDOUT, HEAD + BODY[1:]) + record(STDERR, b"died")[:-6]])
    assert not reader.receive_end() and said == [b"di"]


def test_no_body() -> None:
    _, body, reader, _ = read([record(STDOUT, b"Status: 204\r\n\r\n") + CLOSED + END], -1)
    assert reader.done and not body and not reader.excess
    _, _, reader, _ = read([record(STDOUT, HEAD) + CLOSED + END], method=b"HEAD")
    assert reader.done and END_REQUEST == 3


def test_a_body_after_head() -> None:
    """It need not be there; but if it is, it is as long as it says."""
    for parts in ([record(STDOUT, HEAD + BODY + b"x")], [record(STDOUT, HEAD), record(STDOUT, BODY + b"x")]):
        _, body, reader, _ = read(parts, method=b"HEAD")
        assert body == BODY and reader.excess and reader.done
    with pytest.raises(HeadError, match="prematurely closed FastCGI stdout"):
        read([record(STDOUT, HEAD + BODY[1:]) + CLOSED], method=b"HEAD")
