"""The head of a response as HTTP/2 has it: the fields of HTTP/1 without those of its connection."""

from __future__ import annotations

import pytest

from tests.engine import serving
from tests.http2_client import http2, speaking

LOCATIONS = """
    location /text { return 200 "text"; }
    location /to { return 302 /there; }
    location /away { return 302 http://e/; }
    location /as_is { absolute_redirect off; return 302 /there; }
    location /tagged { add_header X-Y z; add_header Cache-Control no-cache; return 200 "text"; }
    location /charset { charset utf-8; default_type text/plain; return 200 "text"; }
    location /hop { add_header Upgrade x; add_header Keep-Alive x; add_header X-Y z; return 200 "text"; }
    location /404 { return 404; }
"""


@pytest.mark.parametrize("path", ["/text", "/to", "/away", "/as_is", "/tagged", "/charset", "/404"])
async def test_the_same_fields_as_http1(path: str) -> None:
    text = f"server {{ listen 127.0.0.1:8080; http2 on; {LOCATIONS} }}"
    async with serving(text) as engine:
        one = await engine.get(path)
        async with http2(engine) as client:
            two = await client.get(path)
    assert two.status == one.status and two.body == one.body
    fields = {name: value for name, value in two.fields.items() if name not in (b":status", b"date")}
    assert fields == {name: value for name, value in one.headers if name not in (b"connection", b"date")}


async def test_fields_of_a_connection_are_left_out() -> None:
    async with speaking(f"server {{ listen 127.0.0.1:8080; http2 on; {LOCATIONS} }}") as client:
        names = (await client.get("/hop")).names
    assert b"x-y" in names and b"upgrade" not in names and b"keep-alive" not in names
