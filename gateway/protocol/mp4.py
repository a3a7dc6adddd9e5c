"""A part of an mp4 file as a file of its own: the index of its samples cut to a time, and where their data lie.

    found = cut(read, size, start_ms, length_ms, key_frames, most)
    None: the file as it is will do; else `found.head` goes before the bytes from `found.start` to `found.end`

`read(offset, count)` gives bytes of the file. Errors: Mp4Error in nginx's words, with %s for the file's name. Of the
atoms (ISO/IEC 14496-12) those are kept that players need to find samples; the others are left out, as nginx does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from gateway.protocol.mp4_trak import ENTRY, LEAST, MAX_32, Mp4Error, Trak, TrakCutter, atom, u32, u64, with_duration

Read = Callable[[int, int], bytes]

_MAX_FTYP: Final = 1024
# where atoms stand in each other
_INSIDE: Final = {b"mdia": b"mdhd hdlr minf", b"minf": b"vmhd smhd dinf stbl", b"stbl": b" ".join(LEAST)}


@dataclass(slots=True)
class Cut:
    """What is sent: a head, and a part of the file."""

    head: bytes
    start: int
    end: int


def cut(read: Read, size: int, start: int, length: int, key_frames: bool, most: int) -> Cut | None:
    """`start` and `length` are milliseconds; a length of 0 is up to the end. `most`: of what is read into memory."""
    return _Cutter(read, size, start, length, key_frames).run(most)


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
                ftyp = atom(b"ftyp", self.read(at, end - at))
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
        size, skip = u32(data, at), 8
        if size == 0:
            return None
        if size < 8:
            if size == 1:
                if len(data) < at + 16:
                    raise Mp4Error('"%s" mp4 file truncated')
                size, skip = u64(data, at + 8), 16
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
        self.timescale = u32(data, 20 if wide else 12)
        left = self._shortened(int.from_bytes(data[at : at + width], "big"), self.timescale)
        if left < 0:
            raise Mp4Error('"%s" mp4 start time exceeds file duration')
        return atom(b"mvhd", with_duration(data, at, width, left))

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
        self._keep(trak, b"tkhd", with_duration(data, at, width, left))
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
        trak.timescale = u32(data, 20 if wide else 12)
        duration = u64(data, 24) if wide else u32(data, 16)
        trak.duration = self._shortened(duration, trak.timescale)
        if trak.duration <= 0:
            return False
        self._keep(trak, b"mdhd", data)
        return True

    @staticmethod
    def _check_table(trak: Trak, name: bytes, data: bytes) -> None:
        least = LEAST.get(name, 0)
        width = ENTRY.get(name, 0)
        if name == b"stsz" and len(data) >= least and not u32(data, 4):
            width = 4
        if len(data) < least or (width and len(data) < least + u32(data, least - 4) * width):
            raise Mp4Error(f'"%s" mp4 {name.decode()} atom too small')
        if name in (b"stco", b"co64") and (b"stco" in trak.atoms or b"co64" in trak.atoms):
            raise Mp4Error('duplicate mp4 stco/co64 atom in "%s"')

    # -- putting together ----------------------------------------------------------------------------------------

    def _assemble(self, ftyp: bytes, mdat_end: int) -> Cut:
        cutter = TrakCutter(self.size, self.start, self.length, self.key_frames)
        for trak in self.traks:
            cutter.cut(trak, mdat_end)
        start = min([self.size, *(trak.start_offset for trak in self.traks)])
        end = max(trak.end_offset for trak in self.traks)
        if end <= start:
            raise Mp4Error('no data between start time and end time in "%s"')
        if start >= mdat_end:
            raise Mp4Error('start time is out mp4 mdat atom in "%s"')
        size = end - start
        if size > MAX_32 - 8:
            mdat = (1).to_bytes(4, "big") + b"mdat" + (size + 16).to_bytes(8, "big")
        else:
            mdat = (size + 8).to_bytes(4, "big") + b"mdat"
        # how long the index becomes does not depend on what stands in it
        shift = len(ftyp) + len(self._moov(0)) + len(mdat) - start
        return Cut(ftyp + self._moov(shift) + mdat, start, end)

    def _moov(self, shift: int) -> bytes:
        return atom(b"moov", self.mvhd or b"", *(self._trak(trak, shift) for trak in self.traks))

    def _trak(self, trak: Trak, shift: int) -> bytes:
        atoms, tables = trak.atoms, trak.tables

        def raw(*names: bytes) -> bytes:
            return b"".join([atom(name, atoms[name]) for name in names if name in atoms])

        mdhd = atoms.get(b"mdhd", b"")
        if mdhd:
            at, width = (24, 8) if mdhd[0] else (16, 4)
            mdhd = atom(b"mdhd", with_duration(mdhd, at, width, trak.duration))
        edits = b""
        if trak.prefix:
            row = struct.pack(">BBBBIQQHH", 1, 0, 0, 0, 1, trak.movie_duration, trak.prefix, 1, 0)
            edits = atom(b"edts", atom(b"elst", row))
        order = (b"stts", b"stss", b"ctts", b"stsc", b"stsz")
        stbl = atom(
            b"stbl", raw(b"stsd"), *(tables[name] for name in order if name in tables), self._chunk_offsets(trak, shift)
        )
        minf = atom(b"minf", raw(b"vmhd", b"smhd", b"dinf"), stbl)
        return atom(b"trak", raw(b"tkhd"), edits, atom(b"mdia", mdhd, raw(b"hdlr"), minf))

    @staticmethod
    def _chunk_offsets(trak: Trak, shift: int) -> bytes:
        wide = b"co64" in trak.atoms
        name = b"co64" if wide else b"stco"
        mask = (1 << 64) - 1 if wide else MAX_32
        count = len(trak.offsets)
        entries = struct.pack(f">{count}{'Q' if wide else 'I'}", *[(offset + shift) & mask for offset in trak.offsets])
        return atom(name, trak.atoms[name][:4], count.to_bytes(4, "big"), entries)
