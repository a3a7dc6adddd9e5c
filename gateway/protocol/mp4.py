"""A part of an mp4 file as a file of its own: the index of its samples cut to a time, and where their data lie.

    found = cut(read, size, start_ms, length_ms, key_frames, most)
    None: the file as it is will do; else `found.head` goes before the bytes from `found.start` to `found.end`

`read(offset, count)` gives bytes of the file. Errors: Mp4Error in nginx's words, with %s for the file's name. Of the
atoms (ISO/IEC 14496-12) those are kept that players need to find samples; the others are left out, as nginx does.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

Read = Callable[[int, int], bytes]

_MAX_FTYP: Final = 1024
_MAX_32: Final = 0xFFFFFFFF
# what an atom holds at least, its head apart
_LEAST: Final = {b"stsd": 16, b"stts": 8, b"stss": 8, b"ctts": 8, b"stsc": 8, b"stsz": 12, b"stco": 8, b"co64": 8}
# the length of one entry of its table
_ENTRY: Final = {b"stts": 8, b"stss": 4, b"ctts": 8, b"stsc": 12, b"stco": 4, b"co64": 8}
# where atoms stand in each other
_INSIDE: Final = {b"mdia": b"mdhd hdlr minf", b"minf": b"vmhd smhd dinf stbl", b"stbl": b" ".join(_LEAST)}


class Mp4Error(Exception):
    """A file that cannot be cut; str() has %s where its name belongs."""


@dataclass(slots=True)
class Cut:
    """What is sent: a head, and a part of the file."""

    head: bytes
    start: int
    end: int


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


def cut(read: Read, size: int, start: int, length: int, key_frames: bool, most: int) -> Cut | None:
    """`start` and `length` are milliseconds; a length of 0 is up to the end. `most`: of what is read into memory."""
    return _Cutter(read, size, start, length, key_frames).run(most)


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "big")


def _numbers(data: bytes) -> array[int]:
    found = array("I")
    found.frombytes(data)
    if sys.byteorder == "little":
        found.byteswap()
    return found


def _bytes(numbers: array[int] | list[int]) -> bytes:
    made = array("I", numbers)
    if sys.byteorder == "little":
        made.byteswap()
    return made.tobytes()


def _rows(data: bytes, width: int) -> list[list[int]]:
    numbers = _numbers(data).tolist()
    return [numbers[at : at + width] for at in range(0, len(numbers), width)]


def _flat(rows: list[list[int]]) -> bytes:
    return _bytes([number for row in rows for number in row])


def _atom(name: bytes, *parts: bytes) -> bytes:
    inside = b"".join(parts)
    return (8 + len(inside)).to_bytes(4, "big") + name + inside


def _with_duration(data: bytes, at: int, width: int, duration: int) -> bytes:
    return data[:at] + (duration & ((1 << 8 * width) - 1)).to_bytes(width, "big") + data[at + width :]


class _Cutter:
    """One file."""

    def __init__(self, read: Read, size: int, start: int, length: int, key_frames: bool) -> None:
        self.read = read
        self.size = size
        self.start = start
        self.length = length
        self.key_frames = key_frames
        self.timescale = 0
        self.mvhd: bytes | None = None
        self.traks: list[Trak] = []

    # -- reading -------------------------------------------------------------------------------------------------

    def run(self, most: int) -> Cut | None:
        ftyp: bytes | None = None
        moov: bytes | None = None
        mdat = 0  # where it ends
        for name, at, end in self._file_atoms():
            if name == b"ftyp":
                if end - at > _MAX_FTYP:
                    raise Mp4Error(f'"%s" mp4 ftyp atom is too large:{end - at}')
                if ftyp is not None:
                    raise Mp4Error('duplicate mp4 ftyp atom in "%s"')
                ftyp = _atom(b"ftyp", self.read(at, end - at))
            elif name == b"moov":
                if not mdat and not self.start and not self.length:
                    return None  # all of a file whose index comes first: as it is
                if moov is not None:
                    raise Mp4Error('duplicate mp4 moov atom in "%s"')
                if end - at > most:
                    words = "you may want to increase mp4_max_buffer_size"
                    raise Mp4Error(f'"%s" mp4 moov atom is too large:{end - at}, {words}')
                moov = self.read(at, end - at)
                self._read_moov(moov)
                if mdat:
                    break
            elif name == b"mdat":
                if mdat:
                    raise Mp4Error('duplicate mp4 mdat atom in "%s"')
                mdat = end
                if self.traks:
                    break
        if not self.traks:
            raise Mp4Error('no mp4 trak atoms were found in "%s"')
        if not mdat:
            raise Mp4Error('no mp4 mdat atom was found in "%s"')
        return self._assemble(ftyp or b"", mdat)

    def _file_atoms(self) -> Iterator[tuple[bytes, int, int]]:
        at = 0
        while at < self.size:
            head = self.read(at, min(16, self.size - at))
            found = self._atom_at(head, 0, at, self.size)
            if found is None:
                return
            name, skip, size = found
            yield name, at + skip, at + size
            at += size

    def _atoms(self, data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        at = start
        while at < end:
            found = self._atom_at(data, at, at, end)
            if found is None:
                return
            name, skip, size = found
            yield name, at + skip, at + size
            at += size

    @staticmethod
    def _atom_at(data: bytes, at: int, place: int, end: int) -> tuple[bytes, int, int] | None:
        """(name, length of its head, size) of the atom here, which may not go beyond `end`; None for the end mark."""
        if len(data) < at + 4:
            raise Mp4Error('"%s" mp4 file truncated')
        size, skip = _u32(data, at), 8
        if size == 0:
            return None
        if size < 8:
            if size == 1:
                if len(data) < at + 16:
                    raise Mp4Error('"%s" mp4 file truncated')
                size, skip = _u64(data, at + 8), 16
            if size < skip:
                raise Mp4Error(f'"%s" mp4 atom is too small:{size}')
        if len(data) < at + 8:
            raise Mp4Error('"%s" mp4 file truncated')
        if size > end - place:
            raise Mp4Error(f'"%s" mp4 atom too large:{size}')
        return data[at + 4 : at + 8], skip, size

    def _read_moov(self, data: bytes) -> None:
        for name, at, end in self._atoms(data, 0, len(data)):
            if name == b"mvhd":
                if self.mvhd is not None:
                    raise Mp4Error('duplicate mp4 mvhd atom in "%s"')
                self.mvhd = self._read_mvhd(data[at:end])
            elif name == b"trak":
                trak = self._read_trak(data, at, end)
                if trak is not None:
                    self.traks.append(trak)
            elif name == b"cmov":
                raise Mp4Error('"%s" mp4 compressed moov atom (cmov) is not supported')

    def _shortened(self, duration: int, timescale: int) -> int:
        """What of a duration is sent; negative if the start is behind it."""
        left = duration - self.start * timescale // 1000
        return min(left, self.length * timescale // 1000) if self.length else left

    def _read_mvhd(self, data: bytes) -> bytes:
        wide = len(data) > 0 and data[0] != 0
        if len(data) < (112 if wide else 100):
            raise Mp4Error('"%s" mp4 mvhd atom too small')
        at, width = (24, 8) if wide else (16, 4)
        self.timescale = _u32(data, 20 if wide else 12)
        left = self._shortened(int.from_bytes(data[at : at + width], "big"), self.timescale)
        if left < 0:
            raise Mp4Error('"%s" mp4 start time exceeds file duration')
        return _atom(b"mvhd", _with_duration(data, at, width, left))

    def _read_trak(self, data: bytes, start: int, end: int) -> Trak | None:
        """None for a track that is over before the start."""
        trak = Trak()
        for name, at, stop in self._atoms(data, start, end):
            if name == b"tkhd" and not self._read_tkhd(trak, data[at:stop]):
                return None
            if name == b"mdia" and not self._read_inside(trak, b"mdia", data, at, stop):
                return None
        return trak

    def _keep(self, trak: Trak, name: bytes, data: bytes) -> None:
        kind = name.decode("latin-1")
        if name in trak.atoms:
            raise Mp4Error(f'duplicate mp4 {kind} atom in "%s"')
        trak.atoms[name] = data

    def _read_tkhd(self, trak: Trak, data: bytes) -> bool:
        wide = len(data) > 0 and data[0] != 0
        if len(data) < (96 if wide else 84):
            raise Mp4Error('"%s" mp4 tkhd atom too small')
        at, width = (28, 8) if wide else (20, 4)
        left = self._shortened(int.from_bytes(data[at : at + width], "big"), self.timescale)
        if left <= 0:
            return False
        trak.movie_duration = left
        self._keep(trak, b"tkhd", _with_duration(data, at, width, left))
        return True

    def _read_inside(self, trak: Trak, place: bytes, data: bytes, start: int, end: int) -> bool:
        self._keep(trak, place, b"")
        wanted = _INSIDE[place].split()
        for name, at, stop in self._atoms(data, start, end):
            if name not in wanted:
                continue
            if name in _INSIDE:
                if not self._read_inside(trak, name, data, at, stop):
                    return False
            elif name == b"mdhd":
                if not self._read_mdhd(trak, data[at:stop]):
                    return False
            else:
                self._check_table(trak, name, data[at:stop])
                self._keep(trak, name, data[at:stop])
        return True

    def _read_mdhd(self, trak: Trak, data: bytes) -> bool:
        wide = len(data) > 0 and data[0] != 0
        if len(data) < (36 if wide else 24):
            raise Mp4Error('"%s" mp4 mdhd atom too small')
        trak.timescale = _u32(data, 20 if wide else 12)
        duration = _u64(data, 24) if wide else _u32(data, 16)
        trak.duration = self._shortened(duration, trak.timescale)
        if trak.duration <= 0:
            return False
        self._keep(trak, b"mdhd", data)
        return True

    @staticmethod
    def _check_table(trak: Trak, name: bytes, data: bytes) -> None:
        least = _LEAST.get(name, 0)
        width = _ENTRY.get(name, 0)
        if name == b"stsz" and len(data) >= least and not _u32(data, 4):
            width = 4
        if len(data) < least or (width and len(data) < least + _u32(data, least - 4) * width):
            raise Mp4Error(f'"%s" mp4 {name.decode()} atom too small')
        if name in (b"stco", b"co64") and (b"stco" in trak.atoms or b"co64" in trak.atoms):
            raise Mp4Error('duplicate mp4 stco/co64 atom in "%s"')

    # -- cutting -------------------------------------------------------------------------------------------------

    @staticmethod
    def _table(trak: Trak, name: bytes) -> bytes | None:
        """The entries of a table, without what stands before them."""
        data = trak.atoms.get(name)
        if data is None:
            return None
        least = _LEAST[name]
        return data[least : least + _u32(data, least - 4) * (_ENTRY.get(name) or 4)]

    def _put(self, trak: Trak, name: bytes, count: int, entries: bytes) -> None:
        """The atom anew, with its version and flags."""
        least = _LEAST[name]
        trak.tables[name] = _atom(name, trak.atoms[name][: least - 4], count.to_bytes(4, "big"), entries)

    def _cut_trak(self, trak: Trak, mdat_end: int) -> None:
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
        self._put(trak, b"stsc", len(rows), _flat([[number & _MAX_32 for number in row] for row in rows]))

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
        return _u32(data, 4) if data is not None else 0

    def _cut_sizes(self, trak: Trak) -> None:
        data = trak.atoms.get(b"stsz")
        if data is None:
            return
        if _u32(data, 4):  # all samples are of one size
            trak.tables[b"stsz"] = _atom(b"stsz", data)
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
        width = _ENTRY[name]
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
        if chunk > self.size - samples or (width == 4 and chunk + samples > _MAX_32):
            raise Mp4Error('too large chunk offset in "%s"')
        return chunk + samples

    # -- putting together ----------------------------------------------------------------------------------------

    def _assemble(self, ftyp: bytes, mdat_end: int) -> Cut:
        for trak in self.traks:
            self._cut_trak(trak, mdat_end)
        start = min([self.size, *(trak.start_offset for trak in self.traks)])
        end = max(trak.end_offset for trak in self.traks)
        if end <= start:
            raise Mp4Error('no data between start time and end time in "%s"')
        if start >= mdat_end:
            raise Mp4Error('start time is out mp4 mdat atom in "%s"')
        size = end - start
        if size > _MAX_32 - 8:
            mdat = (1).to_bytes(4, "big") + b"mdat" + (size + 16).to_bytes(8, "big")
        else:
            mdat = (size + 8).to_bytes(4, "big") + b"mdat"
        # how long the index becomes does not depend on what stands in it
        shift = len(ftyp) + len(self._moov(0)) + len(mdat) - start
        return Cut(ftyp + self._moov(shift) + mdat, start, end)

    def _moov(self, shift: int) -> bytes:
        return _atom(b"moov", self.mvhd or b"", *(self._trak(trak, shift) for trak in self.traks))

    def _trak(self, trak: Trak, shift: int) -> bytes:
        atoms, tables = trak.atoms, trak.tables

        def raw(*names: bytes) -> bytes:
            return b"".join([_atom(name, atoms[name]) for name in names if name in atoms])

        mdhd = atoms.get(b"mdhd", b"")
        if mdhd:
            at, width = (24, 8) if mdhd[0] else (16, 4)
            mdhd = _atom(b"mdhd", _with_duration(mdhd, at, width, trak.duration))
        edits = b""
        if trak.prefix:
            row = struct.pack(">BBBBIQQHH", 1, 0, 0, 0, 1, trak.movie_duration, trak.prefix, 1, 0)
            edits = _atom(b"edts", _atom(b"elst", row))
        order = (b"stts", b"stss", b"ctts", b"stsc", b"stsz")
        stbl = _atom(
            b"stbl", raw(b"stsd"), *(tables[name] for name in order if name in tables), self._chunk_offsets(trak, shift)
        )
        minf = _atom(b"minf", raw(b"vmhd", b"smhd", b"dinf"), stbl)
        return _atom(b"trak", raw(b"tkhd"), edits, _atom(b"mdia", mdhd, raw(b"hdlr"), minf))

    @staticmethod
    def _chunk_offsets(trak: Trak, shift: int) -> bytes:
        wide = b"co64" in trak.atoms
        name = b"co64" if wide else b"stco"
        mask = (1 << 64) - 1 if wide else _MAX_32
        count = len(trak.offsets)
        entries = struct.pack(f">{count}{'Q' if wide else 'I'}", *[(offset + shift) & mask for offset in trak.offsets])
        return _atom(name, trak.atoms[name][:4], count.to_bytes(4, "big"), entries)
