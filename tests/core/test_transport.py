from __future__ import annotations

import errno
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from gateway._fast.lane import sockaddr_text
from gateway.core.lane import Lane, Stream
from gateway.core.transport import connect, pack_tcp, pack_unix


@pytest.fixture
async def lane(nursery: trio.Nursery) -> AsyncIterator[Lane]:
    lane = Lane()
    await nursery.start(lane.run)
    yield lane
    nursery.cancel_scope.cancel()


async def finished(lane: Lane, stream: Stream) -> bool:
    result: list[bool] = []

    async def wait() -> None:
        result.append(await stream.wait_connected(lane.now + 5))

    fibre = lane.spawn(wait())
    while not fibre.done:
        await trio.sleep(0.001)
    return result[0]


async def test_tcp_connects(lane: Lane) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = connect(lane, pack_tcp("127.0.0.1", server.getsockname()[1]), keepalive=True)
        assert not stream.writable or not stream.connecting
        stream.send(b"queued until it is connected")
        assert await finished(lane, stream)
        assert not stream.error and stream.pending == 0
        peer, _ = server.accept()
        with peer:
            assert peer.recv(100) == b"queued until it is connected"


async def test_tcp_refused_is_an_error_of_the_stream(lane: Lane) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    try:
        stream = connect(lane, pack_tcp("127.0.0.1", port))
    except ConnectionRefusedError:
        return
    assert await finished(lane, stream)
    assert stream.error == errno.ECONNREFUSED
    with pytest.raises(ConnectionRefusedError):
        stream.recv()
    assert stream.recv() == b""


async def test_tcp_bind(lane: Lane) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = connect(lane, pack_tcp("127.0.0.1", server.getsockname()[1]), bind=pack_tcp("127.0.0.3", 0))
        assert await finished(lane, stream)
        peer, address = server.accept()
        peer.close()
        assert address[0] == "127.0.0.3"


async def test_unix_connects_at_once(lane: Lane, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        stream = connect(lane, pack_unix(path.encode()))
        assert not stream.connecting and stream.writable and not stream.readable
        assert stream.send(b"x") == 0


async def test_unix_without_a_listener_fails_at_once(lane: Lane, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connect(lane, pack_unix(bytes(tmp_path / "none")))
    assert lane.streams == 0


async def test_unix_full_backlog_fails_at_once(lane: Lane, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(0)
        with pytest.raises(BlockingIOError):
            for _ in range(5):
                connect(lane, pack_unix(path.encode()))


def test_addresses_in_the_kernels_form() -> None:
    assert sockaddr_text(pack_tcp("127.0.0.1", 80)) == (b"127.0.0.1", 80)
    assert sockaddr_text(pack_tcp("[::1]", 8080)) == (b"::1", 8080)
    assert sockaddr_text(pack_unix(b"/run/x.sock")) == (b"unix:/run/x.sock", 0)
    assert sockaddr_text(b"\1\0") == (b"unix:", 0)
    with pytest.raises(ValueError):
        pack_unix(b"x" * 108)
    with pytest.raises(OSError):
        pack_tcp("localhost", 80)


async def test_a_raw_address_that_is_none(lane: Lane) -> None:
    with pytest.raises(OSError) as caught:
        connect(lane, b"x")
    assert caught.value.errno == errno.EINVAL
