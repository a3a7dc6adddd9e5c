"""What a stream keeps of pieces that come in any order, and never more than was sent."""

from __future__ import annotations

import random
from typing import Any

import pytest

pytest.importorskip("aioquic")
from aioquic.quic.connection import QuicConnectionError
from aioquic.quic.packet import QuicStreamFrame
from aioquic.quic.stream import FinalSizeError

from gateway.http.quic_receiver import Receiver


def give(receiver: Receiver, offset: int, data: bytes, *, last: bool = False) -> bytes | None:
    event: Any = receiver.handle_frame(QuicStreamFrame(data=data, offset=offset, fin=last))
    return None if event is None else bytes(event.data)


def kept(receiver: Receiver) -> int:
    return sum(map(len, receiver.waiting)) + len(receiver._buffer)


@pytest.mark.parametrize("seed", range(20))
def test_pieces_in_any_order_that_overlap(seed: int) -> None:
    dice = random.Random(seed)
    text = dice.randbytes(3000)
    receiver = Receiver(0, 65536)
    pieces = [(at, dice.randint(1, 120)) for at in range(0, 3000, 40)] + [
        (dice.randrange(3000), dice.randint(1, 300)) for _ in range(40)
    ]
    pieces += [(at, 40) for at in range(0, 3000, 40)]
    dice.shuffle(pieces)
    got = b""
    for at, size in pieces:
        part = text[at : at + size]
        got += give(receiver, at, part, last=at + len(part) == 3000) or b""
        assert kept(receiver) <= 3000 - len(got)
        assert sorted(receiver.starts) == receiver.starts
    assert got == text
    assert receiver.is_finished and kept(receiver) == 0


def test_a_byte_at_the_end_of_the_window_costs_a_byte() -> None:
    receiver = Receiver(0, 1 << 20)
    assert give(receiver, (1 << 20) - 1, b"x") is None
    assert kept(receiver) == 1


def test_no_more_pieces_than_a_window_of_packets_has() -> None:
    receiver = Receiver(0, 65536)
    count = 0
    with pytest.raises(QuicConnectionError):
        for at in range(2, 65536, 2):
            give(receiver, at, b"x")
            count += 1
    assert 65536 // 1200 < count <= 256


def test_the_end() -> None:
    receiver = Receiver(0, 65536)
    assert give(receiver, 3, b"def", last=True) is None
    with pytest.raises(FinalSizeError):
        give(receiver, 3, b"defg")
    with pytest.raises(FinalSizeError):
        give(receiver, 0, b"ab", last=True)
    assert give(receiver, 0, b"abc") == b"abcdef"
    assert receiver.is_finished
    assert give(receiver, 0, b"abc") is None, "once more"
    empty = Receiver(0, 65536)
    assert give(empty, 0, b"ab") == b"ab"
    assert give(empty, 2, b"", last=True) == b""
    assert empty.is_finished


def test_a_reset_drops_what_waits() -> None:
    receiver = Receiver(0, 65536)
    give(receiver, 10, b"x" * 10)
    assert receiver.handle_reset(final_size=30, error_code=1) is not None
    assert kept(receiver) == 0 and receiver.is_finished
