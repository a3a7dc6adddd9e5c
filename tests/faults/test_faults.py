"""Peers that fail, in each protocol: the client's answer, the log's line, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from gateway.protocol.fastcgi import STDOUT, record
from tests.engine import Reply, read_reply
from tests.fakes import GARBAGE, Peer, answer, answer_always, dribble, farm, reset_after, silent
from tests.faults.site import LAST, REQUEST, lines, site
from tests.speeches import ALL, FASTCGI, HTTP, HTTP_LIKE, MEMCACHED, SCGI, UWSGI, Speech

CHUNKED = Speech(
    "proxy",
    HTTP.read,
    lambda head, body: HTTP.answer(
        b"Transfer-Encoding: chunked\r\n"
        + b"".join(line + b"\r\n" for line in head.split(b"\r\n")[:-1] if not line.startswith(b"Content-Length")),
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    ),
    keeps=" ",
)

speeches = pytest.mark.parametrize("speech", ALL, ids=lambda speech: speech.name)
with_body = pytest.mark.parametrize(
    ("speech", "buffering"),
    [*((speech, how) for speech in (*HTTP_LIKE, CHUNKED) for how in ("on", "off")), (MEMCACHED, "")],
    ids=lambda value: value.name if isinstance(value, Speech) else value,
)

CONNECTING = " while connecting to upstream, client: 127.0.0.1, server: , request: "
HEAD = " while reading response header from upstream, client: 127.0.0.1, server: , request: "
BODY = " while reading upstream, client: 127.0.0.1, server: , request: "


def buffered(buffering: str) -> str:
    return f"_buffering {buffering};" if buffering else ""


def head_size(speech: Speech) -> int:
    """How many bytes come before the body of the usual answer."""
    return speech.ok.index(b"ok\n")


async def failing(
    speech: Speech, peer: Peer | None, folder: Path, words: str, *, status: int = 502, inside: str = ""
) -> None:
    """A single peer of this kind is answered with a status, and one line in the log; a second one is asked instead."""
    async with farm(folder) as peers:
        bad = await peers.tcp(peer) if peer is not None else await peers.refusing()
        good = await peers.tcp(answer(speech.ok, speech=speech))
        async with site(speech, [bad], folder, inside) as engine:
            assert (await engine.get("/")).status == status
            (line,) = lines(engine)
            assert words in line and f'upstream: "{"http" if speech.name == "proxy" else speech.name}://{bad}' in line
        invalid = "invalid_response" if speech.name == "memcached" else "invalid_header"
        async with site(speech, [bad, good], folder, f"{inside} _next_upstream error timeout {invalid};") as engine:
            for _ in range(2):
                assert (await engine.get("/")).body == b"ok\n"
            assert all(words in line for line in lines(engine)) and lines(engine)


@speeches
async def test_refuses(speech: Speech, tmp_path: Path) -> None:
    await failing(speech, None, tmp_path, f"connect() failed (111: Connection refused){CONNECTING}")


@speeches
async def test_says_nothing(speech: Speech, tmp_path: Path, autojump_clock: MockClock) -> None:
    words = f"upstream timed out (110: Connection timed out){HEAD}"
    await failing(speech, silent(), tmp_path, words, status=504, inside="_read_timeout 9s;")


@speeches
async def test_closes_at_once(speech: Speech, tmp_path: Path) -> None:
    await failing(speech, answer(b"", speech=speech), tmp_path, f"upstream prematurely closed connection{HEAD}")


@speeches
async def test_resets(speech: Speech, tmp_path: Path) -> None:
    words = f"recv() failed (104: Connection reset by peer){HEAD}"
    await failing(speech, reset_after(0, speech=speech), tmp_path, words)


@speeches
async def test_is_cut_anywhere_in_the_head(speech: Speech, tmp_path: Path) -> None:
    size = 0

    async def peer(stream: trio.SocketStream) -> None:
        await speech.read(stream)
        await stream.send_all(speech.ok[:size])

    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer)
        async with site(speech, [address], tmp_path) as engine:
            for size in range(head_size(speech)):
                assert (await engine.get("/")).status == 502, size
            assert len(lines(engine)) == head_size(speech)
            assert all(f"upstream prematurely closed connection{HEAD}" in line for line in lines(engine))


@with_body
async def test_is_cut_anywhere_in_the_body(speech: Speech, buffering: str, tmp_path: Path) -> None:
    size = 0
    # of an answer in records, all is here once the body is; the rest is not missed where nothing is kept
    end = head_size(speech) + 3 if speech in (UWSGI, SCGI, HTTP, FASTCGI) else len(speech.ok)

    async def peer(stream: trio.SocketStream) -> None:
        await speech.read(stream)
        await stream.send_all(speech.ok[:size])

    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer)
        async with site(speech, [address], tmp_path, buffered(buffering)) as engine:
            for size in range(head_size(speech), end):
                data = await engine.raw(REQUEST)
                assert data.startswith(b"HTTP/1.1 200 OK\r\n"), size
                assert b"ok\n" not in data or speech in (CHUNKED, MEMCACHED), size
                assert not data.endswith(b"0\r\n\r\n"), size
            assert len(lines(engine)) == end - head_size(speech)
            assert all(f"upstream prematurely closed connection{BODY}" in line for line in lines(engine))
            for size in range(end, len(speech.ok) + 1):
                assert (await engine.get("/")).body == b"ok\n", size


@with_body
async def test_dies_in_the_body(speech: Speech, buffering: str, tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(reset_after(head_size(speech) + 1, speech.ok, speech=speech))
        async with site(speech, [address], tmp_path, buffered(buffering)) as engine:
            data = await engine.raw(REQUEST)
            assert data.startswith(b"HTTP/1.1 200 OK\r\n") and not data.endswith((b"ok\n", b"0\r\n\r\n"))
            (line,) = lines(engine)
            assert f"recv() failed (104: Connection reset by peer){BODY}" in line


@with_body
async def test_stops_in_the_body(
    speech: Speech, buffering: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def peer(stream: trio.SocketStream) -> None:
        await speech.read(stream)
        await stream.send_all(speech.ok[: head_size(speech) + 1])
        await trio.sleep(1000)

    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer)
        async with site(speech, [address], tmp_path, f"{buffered(buffering)} _read_timeout 9s;") as engine:
            data = await engine.raw(REQUEST)
            assert data.startswith(b"HTTP/1.1 200 OK\r\n") and not data.endswith((b"ok\n", b"0\r\n\r\n"))
            (line,) = lines(engine)
            assert f"upstream timed out (110: Connection timed out){BODY}" in line


@with_body
async def test_dribbles(speech: Speech, buffering: str, tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(dribble(speech.ok, pause=0, speech=speech))
        async with site(speech, [address], tmp_path, buffered(buffering)) as engine:
            assert (await engine.get("/")).body == b"ok\n"
            assert not lines(engine)


@pytest.mark.parametrize(
    ("speech", "words"),
    [
        (UWSGI, 'upstream sent invalid header: "\\x00..."'),
        (SCGI, 'upstream sent invalid header: "\\x00..."'),
        (FASTCGI, "upstream sent unsupported FastCGI protocol version: 0"),
        (MEMCACHED, 'memcached sent invalid response: "'),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_sends_garbage(speech: Speech, words: str, tmp_path: Path) -> None:
    await failing(speech, answer(GARBAGE, speech=speech), tmp_path, words)


async def test_garbage_is_an_answer_of_http_0_9(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(GARBAGE, speech=HTTP))
        async with site(HTTP, [address], tmp_path) as engine:
            assert await engine.raw(LAST) == GARBAGE


def _fields(size: int) -> bytes:
    return b"X-Big: " + b"x" * size + b"\r\nContent-Length: 3\r\n"


@pytest.mark.parametrize("whole", [True, False])
@speeches
async def test_sends_too_large_a_head(speech: Speech, whole: bool, tmp_path: Path) -> None:
    data = speech.answer(_fields(5000), b"ok\n")
    if speech is MEMCACHED:
        data = b"VALUE the%20key 0" + b"0" * 5000 + b" 3\r\n"
    await failing(
        speech, answer(data if whole else data[:4500], speech=speech), tmp_path, f"upstream sent too big header{HEAD}"
    )


@pytest.mark.parametrize(
    ("speech", "level", "words"),
    [
        *((speech, "warn", 'upstream sent more data than specified in "Content-Length" header') for speech in
          (UWSGI, SCGI, HTTP)),
        (CHUNKED, "warn", "upstream sent data after final chunk"),
        (FASTCGI, "warn", ""),
        (MEMCACHED, "error", "memcached sent invalid trailer"),
    ],
    ids=lambda value: value.name if isinstance(value, Speech) else "",
)  # fmt: skip
async def test_sends_two_answers(speech: Speech, level: str, words: str, tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer_always(speech.ok * 2, speech=speech))
        async with site(speech, [address], tmp_path, speech.keeps) as engine:
            for _ in range(3):
                assert (await engine.get("/")).body == b"ok\n"
            assert len(lines(engine, level)) == (3 if words else 0)
            assert all(words in line for line in lines(engine, level))
        assert peers.hits[address] == 3  # such a connection is not used again


kept = pytest.mark.parametrize(
    "speech", [HTTP, CHUNKED, FASTCGI, MEMCACHED], ids=["http", "chunked", "fastcgi", "memcached"]
)


def _closes(speech: Speech, how: str, count: int = 1) -> Peer:
    """Answer so many requests of a connection, then end it: "at once", or "late", when the next one has been sent."""

    async def peer(stream: trio.SocketStream) -> None:
        for _ in range(count):
            if await speech.read(stream) is None:
                return
            await stream.send_all(speech.ok)
        if how == "late":
            await speech.read(stream)

    return peer


@kept
@pytest.mark.parametrize("how", ["at once", "late"])
async def test_closes_between_two_requests(speech: Speech, how: str, tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(_closes(speech, how))
        async with site(speech, [address], tmp_path, speech.keeps) as engine:
            for _ in range(4):
                assert (await engine.get("/")).body == b"ok\n"
            assert len(lines(engine)) == (3 if how == "late" else 0)
            assert all(f"upstream prematurely closed connection{HEAD}" in line for line in lines(engine))
        assert peers.hits[address] == 4


@pytest.mark.parametrize("speech", [HTTP, CHUNKED, FASTCGI], ids=["http", "chunked", "fastcgi"])
async def test_what_is_not_idempotent_is_not_sent_again(speech: Speech, tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(_closes(speech, "late"))
        async with site(speech, [address], tmp_path, speech.keeps) as engine:
            assert (await engine.get("/")).status == 200
            assert (await engine.request("POST", "/", body=b"x")).status == 502
        assert peers.hits[address] == 1
        again = f"{speech.keeps} _next_upstream error non_idempotent;"
        async with site(speech, [address], tmp_path, again) as engine:
            assert (await engine.get("/")).status == 200
            assert (await engine.request("POST", "/", body=b"x")).status == 200


@pytest.mark.parametrize("speech", HTTP_LIKE, ids=lambda speech: speech.name)
async def test_dies_while_a_temporary_file_is_filled(speech: Speech, tmp_path: Path) -> None:
    body = bytes(1 << 20)
    length = b"Content-Length: %d\r\n" % len(body)
    if speech is FASTCGI:
        data = record(STDOUT, length + b"\r\n") + 10 * record(STDOUT, body[:60000])
    else:
        data = speech.answer(length, body[:600000])
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(data, speech=speech))
        small = "_buffers 2 4k; _buffer_size 4k; _busy_buffers_size 4k;"
        async with site(speech, [address], tmp_path, small) as engine:
            stream = engine.connect()
            async with stream:
                await stream.send_all(REQUEST)
                with trio.fail_after(20):
                    while not lines(engine):  # the peer is gone before the client takes anything
                        await trio.sleep(0.001)
                received = b""
                async for part in stream:
                    received += part
            assert len(received.partition(b"\r\n\r\n")[2]) == 600000
            assert "is buffered to a temporary file" in lines(engine, "warn")[0]
            (line,) = lines(engine)
            assert f"upstream prematurely closed connection{BODY}" in line


@pytest.mark.parametrize("when", ["before the head", "in the body"])
@speeches
async def test_the_client_leaves(speech: Speech, when: str, tmp_path: Path) -> None:
    began = trio.Event()
    ended = trio.Event()
    size = 0 if when == "before the head" else head_size(speech) + 1

    async def peer(stream: trio.SocketStream) -> None:
        await speech.read(stream)
        await stream.send_all(speech.ok[:size])
        began.set()
        assert not await stream.receive_some(1)
        ended.set()

    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer)
        async with site(speech, [address], tmp_path, "" if speech is MEMCACHED else "_buffering off;") as engine:
            stream = engine.connect()
            with trio.fail_after(20):
                await stream.send_all(LAST)
                await began.wait()
                if size:
                    assert await stream.receive_some(12) == b"HTTP/1.1 200"
                await stream.aclose()
                await ended.wait()
            assert not lines(engine)


def test_the_speech_of_chunks() -> None:
    reply: Reply = read_reply(CHUNKED.ok)
    assert reply.body == b"ok\n" and reply.header("transfer-encoding") == b"chunked"


