"""PeerTry a peer: what becomes of connections and heads that fail."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import (
    GARBAGE,
    HUGE_HEAD,
    OK,
    answer,
    close_at_once,
    cut_after,
    dribble,
    farm,
    reset_after,
    silent,
)
from tests.upstream.one_peer import lines, one

BAD_PEERS = {
    "closes": (close_at_once(), 502, ""),  # a close or a reset, as the system has it
    "closes after the request": (answer(b""), 502, "upstream prematurely closed connection"),
    "cut in the status line": (cut_after(7), 502, "upstream prematurely closed connection"),
    "cut in the head": (cut_after(30), 502, "upstream prematurely closed connection"),
    "reset": (reset_after(0), 502, "recv() failed (104: Connection reset by peer)"),
    "garbage": (answer(GARBAGE), 502, 'upstream sent invalid header: "\\x00..."'),
    "huge head": (answer(HUGE_HEAD), 502, "upstream sent too big header"),
    "bad length": (answer(b"Content-Length: x\r\n\r\n"), 502, 'upstream sent invalid "Content-Length" header'),
    "bad status": (answer(b"Status: nope\r\n\r\n"), 502, 'upstream sent invalid status "nope"'),
    "two lengths": (
        answer(b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n"),
        502,
        'upstream sent duplicate header line: "Content-Length: 1"',
    ),
}


@pytest.mark.parametrize("kind", BAD_PEERS)
@pytest.mark.parametrize("family", ["tcp", "unix"])
async def test_bad_peers(kind: str, family: str, tmp_path: Path) -> None:
    peer, status, words = BAD_PEERS[kind]
    async with farm(tmp_path) as peers:
        if family == "unix" and kind == "reset":
            pytest.skip("a unix socket has no reset of this kind")
        address = await getattr(peers, family)(peer)
        async with one(address, tmp_path) as engine:
            reply = await engine.get("/")
            assert reply.status == status
            (line,) = lines(engine, "error")
            assert words in line
            assert f'upstream: "uwsgi://{address}' in line
            assert "while reading response header from upstream, client: 127.0.0.1, server: localhost" in line
            assert reply.header("x-states") == f"{address}|502|0".encode()


async def test_refused(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.refusing()
        async with one(address, tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            (line,) = lines(engine, "error")
            assert "connect() failed (111: Connection refused) while connecting to upstream" in line


async def test_no_socket(tmp_path: Path) -> None:
    async with one(f"unix:{tmp_path}/none.sock", tmp_path) as engine:
        assert (await engine.get("/")).status == 502
        (line,) = lines(engine, "crit")
        assert f"connect() to unix:{tmp_path}/none.sock failed (2: No such file or directory)" in line
        assert f'upstream: "uwsgi://unix:{tmp_path}/none.sock:"' in line


async def test_silent_peer(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with one(silent(), tmp_path, "uwsgi_read_timeout 7s;") as engine:
        began = trio.current_time()
        reply = await engine.get("/")
        assert reply.status == 504
        assert 6.9 < trio.current_time() - began < 8
        (line,) = lines(engine, "error")
        assert "upstream timed out (110: Connection timed out) while reading response header from upstream" in line
        assert (reply.header("x-states") or b"").endswith(b"|504|0")


async def test_dribbling_peer(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with one(dribble(), tmp_path) as engine:
        assert (await engine.get("/")).body == b"ok\n"
    async with one(dribble(OK.replace(b"Content-Length: 3\r\n", b"")), tmp_path, "uwsgi_buffering off;") as engine:
        assert (await engine.get("/")).body == b"ok\n"
    async with one(dribble(pause=1), tmp_path, "uwsgi_read_timeout 5s;") as engine:
        assert (await engine.get("/")).status == 504  # the head has to come within the time, as a whole


async def test_bind(tmp_path: Path) -> None:
    seen: list[str] = []

    async def peer(stream: trio.SocketStream) -> None:
        seen.append(stream.socket.getpeername()[0])
        await answer()(stream)

    async with one(
        peer, tmp_path, "uwsgi_bind 127.0.0.9; uwsgi_socket_keepalive on; uwsgi_socket_sndbuf 8k;"
    ) as engine:
        assert (await engine.get("/")).status == 200
    async with one(peer, tmp_path, "uwsgi_bind $arg_b;") as engine:
        assert (await engine.get("/?b=127.0.0.8")).status == 200
        assert (await engine.get("/?b=bad")).status == 200
        assert 'invalid local address "bad"' in lines(engine, "error")[0]
        # our own side failed: no peer is to blame, and no other is asked
        assert (await engine.get("/?b=203.0.113.1")).status == 500
        assert "bind(203.0.113.1:0) failed (99" in lines(engine, "crit")[0]
    assert seen == ["127.0.0.9", "127.0.0.8", "127.0.0.1"]
