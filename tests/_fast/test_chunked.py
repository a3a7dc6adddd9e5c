"""Chunked bodies: the cases of tests/data/http1/chunked.toml, and encoding then decoding as the identity."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway._fast.chunked import ChunkedDecoder
from gateway._fast.errors import HeadError
from tests.protocol.http1_cases import load, splits, to_bytes

CASES = load("chunked")


def decoder_of(case: dict[str, Any]) -> ChunkedDecoder:
    return ChunkedDecoder(
        max_size=case.get("max_size", 0),
        keep_trailers=case.get("keep", False),
        upstream=case.get("upstream", False),
    )


def decode(decoder: ChunkedDecoder, pieces: list[bytes]) -> tuple[bytes, bool, bytes]:
    body: list[bytes] = []
    for number, piece in enumerate(pieces):
        slices, done, rest = decoder.feed(piece)
        body += slices
        if done:
            return b"".join(body), True, rest + b"".join(pieces[number + 1 :])
    return b"".join(body), False, b""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    data = to_bytes(case["data"])
    for pieces in [*splits(data), [data + b"5\r\nafter"]]:
        decoder = decoder_of(case)
        if "status" in case:
            with pytest.raises(HeadError) as raised:
                decode(decoder, pieces)
            assert raised.value.status == case["status"]
            assert raised.value.message == case.get("message", "client sent invalid chunked body")
            with pytest.raises(HeadError):
                decoder.feed(b"0")
        elif case.get("incomplete"):
            if b"after" not in pieces[-1]:
                assert not decode(decoder, pieces)[1]
        else:
            after = b"5\r\nafter" if b"after" in pieces[-1] else b""
            assert decode(decoder, pieces) == (to_bytes(case["body"]), True, after)
            assert decoder.done and decoder.received == len(to_bytes(case["body"]))
            assert decoder.trailers == to_bytes([*case.get("trailers", []), "x"])[:-1]


def test_offset_and_whole_slices() -> None:
    decoder = ChunkedDecoder()
    assert decoder.feed(b"....5\r\n", 4) == ([], False, b"")
    data = b"12345"
    assert decoder.feed(data)[0][0] is data
    assert decoder.feed(b"\r\n0\r\n\r\n") == ([], True, b"")
    assert decoder.feed(b"more") == ([], True, b"more")


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.binary(max_size=10), st.integers(1, 9))
def test_identity(chunks: list[bytes], after: bytes, step: int) -> None:
    data = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n" + after
    pieces = [data[n : n + step] for n in range(0, len(data), step)]
    assert decode(ChunkedDecoder(), pieces) == (b"".join(chunks), True, after)


framing = [b"5", b"0", b"a", b"\r\n", b"\n", b"\r", b";x", b" ", b"hello", b"A: b", b"ff" * 8]


@given(st.lists(st.sampled_from(framing)).map(b"".join), st.booleans(), st.integers(1, 5))
def test_any_split_gives_the_same(data: bytes, keep: bool, step: int) -> None:
    def outcome(pieces: list[bytes]) -> Any:
        decoder = ChunkedDecoder(keep_trailers=keep, max_trailers=30)
        try:
            return (*decode(decoder, pieces), decoder.trailers)
        except HeadError as error:
            return error.status, error.message

    assert outcome([data]) == outcome([data[n : n + step] for n in range(0, len(data), step)])
