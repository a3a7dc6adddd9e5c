"""QPACK's decoder: beside another implementation's encoder, and what it refuses."""

from __future__ import annotations

import random

import pytest

from gateway._fast.errors import QpackError
from gateway._fast.huffman import encode
from gateway._fast.qpack import QpackDecoder

CAPACITY = b"\x3f\xe1\x1f"  # 4096


def decoder(field: int = 8192, head: int = 32768, table: int = 4096, blocked: int = 16) -> QpackDecoder:
    return QpackDecoder(field, head, table, blocked)


def literal(name: bytes, value: bytes) -> bytes:
    """An insertion; both are short."""
    return bytes((0x40 | len(name),)) + name + bytes((len(value),)) + value


@pytest.mark.parametrize("seed", range(8))
def test_what_another_encoder_makes(seed: int) -> None:
    """With a table, in parts of any size, some of it late."""
    pylsqpack = pytest.importorskip("pylsqpack")
    dice = random.Random(seed)
    table = dice.choice((0, 100, 400, 4096))
    encoder = pylsqpack.Encoder()
    ours = decoder(table=table)
    sent = encoder.apply_settings(table, 16)
    names = [b":path", b"cookie", b"x-own", b"user-agent", b"accept", b"a" * 70]
    waiting: dict[int, list[tuple[bytes, bytes]]] = {}
    for stream in range(0, 1200, 4):
        fields = [
            (dice.choice(names), dice.randbytes(dice.randint(0, 8)).hex().encode()) for _ in range(dice.randint(1, 8))
        ]
        fields += [(b"x-often", b"%d" % (stream % 3)), (b":method", b"GET")]
        more, block = encoder.encode(stream, fields)
        sent += more
        waiting[stream] = fields
        got = ours.feed_header(stream, block)
        if got is not None:
            assert got == waiting.pop(stream)
        if dice.random() < 0.7:
            while sent:
                size = dice.randint(1, 40)
                part, sent = sent[:size], sent[size:]
                for ready in ours.feed_encoder(part):
                    assert ours.resume_header(ready) == waiting.pop(ready)
        encoder.feed_decoder(ours.take_said())
        assert ours.table_size <= ours.capacity <= table
    for ready in ours.feed_encoder(sent):
        assert ours.resume_header(ready) == waiting.pop(ready)
    assert not waiting and not ours.blocked
    if table == 4096:
        assert ours.inserted > 0


def test_more_insertions_than_are_needed_and_long_padding() -> None:
    """As nginx takes them: other decoders do not."""
    ours = decoder()
    ours.feed_encoder(CAPACITY + literal(b"x-a", b"1") + literal(b"x-b", b"2"))
    assert ours.feed_header(0, b"\x03\x00" + b"\x81") == [(b"x-a", b"1")]
    padded = encode(b"/") + b"\xff"
    assert ours.feed_header(4, b"\x00\x00" + b"\x51" + bytes((0x80 | len(padded),)) + padded) == [(b":path", b"/")]


def test_what_the_encoder_is_told() -> None:
    ours = decoder()
    assert ours.feed_encoder(CAPACITY) == [] and ours.take_said() == b""
    ours.feed_encoder(literal(b"a", b"b") * 3)
    assert ours.take_said() == b"\x03"
    assert ours.feed_header(4, b"\x02\x00\x80") == [(b"a", b"b")]
    assert ours.take_said() == b"\x84"
    assert ours.feed_header(8, b"\x00\x00\xd1") == [(b":method", b"GET")]
    assert ours.take_said() == b"", "no table was needed"
    ours.cancel_stream(200)
    assert ours.take_said() == b"\x7f\x89\x01"


def test_each_way_to_refer() -> None:
    ours = decoder()
    ours.feed_encoder(CAPACITY + literal(b"x-a", b"1") + b"\xc1\x01/" + b"\x80\x01!" + b"\x02")
    # x-a: 1, :path: /, :path: !, x-a: 1
    assert ours.inserted == 4
    want = [(b"x-a", b"1"), (b":path", b"!"), (b"x-a", b"1"), (b":path", b"no"), (b"x-a", b"o"), (b"n", b"v")]
    lines = b"\x83" + b"\x81" + b"\x80" + b"\x51\x02no" + b"\x43\x01o" + b"\x21n\x01v"
    assert ours.feed_header(0, b"\x05\x00" + lines) == want
    behind = b"\x10" + b"\x13" + b"\x01\x01v"  # of a base of 0
    assert ours.feed_header(4, b"\x05\x83" + behind) == [(b"x-a", b"1"), (b"x-a", b"1"), (b":path", b"v")]


def test_what_waits() -> None:
    ours = decoder(blocked=2)
    assert ours.feed_header(0, b"\x02\x00\x80") is None
    assert ours.feed_header(4, b"\x03\x00\x80") is None
    with pytest.raises(QpackError) as caught:
        ours.feed_header(8, b"\x02\x00\x80")
    assert caught.value.code == 0x200
    assert ours.feed_encoder(CAPACITY + literal(b"a", b"b")) == [0]
    assert ours.resume_header(0) == [(b"a", b"b")]
    ours.cancel_stream(4)
    assert not ours.blocked


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x3f\xe2\x1f", 0x201),  # a table of 4097
        (b"\x3f" + b"\xff" * 8, 0x201),
        (literal(b"a", b"b"), 0x201),  # no room
        (CAPACITY + b"\xff\x24\x00", 0x201),  # the static field 99
        (CAPACITY + b"\x80\x00", 0x201),  # of an empty table
        (CAPACITY + b"\x00", 0x201),
        (CAPACITY + b"\x41a\x7f\xff\x7f", 0x107),  # a value of 16,510 bytes
        (CAPACITY + b"\x5f\xff\x7f", 0x107),
        (CAPACITY + b"\x61\x00\x00", 0x201),  # no Huffman code
    ],
    ids=lambda value: "",
)
def test_wrong_instructions(data: bytes, code: int) -> None:
    ours = decoder()
    with pytest.raises(QpackError) as caught:
        for at in range(len(data)):
            ours.feed_encoder(data[at : at + 1])
    assert caught.value.code == code


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\x00",
        b"\x00\x80",  # a base of -1
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xff\x03\x00",  # more insertions than can be meant
        b"\x01\x00",
        b"\x00\x00\xff\x24",
        b"\x00\x00\x80",
        b"\x00\x00\x10",
        b"\x00\x00\x00\x01a",
        b"\x00\x00\x40\x01a",
        b"\x00\x00\x51",
        b"\x00\x00\x51\x05abc",
        b"\x00\x00\x23ab",
        b"\x00\x00\x51\x81\x00",
    ],
)
def test_wrong_blocks(block: bytes) -> None:
    with pytest.raises(QpackError) as caught:
        decoder().feed_header(0, block)
    assert caught.value.code == 0x200


def test_limits() -> None:
    ours = decoder(field=100, head=1000)
    with pytest.raises(QpackError) as caught:
        ours.feed_header(0, b"\x00\x00\x51\x65" + b"x" * 101)
    assert caught.value.code == 0x107
    ours.feed_encoder(CAPACITY + literal(b"a", b"b" * 99))
    block = b"\x02\x00" + b"\x80" * 10
    assert ours.feed_header(4, block) == [(b"a", b"b" * 99)] * 10
    with pytest.raises(QpackError) as caught:
        ours.feed_header(8, block + b"\x80")
    assert (caught.value.code, str(caught.value)) == (0, "client sent too large header")
    assert ours.take_said().endswith(b"\x84\x88"), "it was read all the same"
    waits = b"\x41a\x63" + b"x" * 98
    ours.feed_encoder(waits)
    assert ours.inserted == 1, "one byte is missing"


def test_noise() -> None:
    dice = random.Random(7)
    for _ in range(3000):
        ours = decoder(200, 2000)
        try:
            ours.feed_encoder(CAPACITY + literal(b"name", b"value"))
            ours.feed_encoder(dice.randbytes(dice.randint(0, 60)))
            ours.feed_header(0, bytes((dice.randint(0, 4), 0)) + dice.randbytes(dice.randint(0, 60)))
        except QpackError as error:
            assert error.code in (0, 0x107, 0x200, 0x201)
