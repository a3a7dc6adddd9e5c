"""ssi: which responses it works on, what becomes of their heads, and how documents wait."""

from __future__ import annotations

from pathlib import Path

import trio

from tests.engine import serving
from tests.fakes import farm
from tests.http_peers import Heard, Hearing, talking
from tests.modules.http.test_ssi_commands import documents


async def test_heads(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<!--#echo var="arg_x" -->')
    (tmp_path / "a.txt").write_text('<!--#echo var="arg_x" -->')
    (tmp_path / "empty.html").write_text("")
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; ssi on; types {{ text/html html; text/plain txt; }}
        location / {{ }}
        location /all/ {{ alias {tmp_path}/; ssi_types text/plain; ssi_last_modified on; }}
        location /off/ {{ alias {tmp_path}/; ssi off; }}
        }}"""
    async with serving(text) as engine:
        reply = await engine.get("/a.html?x=1", {"Range": "bytes=0-1"})
        assert (reply.status, reply.body) == (200, b"1")
        for name in ("content-length", "last-modified", "etag", "accept-ranges"):
            assert reply.header(name) is None
        reply = await engine.get("/all/a.txt?x=1")
        assert reply.body == b"1"
        assert reply.header("last-modified") and (reply.header("etag") or b"").startswith(b"W/")
        assert (await engine.get("/a.txt")).body.startswith(b"<!--#")
        assert (await engine.get("/off/a.html")).body.startswith(b"<!--#")
        assert (await engine.get("/empty.html")).header("content-length") == b"0"
        head = await engine.request("HEAD", "/a.html")
        assert (head.status, head.body) == (200, b"")


async def test_long_text_stays_in_its_file(tmp_path: Path) -> None:
    long = "".join(f"{n:9}\n" for n in range(40_000))
    page = f'<!--#echo var="none" -->{long}<!--#echo var="none" -->{long}<'
    async with documents(tmp_path, {"page": page}) as engine:
        assert (await engine.get("/page")).body.decode() == f"(none){long}(none){long}<"


async def test_value_length(tmp_path: Path) -> None:
    page = '<!--#echo var="x" default="1234" --><!--#echo var="x" default="12345" -->'
    async with documents(tmp_path, {"page": page}, "ssi_value_length 4;") as engine:
        assert (await engine.get("/page")).body == b"1234[an error occurred while processing the directive]"
        assert [line for line in engine.log.lines if 'too long "12345..." value of "default" parameter' in line]


async def test_a_document_that_waits_keeps_its_input(tmp_path: Path) -> None:
    """An upstream that sends faster than the document may go on is not read without end."""
    size = 6 << 20
    sent = 0
    go_on = trio.Event()

    async def document(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        nonlocal sent
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
        await stream.send_all(head + b'<!--#include virtual="/slow" wait="yes" -->')
        for _ in range(size >> 16):
            await stream.send_all(b"x" * 65536)
            sent += 65536

    async def slow(stream: trio.SocketStream, hearing: Hearing, heard: Heard) -> None:
        await go_on.wait()
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")

    async with farm(tmp_path) as peers:
        text = f"""proxy_temp_path {tmp_path}; proxy_max_temp_file_size 0; server {{ listen 127.0.0.1:80; ssi on;
            location / {{ proxy_pass http://{await peers.tcp(talking(document))}; }}
            location /slow {{ proxy_pass http://{await peers.tcp(talking(slow))}; }} }}"""
        async with serving(text) as engine, trio.open_nursery() as nursery:

            async def ask() -> None:
                data = await engine.raw(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
                assert data.endswith(b"\nslow" + b"x" * size)

            nursery.start_soon(ask)
            before = -1
            while before != sent:
                before = sent
                await trio.sleep(0.2)
            assert sent < size
            go_on.set()
