"""The order of a response's parts, whoever answers first; and what waits for its turn is not without end."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import trio

from tests.engine import serving
from tests.fakes import Peer, farm
from tests.http_peers import Heard, Hearing, talking


def controlled(gates: dict[bytes, trio.Event], sent: dict[bytes, int], size: int = 3000) -> Peer:
    """Answers `/up/NAME` with NAME, many times, in two parts; the second when its gate opens."""

    async def talk(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        name = heard.line.split(b" ")[1].rpartition(b"/")[2]
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size * len(name)))
        half = size // 2
        await stream.send_all(name * half)
        await gates[name].wait()
        for at in range(half, size, 1000):
            part = name * min(1000, size - at)
            await stream.send_all(part)
            sent[name] = sent.get(name, 0) + len(part)

    return talking(talk)


@pytest.mark.parametrize("seed", range(6))
async def test_parts_stand_where_they_were_asked_for(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = [b"a", b"b", b"c", b"d"]
    gates = {name: trio.Event() for name in names}
    include = '<!--#include virtual="/up/%s" -->'
    (tmp_path / "page").write_text(f'1{include % "a"}2<!--#include virtual="/inner" -->3{include % "d"}4')
    (tmp_path / "inner").write_text(f"({include % 'b'}|{include % 'c'})")
    expected = b"1%b2(%b|%b)3%b4" % tuple(name * 3000 for name in names)
    async with farm(tmp_path) as peers:
        address = await peers.tcp(controlled(gates, {}))
        text = f"""proxy_temp_path {tmp_path}; server {{ listen 127.0.0.1:80; root {tmp_path}; ssi on;
            types {{ }} default_type text/html; gzip on; gzip_min_length 0;
            location / {{ }} location /up/ {{ proxy_pass http://{address}; proxy_buffering {chance.choice(["on", "off"])}; }}
            }}"""  # noqa: E501
        async with serving(text) as engine, trio.open_nursery() as nursery:

            async def ask() -> None:
                assert (await engine.get("/page")).body == expected

            nursery.start_soon(ask)
            for name in chance.sample(names, len(names)):
                await trio.sleep(0.02)
                gates[name].set()


async def test_what_waits_for_its_turn_is_bounded(tmp_path: Path) -> None:
    """A large part behind one that does not come: its upstream has to wait, and is not timed out for it."""
    gates = {b"a": trio.Event(), b"b": trio.Event()}
    gates[b"b"].set()
    sent: dict[bytes, int] = {}
    size = 6_000_000
    (tmp_path / "page").write_text('<!--#include virtual="/up/a" --><!--#include virtual="/up/b" -->')
    async with farm(tmp_path) as peers:
        address = await peers.tcp(controlled(gates, sent, size))
        text = f"""proxy_temp_path {tmp_path}; proxy_max_temp_file_size 0; send_timeout 200ms; proxy_buffering on;
            server {{ listen 127.0.0.1:80; root {tmp_path}; ssi on; types {{ }} default_type text/html;
            location / {{ }} location /up/ {{ proxy_pass http://{address}; }} }}"""
        async with serving(text) as engine, trio.open_nursery() as nursery:

            async def ask() -> None:
                data = await engine.raw(b"GET /page HTTP/1.0\r\nHost: localhost\r\n\r\n")
                assert data.endswith(b"a" * size + b"b" * size)

            nursery.start_soon(ask)
            before = -1
            while before != sent.get(b"b", 0):
                before = sent.get(b"b", 0)
                await trio.sleep(0.4)
            assert before < size // 2
            gates[b"a"].set()
