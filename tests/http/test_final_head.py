"""Responses that end with their head, and Locations made absolute."""

from __future__ import annotations

import pytest

from tests.engine import serving


async def test_204_loses_what_tells_of_a_body_and_304_keeps_it() -> None:
    async with serving(
        """
        server {
            listen 127.0.0.1:8080;
            location /204 { default_type text/plain; return 204 "no body"; }
            location /200 { default_type text/plain; return 200 "a body"; }
        }
        """
    ) as engine:
        empty = await engine.get("/204")
        assert empty.status == 204 and empty.body == b""
        assert empty.header("content-type") is None and empty.header("content-length") is None
        head = await engine.request("HEAD", "/200")
        assert head.body == b"" and head.header("content-length") == b"6" and head.header("content-type")


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        ("", b"http://h/x/"),
        ("server_name_in_redirect on;", b"http://named/x/"),
        ("absolute_redirect off;", b"/x/"),
    ],
)
async def test_absolute_locations(directives: str, expected: bytes) -> None:
    async with serving(
        f"server {{ listen 127.0.0.1:8080; server_name named; {directives} location / {{ return 302 /x/; }} }}"
    ) as engine:
        assert (await engine.get("/", host="h")).header("location") == expected


async def test_a_head_that_is_kept_is_of_the_same_answer() -> None:
    """What is added belongs to what is compared before a head is sent again."""
    async with serving(
        """
        server {
            listen 127.0.0.1:8080;
            location / {
                add_header X-Fixed fixed;
                add_header X-Asked $arg_a;
                default_type text/plain;
                return 200 same;
            }
        }
        """
    ) as engine:
        for _ in range(2):
            for target, asked in (("/", None), ("/?a=1", b"1"), ("/?a=2", b"2"), ("/", None), ("/?a=2", b"2")):
                reply = await engine.get(target)
                assert (reply.header("x-fixed"), reply.header("x-asked")) == (b"fixed", asked)
                assert reply.header("content-type") == b"text/plain"


async def test_vary_belongs_to_a_head_that_is_kept() -> None:
    async with serving(
        """
        server {
            listen 127.0.0.1:8080;
            gzip on; gzip_vary on; gzip_types text/plain; gzip_min_length 5;
            location / { default_type text/plain; return 200 $arg_text; }
        }
        """
    ) as engine:
        for text in ("abcd", "abcde", "efgh", "abcde"):
            vary = b"Accept-Encoding" if len(text) == 5 else None
            assert (await engine.get("/?text=" + text)).header("vary") == vary
