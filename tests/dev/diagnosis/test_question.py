"""A peer is asked which protocol it speaks, and what the log says then."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from gateway.core.lane import Lane
from gateway.dev.diagnosis import question
from gateway.upstream.peers.address import parse_target
from tests.dev.diagnosis.asking import causes, explaining, named
from tests.engine import Engine
from tests.fakes import Peer, close_at_once, farm, silent

REFUSAL = b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"


def peer(*, ping: bytes | None = None, http: bytes | None = None, other: bytes | None = None) -> Peer:
    """One that answers so; None is silence, b"" a close."""

    async def answer(stream: trio.SocketStream) -> None:
        data = await stream.receive_some(4096)
        kind = ping if data == question.PING else http if data.startswith((b"OPTIONS", b"GET")) else other
        if kind is None:
            await trio.sleep(1000)
        elif kind:
            await stream.send_all(kind)

    return answer


UWSGI = {"ping": b"d\0\0\x01", "http": b"", "other": b"HTTP/1.1 200 OK\r\n\r\n"}
GUNICORN_UWSGI = {"ping": REFUSAL, "http": REFUSAL, "other": b"HTTP/1.1 200 OK\r\n\r\n"}
HTTP = {"ping": None, "http": b"HTTP/1.0 200 OK\r\n\r\n", "other": None}
STRICT_HTTP = {"ping": b"HTTP/1.1 400 Bad Request\r\n\r\n", "http": b"HTTP/1.0 200 OK\r\n\r\n", "other": b""}


async def asked(address: str) -> question.Speech | None:
    heard: list[question.Speech | None] = []
    target = parse_target(address.encode()).address
    assert target is not None
    async with trio.open_nursery() as nursery:
        lane = Lane(clock=trio.current_time)
        await nursery.start(lane.run)

        async def ask() -> None:
            heard.append(await question.ask(lane, target.sockaddr))

        lane.spawn(ask())
        while not heard:
            await trio.sleep(0.01)
        assert not lane.fibre_count
        nursery.cancel_scope.cancel()
    return heard[0]


@pytest.mark.parametrize(
    ("kind", "speech"), [(UWSGI, "uwsgi"), (GUNICORN_UWSGI, "uwsgi"), (HTTP, "HTTP"), (STRICT_HTTP, "HTTP")]
)
async def test_what_a_peer_speaks(
    tmp_path: Path, autojump_clock: MockClock, kind: dict[str, bytes | None], speech: str
) -> None:
    async with farm(tmp_path) as peers:
        assert await asked(await peers.tcp(peer(**kind))) == speech
        assert await asked(await peers.unix(peer(**kind))) == speech


async def test_a_question_names_a_host_that_an_application_takes(tmp_path: Path) -> None:
    """Django makes one of the socket's path where there is none, and writes a traceback."""
    heard: list[bytes] = []

    async def answer(stream: trio.SocketStream) -> None:
        heard.append(await stream.receive_some(4096))
        if heard[-1] != question.PING:
            await stream.send_all(b"HTTP/1.0 200 OK\r\n\r\n")

    async with farm(tmp_path) as peers:
        assert await asked(await peers.unix(answer)) == "HTTP"
    assert b"\r\nHost: localhost\r\n" in heard[-1]


async def test_peers_that_do_not_say(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with farm(tmp_path) as peers:
        for address in (await peers.refusing(), await peers.tcp(silent()), await peers.tcp(close_at_once())):
            assert await asked(address) is None


async def test_http_to_a_uwsgi_socket(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer(**UWSGI))
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            text = await named(engine)
            assert text.startswith(f"{address} speaks uwsgi, not HTTP (asked just now): either uwsgi_pass {address};")
            assert "sent " in text and "bytes of HTTP, read 0 bytes" in text


async def test_uwsgi_to_an_http_socket(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.unix(peer(**HTTP))
        async with explaining(f"location / {{ uwsgi_pass {address}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 504
            text = await named(engine)
            assert text.startswith(f"{address} speaks HTTP, not uwsgi (asked just now)")
            assert f"proxy_pass http://{address}:;" in text


async def test_a_peer_that_speaks_the_right_protocol_is_asked_once(tmp_path: Path) -> None:
    pings = 0

    async def dies(stream: trio.SocketStream) -> None:
        nonlocal pings
        if await stream.receive_some(4096) == question.PING:
            pings += 1
            await stream.send_all(b"d\0\0\x01")

    async with farm(tmp_path) as peers:
        address = await peers.tcp(dies)
        params = "uwsgi_param REQUEST_METHOD $request_method;"
        server = f"{params} location / {{ uwsgi_pass {address}; }} location /b {{ uwsgi_pass {address}; }}"
        async with explaining(server, tmp_path) as engine:
            await engine.get("/")
            text = await named(engine)
            assert "asked just now" not in text and "the process that had the request died" in text
            assert text.index("raised an exception") < text.index("died") and "no uwsgi socket" not in text
            # Another cause, since more is sent; nothing is asked any more.
            await engine.get("/b", {"Cookie": "c" * 5000})
            with trio.fail_after(10):
                while len(causes(engine)) < 2:
                    await trio.sleep(0.01)
            assert pings == 1


async def refused(engine: Engine) -> list[str]:
    for _ in range(2):
        assert (await engine.get("/")).status == 500
    for _ in range(100):
        await trio.sleep(0.05)
    return causes(engine)


async def test_http_to_gunicorns_uwsgi_mode(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer(**GUNICORN_UWSGI))
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            (text,) = await refused(engine)
            assert text.startswith(f"{address} speaks uwsgi, not HTTP")


async def test_an_application_that_fails_itself(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer(http=REFUSAL))
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            assert await refused(engine) == []


@pytest.mark.parametrize(
    ("host", "setting", "asks"),
    [("127.0.0.1", "", True), ("other", "", False), ("other", "diagnosis_probe on;", True), ("unix", "", True)]
    + [(host, "diagnosis_probe off;", False) for host in ("127.0.0.1", "unix")],
)
async def test_who_may_be_asked(host: str, setting: str, asks: bool, tmp_path: Path) -> None:
    """A backend elsewhere may be somebody's production: it hears nothing but the requests."""
    heard: list[bytes] = []

    async def closes(stream: trio.SocketStream) -> None:
        heard.append(await stream.receive_some(4096))

    async with farm(tmp_path) as peers:
        if host == "other":
            address = await peers.tcp(closes, host=own_address())
        else:
            address = await (peers.unix(closes) if host == "unix" else peers.tcp(closes))
        server = f"{setting} location / {{ uwsgi_pass {address}; uwsgi_param REQUEST_METHOD GET; }}"
        async with explaining(server, tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            await named(engine)
    assert (question.PING in heard) is asks
    assert len(heard) == (1 if not asks else len(heard))


def own_address() -> str:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(s.getsockname()[0])


async def test_who_speaks_tls(tmp_path: Path, autojump_clock: MockClock) -> None:
    async def tls(stream: trio.SocketStream) -> None:
        data = await stream.receive_some(4096)
        if data == question.HELLO:
            await stream.send_all(b"\x15\x03\x03\x00\x02\x02\x28")

    async with farm(tmp_path) as peers:
        assert await asked(await peers.tcp(tls)) == "TLS"
