"""The API's keyvals: methods and what they allow (what pairs do is in test_keyval.py)."""

from __future__ import annotations

import json

from tests.engine import serving

SITE = """
    keyval_zone zone=one:64k;
    server {{ listen 127.0.0.1:8080; location /api/ {{ api {write}; }} }}
"""


async def test_without_write_nothing_changes() -> None:
    async with serving(SITE.format(write="")) as engine:
        for method in ("POST", "PATCH", "DELETE"):
            reply = await engine.request(method, "/api/9/http/keyvals/one", body=b'{"a": "1"}')
            assert (reply.status, json.loads(reply.body)["error"]["code"]) == (405, "MethodDisabled")
        assert json.loads((await engine.get("/api/9/http/keyvals/one")).body) == {}


async def test_what_is_allowed() -> None:
    async with serving(SITE.format(write="write=on")) as engine:
        reply = await engine.request("OPTIONS", "/api/9/http/keyvals/one")
        assert reply.header("allow") == b"GET, HEAD, OPTIONS, POST, PATCH, DELETE"
        assert (await engine.request("PUT", "/api/9/http/keyvals/one")).status == 405
        assert (await engine.request("POST", "/api/9/http/keyvals", body=b'{"a": "1"}')).status == 405
        assert (await engine.get("/api/9/http/keyvals/one/more")).status == 404
        assert "keyvals" in json.loads((await engine.get("/api/9/http")).body)


async def test_a_body_that_is_no_object() -> None:
    async with serving(SITE.format(write="write=on")) as engine:
        for body, status in ((b"{", 415), (b"[]", 400), (b"", 415)):
            assert (await engine.request("POST", "/api/9/http/keyvals/one", body=body)).status == status
