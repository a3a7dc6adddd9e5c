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
