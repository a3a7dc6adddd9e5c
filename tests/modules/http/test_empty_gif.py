"""empty_gif: a picture of one pixel."""

from __future__ import annotations

from tests.engine import serving


async def test_picture() -> None:
    async with serving("server { listen 127.0.0.1:80; location = /p.gif { empty_gif; } }") as engine:
        reply = await engine.get("/p.gif")
        assert reply.status == 200
        assert reply.header("content-type") == b"image/gif"
        assert reply.header("last-modified") == b"Mon, 28 Sep 1970 06:00:00 GMT"
        # one pixel, 1 by 1, the end of a GIF
        assert reply.body[:10] == b"GIF89a\x01\x00\x01\x00"
        assert len(reply.body) == 43
        assert reply.body.endswith(b";")
        assert (await engine.request("HEAD", "/p.gif")).header("content-length") == b"43"
        assert (await engine.request("POST", "/p.gif", body=b"a")).status == 405
        since = {"If-Modified-Since": "Mon, 28 Sep 1970 06:00:00 GMT"}
        assert (await engine.get("/p.gif", since)).status == 304
