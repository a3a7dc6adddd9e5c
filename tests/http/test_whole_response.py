"""What holds a response's head, by a filter of image_filter's kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import serving
from tests.protocol.test_image_head import image

LARGE = b"x" * 3_000_000


def conf(folder: Path, more: str = "image_filter resize 10 10;") -> str:
    return f"server {{ listen 80; location / {{ root {folder}; {more} }} location /ok {{ return 200 ok; }} }}"


async def test_a_connection_goes_on(tmp_path: Path) -> None:
    """Whatever became of a response, the next one on the connection is another's."""
    (tmp_path / "bad").write_bytes(LARGE)
    (tmp_path / "good").write_bytes(image("png"))
    (tmp_path / "broken").write_bytes(image("png")[:50] + bytes(100000))
    async with serving(conf(tmp_path, "image_filter_buffer 4m; image_filter resize 10 10;")) as engine:
        lines = b"".join(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % name for name in (b"bad", b"good", b"broken", b"ok"))
        data = await engine.raw(lines.replace(b"GET /ok HTTP/1.1\r\n", b"GET /ok HTTP/1.1\r\nConnection: close\r\n"))
        heads = [part.split(b"\r\n")[0] for part in data.split(b"HTTP/1.1 ")[1:]]
        assert heads == [b"415 Unsupported Media Type", b"200 OK", b"415 Unsupported Media Type", b"200 OK"]


async def test_a_file_that_is_longer_than_wanted(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(image("gif") + LARGE)
    async with serving(conf(tmp_path)) as engine:
        assert (await engine.get("/f")).status == 415


async def test_a_client_that_leaves_while_a_thread_works(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(image("png", (4000, 4000), exif=bytes(20000)))
    async with serving(conf(tmp_path)) as engine:
        client = engine.connect()
        await client.send_all(b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.aclose()
        assert (await engine.get("/ok")).body == b"ok"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_in_a_subrequest(tmp_path: Path, method: str) -> None:
    (tmp_path / "i").write_bytes(image("gif"))
    text = f"""server {{ listen 80;
        location /i {{ root {tmp_path}; image_filter size; }}
        location / {{ add_after_body /i; return 200 'before '; default_type text/html; }} }}"""
    async with serving(text) as engine:
        reply = await engine.request(method, "/")
        assert reply.status == 200
        assert method == "HEAD" or b"before" in reply.body
