"""sender: what is written arrives whole and in order, in as few calls as it can, and the others have their turn."""

from __future__ import annotations

import errno
import os
import socket
import struct
import tempfile
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.lane import FileSlice, Stream
from tests.lanes import KINDS, Collector, finished, pair, running, until


def a_file(folder: Path, data: bytes) -> int:
    path = folder / "file"
    path.write_bytes(data)
    return os.open(path, os.O_RDONLY)


async def test_send_tries_at_once_and_queues_the_rest() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        assert stream.send(b"small") == 0 and stream.pending == 0
        data = os.urandom(3_000_000)
        left = stream.send(data)
        assert 0 < left < len(data) and left == stream.pending
        assert stream.send(b"tail") == left + 4
        collector = Collector(peer)
        await until(lambda: not stream.pending)
        stream.close()
        await until(lambda: collector.ended)
        assert collector.data == b"small" + data + b"tail"


@given(pieces=st.lists(st.integers(1, 300_000), min_size=1, max_size=90), cut=st.integers(1, 400_000))
@settings(max_examples=6, deadline=None)
def test_any_queue_arrives_in_order(pieces: list[int], cut: int) -> None:
    async def main() -> None:
        async with running() as lane:
            stream, peer = pair(lane)
            stream.chunk = cut
            with tempfile.TemporaryFile() as file:
                data = os.urandom(300_000)
                file.write(data)
                file.flush()
                wanted = bytearray()
                for n, size in enumerate(pieces):
                    wanted += data[:size]
                    stream.write(FileSlice(file.fileno(), 0, size, file) if n % 3 == 1 else data[:size])
                stream.flush()
                collector = Collector(peer)
                await until(lambda: not stream.pending, 20)
                stream.close()
                await until(lambda: collector.ended)
                assert collector.data == wanted

    trio.run(main)


@KINDS
async def test_head_and_big_file(kind: int, tmp_path: Path) -> None:
    data = os.urandom(20_000_000)
    fd = a_file(tmp_path, data)
    async with running() as lane:
        stream, peer = pair(lane, kind)
        collector = Collector(peer)
        stream.write(b"head")
        stream.write(FileSlice(fd, 1000, len(data) - 1000))
        stream.write(b"tail")
        stream.flush()
        await until(lambda: not stream.pending, 20)
        stream.close()
        await until(lambda: collector.ended)
        assert collector.data == b"head" + data[1000:] + b"tail"
    os.close(fd)


async def test_head_and_file_leave_in_one_segment(tmp_path: Path) -> None:
    fd = a_file(tmp_path, b"body")
    async with running() as lane:
        stream, peer = pair(lane, socket.AF_INET)
        stream.nodelay()
        stream.write(b"head")
        stream.write(FileSlice(fd, 0, 4))
        before = segments(stream)
        stream.flush()
        assert peer.recv(100) == b"headbody"
        assert segments(stream) - before == 1
        peer.close()
    os.close(fd)


@pytest.mark.parametrize(("size", "expected"), [(512 << 10, 1), ((512 << 10) + 1, 2)])
async def test_a_head_does_not_wait_for_a_large_file(tmp_path: Path, size: int, expected: int) -> None:
    fd = a_file(tmp_path, bytes(size))
    async with running() as lane:
        stream, peer = pair(lane, socket.AF_INET)
        stream.nodelay()
        stream.chunk = 5  # all that goes before others have their turn
        stream.write(b"head")
        stream.write(FileSlice(fd, 0, size))
        before = segments(stream)
        stream.flush()
        assert segments(stream) - before == expected
        peer.close()
    os.close(fd)


@pytest.mark.parametrize("sizes", [(200, 200), (200, 279), (200, 280), (500, 1)])
async def test_a_head_and_its_body_leave_in_one_segment(sizes: tuple[int, int]) -> None:
    async with running() as lane:
        stream, peer = pair(lane, socket.AF_INET)
        stream.nodelay()
        first, second = (os.urandom(size) for size in sizes)
        stream.write(first)
        stream.write(second)
        assert stream.pending == sum(sizes)
        before = segments(stream)
        stream.flush()
        assert segments(stream) - before == 1
        assert peer.recv(1000) == first + second
        peer.close()


async def test_nodelay_later_is_set_before_a_second_send(tmp_path: Path) -> None:
    fd = a_file(tmp_path, b"body")
    async with running() as lane:
        for first in ((b"head",), (b"head", FileSlice(fd, 0, 4))):
            for way in ("write", "send"):
                stream, peer = pair(lane, socket.AF_INET)
                stream.nodelay_later()
                for piece in first:
                    stream.write(piece)
                stream.flush()
                assert segments(stream) == 1  # a head and its file in one
                assert not has_nodelay(stream)
                if way == "send":
                    stream.send(b"more")
                else:
                    stream.write(b"more")
                    stream.flush()
                assert has_nodelay(stream)
                stream.close()
                peer.close()
        stream, peer = pair(lane, socket.AF_INET)
        stream.send(b"something")
        stream.nodelay_later()
        assert has_nodelay(stream)
        peer.close()
    os.close(fd)


def has_nodelay(stream: Stream) -> bool:
    with socket.socket(fileno=os.dup(stream.fd)) as twin:
        return bool(twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


def segments(stream: Stream) -> int:
    """tcpi_data_segs_out of TCP_INFO."""
    with socket.socket(fileno=os.dup(stream.fd)) as twin:
        info = twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return int(struct.unpack_from("=I", info, 156)[0])


async def test_only_bytes_and_slices_are_written() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        for wrong in (bytearray(b"x"), "x", None):
            with pytest.raises(TypeError):
                stream.write(wrong)  # type: ignore[arg-type]
        stream.write(b"")
        assert stream.pending == 0 and stream.flush() == 0
        peer.close()


async def test_sending_to_a_peer_that_is_gone_sets_the_error() -> None:
    async with running() as lane:
        stream, peer = pair(lane)
        peer.close()
        assert stream.send(b"x") == 0
        assert stream.error == errno.EPIPE and stream.sent == 0


async def test_a_chunk_lets_others_run(tmp_path: Path) -> None:
    """A stream whose socket takes everything still stops at its chunk, and goes on by itself."""
    fd = a_file(tmp_path, os.urandom(3000))
    async with running() as lane:
        stream, peer = pair(lane)
        stream.chunk = 1000
        told: list[int] = []
        stream.handler = lambda: told.append(stream.pending)
        stream.write(FileSlice(fd, 0, 3000))
        assert stream.flush() == 2000
        await until(lambda: not stream.pending)
        assert told == [1000, 0]
        peer.close()
    os.close(fd)


@KINDS
async def test_shutdown_write(kind: int) -> None:
    async with running() as lane:
        stream, peer = pair(lane, kind)
        stream.send(b"end")
        stream.shutdown_write()
        stream.shutdown_write()
        assert peer.recv(10) == b"end" and peer.recv(10) == b""
        peer.send(b"more")
        assert await finished(lane, stream.wait_readable)
        assert stream.recv() == b"more"
        peer.close()
