"""Heads of responses: the order of fields is nginx's, and nothing of one head is left in the next."""

from __future__ import annotations

from tests.engine import serving

LOCATIONS = """
    location /a { return 200 "text"; }
    location /b { return 200 "other"; }
    location /to { return 302 /there; }
    location /away { return 302 http://e/; }
    location /as_is { absolute_redirect off; return 302 /there; }
    location /tagged { add_header X-Y z; return 200 "text"; }
"""


async def head(target: str, times: int = 1) -> bytes:
    """The last of several answers to the same request, without its body."""
    async with serving(f"server {{ listen 127.0.0.1:8080; {LOCATIONS} }}") as engine:
        request = b"GET %s HTTP/1.1\r\nHost: h\r\n" % target.encode()
        data = await engine.raw((request + b"\r\n") * (times - 1) + request + b"Connection: close\r\n\r\n")
        return data[data.rfind(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")[0]


def names(data: bytes) -> list[bytes]:
    return [line.partition(b":")[0] for line in data.split(b"\r\n")]


async def test_the_order_of_fields() -> None:
    plain = [b"HTTP/1.1 200 OK", b"Server", b"Date", b"Content-Type", b"Content-Length"]
    assert names(await head("/a")) == [*plain, b"Connection"]
    assert names(await head("/tagged")) == [*plain, b"Connection", b"X-Y"]
    moved = [b"HTTP/1.1 302 Moved Temporarily", *plain[1:]]
    assert names(await head("/to")) == [*moved, b"Location", b"Connection"]
    assert names(await head("/away")) == [*moved, b"Connection", b"Location"]
    assert names(await head("/as_is")) == [*moved, b"Connection", b"Location"]


async def test_heads_one_after_the_other_say_each_their_own() -> None:
    async with serving(f"server {{ listen 127.0.0.1:8080; {LOCATIONS} }}") as engine:
        data = await engine.raw(
            b"".join(
                b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % target
                for target in (b"/a", b"/b", b"/a", b"/b", b"/a.html", b"/tagged", b"/a")
            )
            + b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )
    heads = [part.partition(b"\r\n\r\n")[0] for part in data.split(b"HTTP/1.1 ")[1:]]
    assert [b"Content-Length: 5" in head for head in heads] == [False, True, False, True, False, False, False, False]
    assert [b"text/html" in head for head in heads] == [False, False, False, False, True, False, False, False]
    assert [b"X-Y" in head for head in heads] == [False, False, False, False, False, True, False, False]
    assert [b"keep-alive" in head for head in heads] == [True] * 7 + [False]
