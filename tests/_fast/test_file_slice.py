from __future__ import annotations

import errno
import os
import weakref
from pathlib import Path

from gateway.core.lane import FileSlice
from tests._fast.test_sender import a_file
from tests.lanes import pair, running, until


async def test_a_file_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    fd = a_file(tmp_path, b"short")
    async with running() as lane:
        stream, peer = pair(lane)
        stream.write(FileSlice(fd, 0, 100))
        stream.flush()
        await until(lambda: stream.error == errno.EIO)  # on a busy machine in the next turn
        assert stream.sent == 5 and not stream.pending
        peer.close()
    os.close(fd)


async def test_a_source_without_sendfile_is_read(tmp_path: Path) -> None:
    """/proc has no splice_read for this file, so sendfile() says EINVAL."""
    data = Path("/proc/self/environ").read_bytes()
    fd = os.open("/proc/self/environ", os.O_RDONLY)
    async with running() as lane:
        stream, peer = pair(lane)
        stream.write(FileSlice(fd, 0, len(data)))
        assert stream.flush() == 0 and not stream.error
        assert peer.recv(1_000_000) == data
        peer.close()
    os.close(fd)


def test_reading_a_slice(tmp_path: Path) -> None:
    fd = a_file(tmp_path, b"0123456789")
    piece = FileSlice(fd, 2, 6)
    assert (piece.read(), piece.read(2), piece.read(1, 2), piece.read(9)) == (b"234567", b"4567", b"34", b"")
    assert len(piece) == 6
    os.close(fd)


async def test_a_slices_owner_is_let_go_when_it_is_sent(tmp_path: Path) -> None:
    class Owner:
        pass

    fd = a_file(tmp_path, b"body")
    async with running() as lane:
        stream, peer = pair(lane)
        owner = Owner()
        seen = weakref.ref(owner)
        stream.write(FileSlice(fd, 0, 4, owner))
        del owner
        assert seen() is not None
        stream.flush()
        assert seen() is None
        peer.close()
    os.close(fd)
