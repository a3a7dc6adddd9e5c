"""The tables of one track, cut to a time; files made of them are tried in test_mp4."""

from __future__ import annotations

import struct

import pytest

from gateway.protocol.mp4_trak import Mp4Error, Trak, TrakCutter


def rows(*numbers: int, width: int = 1, before: bytes = b"") -> bytes:
    return bytes(4) + before + struct.pack(f">I{len(numbers)}I", len(numbers) // width, *numbers)


def trak(**changed: bytes) -> Trak:
    """Ten samples of a second and of 10 bytes, two in each chunk; the chunks are 100 bytes apart."""
    atoms = {
        b"stts": rows(10, 1000, width=2),
        b"stss": rows(1, 6),
        b"ctts": rows(4, 1, 6, 2, width=2),
        b"stsc": rows(1, 2, 1, width=3),
        b"stsz": rows(*[10] * 10, before=bytes(4)),
        b"stco": rows(*range(1000, 1500, 100)),
    }
    atoms.update({name.encode(): data for name, data in changed.items()})
    return Trak(atoms=atoms, timescale=1000, duration=10_000)


def numbers(data: bytes, skip: int = 16) -> list[int]:
    """What is in a table behind its head, version and count."""
    return list(struct.unpack(f">{(len(data) - skip) // 4}I", data[skip:]))


def test_from_a_time_to_a_time() -> None:
    made = trak()
    TrakCutter(5000, 3000, 4000, False).cut(made, 5000)
    assert (made.start_sample, made.end_sample) == (3, 7)
    assert numbers(made.tables[b"stts"]) == [4, 1000]
    assert numbers(made.tables[b"stss"]) == [3]  # the sixth of the whole
    assert numbers(made.tables[b"ctts"]) == [1, 1, 3, 2]
    assert numbers(made.tables[b"stsz"], 20) == [10] * 4
    # from the second sample of the second chunk to the first of the fourth
    assert (made.start_offset, made.end_offset) == (1110, 1310)
    assert made.offsets[0] == 1110 and made.offsets[1:] == [1200, 1300]


def test_back_to_a_key_frame() -> None:
    made = trak()
    TrakCutter(5000, 7000, 0, True).cut(made, 5000)
    assert made.start_sample == 5 and made.prefix == 2000
    assert made.end_offset == 5000  # up to the end


@pytest.mark.parametrize(
    ("changed", "start", "words"),
    [
        ({}, 11_000, 'start time is out mp4 stts samples in "%s"'),
        ({"stsc": rows(width=3)}, 1000, 'zero number of entries in stsc atom in "%s"'),
        ({"stco": rows(1000)}, 3000, 'start time is out mp4 stsc chunks in "%s"'),
        ({"stsz": rows(10, before=bytes(4))}, 3000, 'start time is out mp4 stsz samples in "%s"'),
    ],
)
def test_tables_that_are_too_short(changed: dict[str, bytes], start: int, words: str) -> None:
    with pytest.raises(Mp4Error) as caught:
        TrakCutter(5000, start, 0, False).cut(trak(**changed), 5000)
    assert str(caught.value) == words
