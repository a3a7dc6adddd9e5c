"""What becomes of an answer: the client's response, whole or cut, and the log's line."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.engine import serving
from tests.fakes import (
    OK,
    TWO_ANSWERS,
    Peer,
    answer,
    cut_after,
    farm,
    read_packet,
    reset_after,
)
from tests.http2_client import http2
from tests.upstream.one_peer import lines, one


async def test_two_answers(tmp_path: Path) -> None:
    async with one(answer(TWO_ANSWERS), tmp_path) as engine:
        assert (await engine.get("/")).body == b"ok\n"
        (line,) = lines(engine, "warn")
        assert 'upstream sent more data than specified in "Content-Length" header while reading upstream' in line


@pytest.mark.parametrize("buffering", ["on", "off"])
@pytest.mark.parametrize("peer", [cut_after(len(OK) - 1), reset_after(len(OK) - 1)])
async def test_death_in_the_body(peer: Peer, buffering: str, tmp_path: Path) -> None:
    async with one(peer, tmp_path, f"uwsgi_buffering {buffering};") as engine:
        data = await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert data.startswith(b"HTTP/1.1 200 OK\r\n")
        assert data.endswith((b"\r\n\r\nok", b"\r\n\r\n"))
        (line,) = lines(engine, "error")
        assert "while reading upstream" in line


async def test_death_in_a_body_without_length_is_seen_by_the_client(tmp_path: Path) -> None:
    async with one(reset_after(50, b"Content-Type: a/b\r\n\r\n" + b"x" * 100), tmp_path) as engine:
        data = await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in data
        assert not data.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("buffering", ["on", "off"])
async def test_timeout_in_the_body(buffering: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """The head goes to the client, and of the body, when buffered, only what had filled a buffer."""

    async def peer(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(b"Content-Type: a/b\r\n\r\nhalf")
        await trio.sleep(100)

    async with one(peer, tmp_path, f"uwsgi_read_timeout 9s; uwsgi_buffering {buffering};") as engine:
        began = trio.current_time()
        data = await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n") and body == (b"" if buffering == "on" else b"4\r\nhalf\r\n")
        assert 8.9 < trio.current_time() - began < 10
        assert "upstream timed out (110: Connection timed out) while reading upstream" in lines(engine, "error")[0]


async def test_head_is_made_the_clients(tmp_path: Path) -> None:
    head = (
        b"Status: 404 Nothing here\r\nContent-Type: text/x; charset=utf-8\r\nServer: mine\r\nX-Powered-By: me\r\n"
        b'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nETag: "x"\r\nX-Accel-Expires: 10\r\nConnection: x\r\nKeep-Alive: 5\r\n'
        b"Location: /rel\r\n\r\nbody"
    )
    async with one(
        answer(head), tmp_path, "uwsgi_hide_header X-Powered-By; uwsgi_pass_header X-Accel-Expires;"
    ) as engine:
        reply = await engine.get("/")
        assert (reply.status, reply.reason, reply.body) == (404, b"Nothing here", b"body")
        assert reply.header("content-type") == b"text/x; charset=utf-8"
        assert reply.header("server") == b"mine"
        assert reply.header("x-powered-by") is None
        assert [value for name, value in reply.headers if name == b"set-cookie"] == [b"a=1", b"b=2"]
        assert reply.header("etag") == b'"x"'
        assert reply.header("x-accel-expires") == b"10"
        assert reply.header("location") == b"/rel"
        assert reply.header("keep-alive") is None
        assert reply.header("connection") == b"close"


async def test_head_request(tmp_path: Path) -> None:
    async with one(answer(OK[:-3]), tmp_path) as engine:
        reply = await engine.request("HEAD", "/")
        assert (reply.status, reply.header("content-length"), reply.body) == (200, b"3", b"")


@pytest.mark.parametrize("status", ["204", "304"])
async def test_statuses_without_body(status: str, tmp_path: Path) -> None:
    async with one(answer(f"Status: {status} X\r\n\r\n".encode()), tmp_path) as engine:
        assert (await engine.get("/")).status == int(status)


async def test_what_an_answer_sends_does_not_begin_it_again(tmp_path: Path) -> None:
    """A part of an HTTP/2 response goes out at once, and all who wait for that client hear of it: he who sends, too."""

    async def peer(stream: trio.SocketStream) -> None:
        await read_packet(stream)
        os.write(stream.socket.fileno(), b"Content-Length: 2000\r\n\r\n" + bytes(2000))
        stream.socket.shutdown(socket.SHUT_WR)  # the end is there together with the answer

    async with farm(tmp_path) as peers:
        address = await peers.unix(peer)
        page = "".join(f'<!--#include virtual="/{name}" -->' for name in "abcd")
        text = f"""server {{ listen 127.0.0.1:80; http2 on; default_type text/html;
            location = /page {{ ssi on; return 200 '{page}'; }}
            location / {{ uwsgi_pass {address}; }} }}"""
        async with serving(text) as engine, http2(engine) as client:
            for _ in range(20):
                assert (await client.get("/page")).body == bytes(8000)
            assert not lines(engine, "error")
