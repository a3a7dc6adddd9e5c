"""One track of an mp4 file: the tables of its samples (ISO/IEC 14496-12), cut to a time."""

from __future__ import annotations

import struct
import sys
from array import array
from dataclasses import dataclass, field
from typing import Final

MAX_32: Final = 0xFFFFFFFF
# what an atom holds at least, its head apart
LEAST: Final = {b"stsd": 16, b"stts": 8, b"stss": 8, b"ctts": 8, b"stsc": 8, b"stsz": 12, b"stco": 8, b"co64": 8}
# the length of one entry of its table
ENTRY: Final = {b"stts": 8, b"stss": 4, b"ctts": 8, b"stsc": 12, b"stco": 4, b"co64": 8}


class Mp4Error(Exception):
    """A file that cannot be cut; str() has %s where its name belongs."""


@dataclass(slots=True)
class Trak:
    """One track: its atoms, and what came of cutting them."""

    atoms: dict[bytes, bytes] = field(default_factory=dict)  # what stands inside of each
    movie_duration: int = 0
    timescale: int = 0
    duration: int = 0
    prefix: int = 0  # what is before the start, back to a key frame
    start_sample: int = 0
    end_sample: int = 0
    start_chunk: int = 0
    end_chunk: int = 0
    start_chunk_samples: int = 0
    end_chunk_samples: int = 0
    start_size: int = 0  # of those samples
    end_size: int = 0
    start_offset: int = 0
    end_offset: int = 0
    tables: dict[bytes, bytes] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=list)


def u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "big")


def _numbers(data: bytes) -> array[int]:
    found = array("I")
    found.frombytes(data)
    if sys.byteorder == "little":
        found.byteswap()
    return found


def _bytes(numbers: array[int] | list[int]) -> bytes:
    """Of 32 bits each, as nginx reckons: what a broken table brings below 0 or above them comes round."""
    made = array("I", numbers if isinstance(numbers, array) else [number & 0xFFFFFFFF for number in numbers])
    if sys.byteorder == "little":
        made.byteswap()
    return made.tobytes()


def _rows(data: bytes, width: int) -> list[list[int]]:
    numbers = _numbers(data).tolist()
    return [numbers[at : at + width] for at in range(0, len(numbers), width)]


def _flat(rows: list[list[int]]) -> bytes:
    return _bytes([number for row in rows for number in row])


def atom(name: bytes, *parts: bytes) -> bytes:
    inside = b"".join(parts)
    return (8 + len(inside)).to_bytes(4, "big") + name + inside


def with_duration(data: bytes, at: int, width: int, duration: int) -> bytes:
    return data[:at] + (duration & ((1 << 8 * width) - 1)).to_bytes(width, "big") + data[at + width :]


class TrakCutter:
    """Cuts the tables of tracks; `size` is the file's, `start` and `length` are milliseconds."""

    def __init__(self, size: int, start: int, length: int, key_frames: bool) -> None:
        self.size = size
        self.start = start
        self.length = length
        self.key_frames = key_frames

    @staticmethod
    def _table(trak: Trak, name: bytes) -> bytes | None:
        """The entries of a table, without what stands before them."""
        data = trak.atoms.get(name)
        if data is None:
            return None
        least = LEAST[name]
        return data[least : least + u32(data, least - 4) * (ENTRY.get(name) or 4)]

    def _put(self, trak: Trak, name: bytes, count: int, entries: bytes) -> None:
        """The atom anew, with its version and flags."""
        least = LEAST[name]
        trak.tables[name] = atom(name, trak.atoms[name][: least - 4], count.to_bytes(4, "big"), entries)

    def cut(self, trak: Trak, mdat_end: int) -> None:
        self._cut_times(trak)
        self._cut_sync_samples(trak)
        self._cut_compositions(trak)
        self._cut_chunks(trak)
        self._cut_sizes(trak)
        self._cut_offsets(trak, mdat_end)

    def _cut_times(self, trak: Trak) -> None:
        """stts: which samples lie between the two times."""
        table = self._table(trak, b"stts")
        if table is None:
            raise Mp4Error('no mp4 stts atoms were found in "%s"')
        rows = _rows(table, 2)
        at, before, rest = self._sample_at(rows, self.start * trak.timescale // 1000)
        if at == len(rows):
            raise Mp4Error('start time is out mp4 stts samples in "%s"')
        count, duration = rows[at]
        back = self._to_key_frame(trak, before + rest)
        trak.start_sample = before + rest - back
        while rest < back:
            trak.prefix += rest * duration
            back -= rest
            at -= 1
            count, duration = rows[at]
            rest = count
        trak.prefix += back * duration
        trak.duration += trak.prefix
        rows[at] = [count - (rest - back), duration]
        rows = rows[at:]
        if self.length:
            at, before, rest = self._sample_at(rows, self.length * trak.timescale // 1000 + trak.prefix)
            trak.end_sample = trak.start_sample + before + rest
            if at < len(rows):
                rows = [*rows[:at], [rest, rows[at][1]]]
        self._put(trak, b"stts", len(rows), _flat(rows))

    @staticmethod
    def _sample_at(rows: list[list[int]], time: int) -> tuple[int, int, int]:
        """(row, samples in the rows before it, samples in it before the time); for what is late one row too far."""
        before = 0
        for at, (count, duration) in enumerate(rows):
            if time < count * duration:
                return at, before, time // duration
            before += count
            time -= count * duration
        return len(rows), before, 0

    def _to_key_frame(self, trak: Trak, sample: int) -> int:
        """How many samples further back the picture is whole (mp4_start_key_frame)."""
        table = self._table(trak, b"stss") if self.key_frames else None
        back = 0
        for number in _numbers(table) if table is not None else ():
            if number == 0:
                raise Mp4Error('zero sync sample in "%s"')
            if number > sample + 1:
                break
            back = sample + 1 - number
        return back

    def _cut_sync_samples(self, trak: Trak) -> None:
        table = self._table(trak, b"stss")
        if table is None:
            return
        numbers = _numbers(table).tolist()
        first = next((at for at, number in enumerate(numbers) if number > trak.start_sample), len(numbers))
        numbers = numbers[first:]
        if self.length:
            end = next((at for at, number in enumerate(numbers) if number > trak.end_sample), len(numbers))
            numbers = numbers[:end]
        kept = [number - trak.start_sample for number in numbers]
        self._put(trak, b"stss", len(kept), _bytes(kept))

    def _cut_compositions(self, trak: Trak) -> None:
        table = self._table(trak, b"ctts")
        if table is None:
            return
        rows = _rows(table, 2)
        at, rest = self._row_of(rows, trak.start_sample)
        rows = rows[at:]
        if rows:
            rows[0] = [rows[0][0] - rest, rows[0][1]]
        if self.length and rows:
            at, rest = self._row_of(rows, trak.end_sample - trak.start_sample)
            if at < len(rows):
                rows = [*rows[:at], [rest, rows[at][1]]]
        if rows:
            self._put(trak, b"ctts", len(rows), _flat(rows))

    @staticmethod
    def _row_of(rows: list[list[int]], sample: int) -> tuple[int, int]:
        """(row, samples in it before this one)."""
        for at, (count, _) in enumerate(rows):
            if sample < count:
                return at, sample
            sample -= count
        return len(rows), 0

    # stsc: chunk, samples in each from there on, description

    def _cut_chunks(self, trak: Trak) -> None:
        table = self._table(trak, b"stsc")
        if table is None:
            raise Mp4Error('no mp4 stsc atoms were found in "%s"')
        rows = _rows(table, 3)
        if not rows:
            raise Mp4Error('zero number of entries in stsc atom in "%s"')
        chunks = self._chunk_count(trak)
        at, next_chunk, left, _ = self._chunk_of(rows, trak.start_sample, chunks, "start")
        chunk, samples, kind = rows[at]
        trak.start_chunk = chunk - 1 + left // samples
        trak.start_chunk_samples = left % samples
        rows = rows[at:]
        rows[0][0] = trak.start_chunk + 1
        first: list[list[int]] = []
        if trak.start_chunk_samples:
            # the chunk in which it starts is a shorter one
            samples -= trak.start_chunk_samples
            if next_chunk - trak.start_chunk == 2:
                rows[0][1] = samples
            else:
                first = [[1, samples, kind]]
                rows[0][0] = trak.start_chunk + 2
        last: list[list[int]] = []
        if self.length:
            rows, last = self._cut_last_chunk(trak, rows, first, chunks)
        for row in rows:
            row[0] -= trak.start_chunk
        rows = [*first, *rows, *last]
        self._put(trak, b"stsc", len(rows), _flat([[number & MAX_32 for number in row] for row in rows]))

    def _cut_last_chunk(
        self, trak: Trak, rows: list[list[int]], first: list[list[int]], chunks: int
    ) -> tuple[list[list[int]], list[list[int]]]:
        wanted = trak.end_sample - trak.start_sample
        if first:
            first[0][1] = min(first[0][1], wanted)
            wanted -= first[0][1]
        at, _, left, before = self._chunk_of(rows, wanted, chunks, "end")
        chunk, samples, kind = rows[at]
        target = chunk - 1 + left // samples
        rest = left % samples
        kept = rows[: at + 1] if left else rows[:at]
        trak.end_chunk = target + 1 if rest else target
        trak.end_chunk_samples = rest or (samples if left else before)
        last: list[list[int]] = []
        if rest:
            if chunk + 1 - target == 2:
                rows[at][1] = rest
            else:
                last = [[trak.end_chunk - trak.start_chunk, rest, kind]]
        return kept, last

    @staticmethod
    def _chunk_of(rows: list[list[int]], sample: int, chunks: int, what: str) -> tuple[int, int, int, int]:
        """(row, the next row's chunk, the sample counted from the row's first one, samples of the chunk before it)."""
        before = 0
        for at, (chunk, samples, _) in enumerate(rows):
            last = at + 1 == len(rows)
            next_chunk = chunks + 1 if last else rows[at + 1][0]
            if next_chunk < chunk:
                raise Mp4Error('unordered mp4 stsc chunks in "%s"')
            inside = (next_chunk - chunk) * samples
            if sample < inside or last:
                break
            sample -= inside
            if next_chunk > chunk:
                before = samples
        if last and sample > inside:
            raise Mp4Error(f'{what} time is out mp4 stsc chunks in "%s"')
        if samples == 0:
            raise Mp4Error('zero number of samples in "%s"')
        if chunk == 0:
            raise Mp4Error('zero chunk in "%s"')
        return at, next_chunk, sample, before

    @staticmethod
    def _chunk_count(trak: Trak) -> int:
        data = trak.atoms.get(b"stco") or trak.atoms.get(b"co64")
        return u32(data, 4) if data is not None else 0

    def _cut_sizes(self, trak: Trak) -> None:
        data = trak.atoms.get(b"stsz")
        if data is None:
            return
        if u32(data, 4):  # all samples are of one size
            trak.tables[b"stsz"] = atom(b"stsz", data)
            return
        table = self._table(trak, b"stsz")
        assert table is not None
        sizes = _numbers(table)
        start = trak.start_sample
        if start >= len(sizes):
            raise Mp4Error('start time is out mp4 stsz samples in "%s"')
        trak.start_size = sum(sizes[max(start - trak.start_chunk_samples, 0) : start])
        if trak.start_size > self.size:
            raise Mp4Error('too large mp4 start samples size in "%s"')
        end = len(sizes)
        if self.length:
            end = trak.end_sample
            if end > len(sizes):
                raise Mp4Error('end time is out mp4 stsz samples in "%s"')
            trak.end_size = sum(sizes[max(end - trak.end_chunk_samples, 0) : end])
            if trak.end_size > self.size:
                raise Mp4Error('too large mp4 end samples size in "%s"')
        kept = sizes[start:end]
        self._put(trak, b"stsz", len(kept), _bytes(kept))

    def _cut_offsets(self, trak: Trak, mdat_end: int) -> None:
        name = b"co64" if b"co64" in trak.atoms else b"stco"
        kind = name.decode()
        table = self._table(trak, name)
        if table is None:
            raise Mp4Error(f'no mp4 {kind} atoms were found in "%s"')
        width = ENTRY[name]
        count = len(table) // width
        if trak.start_chunk >= count:
            raise Mp4Error(f'start time is out mp4 {kind} chunks in "%s"')
        offsets = list(struct.unpack(f">{count}{'Q' if width == 8 else 'I'}", table))
        trak.start_offset = self._offset(offsets[trak.start_chunk], trak.start_size, width)
        end = count
        trak.end_offset = mdat_end
        if self.length:
            end = trak.end_chunk
            if end > count:
                raise Mp4Error(f'end time is out mp4 {kind} chunks in "%s"')
            if end > trak.start_chunk:
                # the chunk in which it starts may be the one in which it ends
                last = trak.start_offset if end - 1 == trak.start_chunk else offsets[end - 1]
                trak.end_offset = self._offset(last, trak.end_size, width)
        trak.offsets = offsets[trak.start_chunk : end]
        if trak.offsets:
            trak.offsets[0] = trak.start_offset
        else:
            trak.start_offset, trak.end_offset = self.size, 0

    def _offset(self, chunk: int, samples: int, width: int) -> int:
        if chunk > self.size - samples or (width == 4 and chunk + samples > MAX_32):
            raise Mp4Error('too large chunk offset in "%s"')
        return chunk + samples
