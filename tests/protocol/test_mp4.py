"""Parts of mp4 files: every sample of the part is the one it was, and broken files are refused."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.mp4 import Cut, Mp4Error, cut

MOST = 1 << 20


def atom(name: bytes, *parts: bytes) -> bytes:
    inside = b"".join(parts)
    return struct.pack(">I", 8 + len(inside)) + name + inside


def table(name: bytes, *rows: tuple[int, ...], before: bytes = b"") -> bytes:
    numbers = [number for row in rows for number in row]
    return atom(name, bytes(4), before, struct.pack(">I", len(rows)), struct.pack(f">{len(numbers)}I", *numbers))


@dataclass
class Film:
    """One track: samples of 100 ms, so many in each chunk."""

    sizes: list[int]
    chunks: list[int]  # samples in each
    sync: list[int]
    wide: bool = False  # co64
    moov_first: bool = True

    def sample(self, number: int) -> bytes:
        return struct.pack(">I", number) * self.sizes[number]

    def build(self) -> bytes:
        count = len(self.sizes)
        data = b"".join(self.sample(number) for number in range(count))
        moov = self.moov(0)
        ftyp = atom(b"ftyp", b"isom")
        head = ftyp + (moov if self.moov_first else b"")
        moov = self.moov(len(head) + 8)
        return ftyp + moov + atom(b"mdat", data) if self.moov_first else ftyp + atom(b"mdat", data) + moov

    def moov(self, at: int) -> bytes:
        count = len(self.sizes)
        offsets, number = [], 0
        for samples in self.chunks:
            offsets.append(at)
            at += sum(len(self.sample(n)) for n in range(number, number + samples))
            number += samples
        runs = [(n + 1, samples, 1) for n, samples in enumerate(self.chunks)]
        width = "Q" if self.wide else "I"
        chunk_table = struct.pack(f">II{len(offsets)}{width}", 0, len(offsets), *offsets)
        stbl = atom(
            b"stbl",
            atom(b"stsd", bytes(4), struct.pack(">I", 1), bytes(8)),
            table(b"stts", (count, 100)),
            *([table(b"stss", *[(n + 1,) for n in self.sync])] if self.sync else []),
            table(b"ctts", (count // 2, 7), (count - count // 2, 9)),
            table(b"stsc", *runs),
            table(b"stsz", *[(len(self.sample(n)),) for n in range(count)], before=bytes(4)),
            atom(b"co64" if self.wide else b"stco", chunk_table),
        )
        head = bytes(12) + struct.pack(">II", 1000, count * 100)
        mdia = atom(b"mdia", atom(b"mdhd", head + bytes(4)), atom(b"hdlr", b"h"), atom(b"minf", stbl))
        tkhd = atom(b"tkhd", bytes(20) + struct.pack(">I", count * 100) + bytes(60))
        return atom(b"moov", atom(b"mvhd", head + bytes(80)), atom(b"trak", tkhd, mdia), atom(b"udta", b"x"))


def inside(data: bytes, *path: bytes) -> bytes | None:
    """What stands in the atom of this path."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == path[0]:
            found = data[at + 8 : at + size]
            return inside(found, *path[1:]) if len(path) > 1 else found
        at += size
    return None


STBL = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def samples(film: bytes) -> list[bytes]:
    """The samples of a film, found by its index."""

    def numbers(name: bytes, skip: int = 8, width: str = "I") -> list[int]:
        data = inside(film, *STBL, name) or b""
        rest = data[skip:]
        return list(struct.unpack(f">{len(rest) // struct.calcsize(width)}{width}", rest))

    sizes = numbers(b"stsz", 12)
    offsets = numbers(b"stco") or numbers(b"co64", 8, "Q")
    runs = numbers(b"stsc")
    rows = [runs[at : at + 3] for at in range(0, len(runs), 3)]
    found: list[bytes] = []
    for chunk, offset in enumerate(offsets, 1):
        count = next(row[1] for row in reversed(rows) if row[0] <= chunk)
        for _ in range(count):
            if len(found) == len(sizes):
                break
            size = sizes[len(found)]
            found.append(film[offset : offset + size])
            offset += size
    return found


def part(film: bytes, start: int, length: int, key_frames: bool = False) -> tuple[Cut, bytes] | None:
    found = cut(lambda at, count: film[at : at + count], len(film), start, length, key_frames, MOST)
    return None if found is None else (found, found.head + film[found.start : found.end])


films = st.lists(st.integers(1, 4), min_size=1, max_size=12).flatmap(
    lambda chunks: st.builds(
        Film,
        sizes=st.lists(st.integers(1, 5), min_size=sum(chunks), max_size=sum(chunks)),
        chunks=st.just(chunks),
        sync=st.lists(st.integers(0, sum(chunks) - 1), unique=True).map(sorted),
        wide=st.booleans(),
        moov_first=st.booleans(),
    )
)


@settings(max_examples=300, deadline=None)
@given(film=films, start=st.integers(0, 5000), length=st.integers(0, 5000), key_frames=st.booleans())
def test_the_samples_of_a_part_are_those_of_the_film(film: Film, start: int, length: int, key_frames: bool) -> None:
    data = film.build()
    count = len(film.sizes)
    try:
        found = part(data, start, length, key_frames)
    except Mp4Error as error:
        assert start >= count * 100 or (length and length < 100), error
        return
    if found is None:
        assert film.moov_first and not start and not length
        return
    first = start // 100
    before = first
    if key_frames:
        first = max((n for n in film.sync if n <= first), default=first)
    end = count
    if length:
        end = min(count, first + (length + (before - first) * 100) // 100)
    shown = samples(found[1])
    assert shown == [film.sample(n) for n in range(first, end)]
    stts = inside(found[1], *STBL, b"stts")
    assert stts is not None
    assert sum(struct.unpack(f">{(len(stts) - 8) // 4}I", stts[8:])[::2]) == end - first
    edits = inside(found[1], b"moov", b"trak", b"edts", b"elst")
    assert (edits is not None) is (before > first)


@settings(max_examples=500, deadline=None)
@given(film=films, start=st.integers(0, 2000), length=st.integers(0, 2000), data=st.data())
def test_nothing_but_a_refusal_comes_of_a_broken_file(film: Film, start: int, length: int, data: st.DataObject) -> None:
    broken = bytearray(film.build())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.sampled_from((0, 1, 8, 127, 255)))
    if data.draw(st.booleans()):
        del broken[data.draw(st.integers(0, len(broken))) :]

    def read(at: int, count: int) -> bytes:
        found = bytes(broken[at : at + count])
        if len(found) != count:
            raise Mp4Error('"%s" mp4 file truncated')
        return found

    try:
        found = cut(read, len(broken), start, length, True, MOST)
    except Mp4Error as error:
        assert "%s" in str(error)
    else:
        assert found is None or 0 <= found.start < found.end


FILM = Film([1, 2, 3, 4], [2, 2], [0, 2])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no mp4 trak atoms"),
        (atom(b"mdat", b"x"), "no mp4 trak atoms"),
        (b"\0\0\0\5xxxx", "mp4 atom is too small:5"),
        (b"\0\0\0\1mdat" + (9).to_bytes(8, "big"), "mp4 atom is too small:9"),
        (b"\0\0\1\0free", "mp4 atom too large:256"),
        (b"\0\0", "mp4 file truncated"),
        (atom(b"ftyp", bytes(1025)), "mp4 ftyp atom is too large:1025"),
        (atom(b"ftyp") + atom(b"ftyp"), "duplicate mp4 ftyp atom"),
        (FILM.build() + b"", "start time exceeds file duration"),
        (atom(b"moov", bytes(MOST + 1)), "you may want to increase mp4_max_buffer_size"),
        (atom(b"moov", atom(b"cmov")), "compressed moov atom"),
        (atom(b"moov", atom(b"mvhd", b"x")), "mp4 mvhd atom too small"),
        (atom(b"mdat") + atom(b"moov", atom(b"trak")), "no mp4 stts atoms were found"),
        (FILM.moov(0), "start time exceeds"),
    ],
)
def test_refused(data: bytes, message: str) -> None:
    with pytest.raises(Mp4Error, match=message):
        part(data, 9000, 0)


def test_a_large_part_has_a_long_head() -> None:
    found = part(FILM.build(), 100, 0)
    assert found is not None
    assert inside(found[1], b"mdat") == b"".join(FILM.sample(n) for n in range(1, 4))
    assert inside(found[1], b"moov", b"udta") is None


def test_key_frames_in_disorder_come_round() -> None:
    """As nginx has it; a negative number was a crash."""
    found = part(Film([1, 2, 3, 4], [2, 2], [2, 0]).build(), 200, 0)
    assert found is not None
    assert inside(found[1], *STBL, b"stss") == struct.pack(">4I", 0, 2, 1, 0xFFFFFFFF)
