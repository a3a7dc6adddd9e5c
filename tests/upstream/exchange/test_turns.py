"""However much an upstream sends, and whatever is done with it: the others have their turn (gateway._fast.stream)."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import trio

from gateway.protocol.fastcgi import STDERR, STDOUT, header, record
from tests.engine import serving
from tests.floods import Rounds, upstream

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ONE = header(STDOUT, 1) + b"a"
SWITCH = b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"

# What the location says besides its pass, and what comes
FLOODS = {
    "a plain body": ("proxy", "", OK + b"\r\n", bytes(4096)),
    "unbuffered": ("proxy", "proxy_buffering off;", OK + b"\r\n", bytes(4096)),
    "into a file": ("proxy", "proxy_store on; root %s;", OK + b"\r\n", bytes(4096)),
    "into a cache": ("proxy", "proxy_cache c; proxy_cache_valid 1m;", OK + b"\r\n", bytes(4096)),
    "chunks of one": ("proxy", "", CHUNKED, b"1\r\na\r\n"),
    "chunks of one, unbuffered": ("proxy", "proxy_buffering off;", CHUNKED, b"1\r\na\r\n"),
    "an extension": ("proxy", "", CHUNKED + b"1", b";aaaaaaaaa"),
    "continue": ("proxy", "", b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early hints": ("proxy", "", b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "uwsgi": ("uwsgi", "", OK + b"\r\n", bytes(4096)),
    "records": ("fastcgi", "", record(STDOUT, b"Status: 200 OK\r\n\r\n"), ONE),
    "complaints": ("fastcgi", "", b"", record(STDERR, b"complain")),
    "for gzip": ("proxy", "gzip on; gzip_types *;", OK + b"\r\n", b"the text " * 500),
    "for sub_filter": ("proxy", "sub_filter a bb; sub_filter_once off;", OK + b"\r\n", b"aab" * 1000),
    "for ssi": ("proxy", "ssi on;", OK + b"\r\n", b'<!--#echo var="a" -->'),
    "a tunnel": ("proxy", 'proxy_set_header Connection upgrade; proxy_set_header Upgrade "x";', SWITCH, bytes(4096)),
}


async def read_on(client: trio.SocketStream) -> None:
    while await client.receive_some(1 << 20):
        pass


@pytest.mark.parametrize("flood", FLOODS)
async def test_an_answer_without_end(flood: str, tmp_path: Path) -> None:
    protocol, said, head, block = FLOODS[flood]
    with contextlib.ExitStack() as flooding:
        address = flooding.enter_context(upstream(head, block))
        text = f"""
            {protocol}_temp_path {tmp_path}; proxy_cache_path {tmp_path}/cache keys_zone=c:1m;
            server {{ location /asked {{ return 200; }}
                location / {{ {protocol}_pass {"http://" if protocol == "proxy" else ""}{address};
                    {said.replace("%s", str(tmp_path))} }} }}"""
        async with serving(text, str(tmp_path)) as engine:
            client = engine.connect()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read_on, client)
                wants = b"Upgrade: x\r\nConnection: upgrade\r\n" if "Upgrade" in said else b""
                await client.send_all(b"GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n" + wants + b"\r\n")
                rounds = Rounds(engine.worker.lane)
                await rounds.grown_by(1 << 20)
                assert rounds.fair() and rounds.rounds > 3
                assert (await engine.get("/asked")).status == 200
                nursery.cancel_scope.cancel()
            await client.aclose()
            flooding.close()  # what is stored is read to its end
