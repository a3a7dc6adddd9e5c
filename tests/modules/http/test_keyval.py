"""keyval: pairs that the API sets, as strings, addresses and prefixes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config.errors import ConfigError
from tests.engine import Engine, Reply, load_http, serving

SITE = """
    keyval_zone zone=one:64k {options};
    keyval $arg_k $value zone=one;
    server {{ listen 127.0.0.1:8080; location / {{ return 200 "[$value]"; }}
        location /api/ {{ api write=on; client_body_buffer_size 128k; }} }}
"""


async def api(engine: Engine, method: str, body: Any = None, query: str = "") -> Reply:
    return await engine.request(
        method, f"/api/9/http/keyvals/one{query}", body=b"" if body is None else json.dumps(body).encode()
    )


async def value(engine: Engine, key: str) -> bytes:
    return (await engine.get(f"/?k={key}")).body


async def test_pairs() -> None:
    async with serving(SITE.format(options="")) as engine:
        assert await value(engine, "a") == b"[]"
        assert (await api(engine, "POST", {"a": "1"})).status == 201
        assert (await api(engine, "POST", {"b": "2"})).status == 201
        assert [await value(engine, key) for key in "ab"] == [b"[1]", b"[2]"]
        assert json.loads((await api(engine, "GET")).body) == {"a": "1", "b": "2"}
        assert json.loads((await api(engine, "GET", query="?key=b")).body) == {"b": "2"}
        assert (await api(engine, "GET", query="?key=c")).status == 404
        assert (await api(engine, "PATCH", {"a": "3"})).status == 204
        assert await value(engine, "a") == b"[3]"
        assert (await api(engine, "PATCH", {"a": None})).status == 204
        assert await value(engine, "a") == b"[]"
        assert (await api(engine, "DELETE")).status == 204
        assert json.loads((await api(engine, "GET")).body) == {}
        assert json.loads((await engine.get("/api/9/http/keyvals")).body) == {"one": {}}


@pytest.mark.parametrize(
    ("method", "body", "status", "code"),
    [
        ("POST", {"a": "2"}, 409, "KeyvalKeyExists"),
        ("PATCH", {"x": "2"}, 404, "KeyvalKeyNotFound"),
        ("POST", {"b": 1}, 400, "KeyvalFormatError"),
        ("POST", {"b": "1", "c": "2"}, 400, "KeyvalFormatError"),
        ("POST", {}, 400, "KeyvalFormatError"),
        ("POST", {"b": {"value": "1", "expire": 5}}, 400, "KeyvalFormatError"),
        ("POST", {"b": {"value": "1", "else": 5}}, 400, "KeyvalFormatError"),
        ("POST", {"b": "\ud800"}, 400, "KeyvalFormatError"),
        ("POST", {"\ud800": "b"}, 400, "KeyvalFormatError"),
        ("POST", {"b": "x" * 65535}, 413, "KeyvalTooLong"),
        ("POST", {"b": "x" * 60000}, 500, "KeyvalOutOfMemory"),
    ],
)
async def test_what_is_refused(method: str, body: Any, status: int, code: str) -> None:
    async with serving(SITE.format(options="")) as engine:
        await api(engine, "POST", {"a": "1"})
        reply = await api(engine, method, body)
        assert (reply.status, json.loads(reply.body)["error"]["code"]) == (status, code)
        assert json.loads((await api(engine, "GET")).body) == {"a": "1"}
        assert (await engine.get("/api/9/http/keyvals/none")).status == 404


async def test_addresses_and_networks() -> None:
    async with serving(SITE.format(options="type=ip")) as engine:
        pairs = {"10.0.0.0/8": "ten", "10.1.0.0/16": "one", "10.1.2.3": "host", "2001:db8::/32": "six"}
        for key, found in pairs.items():
            assert (await api(engine, "POST", {key: found})).status == 201
        asked = {"10.1.2.3": "host", "10.1.9.9": "one", "10.9.9.9": "ten", "2001:db8::1": "six", "11.0.0.1": ""}
        for key, found in asked.items():
            assert await value(engine, key) == f"[{found}]".encode(), key
        assert (await api(engine, "POST", {"host.example": "1"})).status == 400
        await api(engine, "PATCH", {"10.1.2.3": None})
        assert await value(engine, "10.1.2.3") == b"[one]"


async def test_prefixes() -> None:
    async with serving(SITE.format(options="type=prefix")) as engine:
        for key, found in (("/a", "a"), ("/a/b", "ab")):
            await api(engine, "POST", {key: found})
        asked = {"/a/bc": "ab", "/a/": "a", "/": "", "/a": "a"}
        for key, found in asked.items():
            assert await value(engine, key) == f"[{found}]".encode(), key


async def test_a_pair_ends() -> None:
    async with serving(SITE.format(options="timeout=1h")) as engine:
        await api(engine, "POST", {"a": {"value": "1", "expire": 0}})
        await api(engine, "POST", {"b": {"value": "2", "expire": 60000}})
        assert [await value(engine, key) for key in "ab"] == [b"[]", b"[2]"]
        assert json.loads((await api(engine, "GET")).body) == {"b": "2"}


async def test_the_state_outlives_the_server(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    site = SITE.format(options=f"state={state} timeout=1h")
    async with serving(site) as engine:
        await api(engine, "POST", {"a": "\u00e4 1"})
        await api(engine, "POST", {"gone": {"value": "1", "expire": 1}})
    async with serving(site) as engine:
        assert json.loads((await api(engine, "GET")).body) == {"a": "\u00e4 1"}
    state.write_text("{")
    with pytest.raises(Exception, match="cannot be read"):
        load_http(site)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keyval_zone zone=one:1k;", 'zone "zone=one:1k" is too small'),
        ("keyval_zone zone=one;", 'invalid zone size "zone=one"'),
        ("keyval_zone timeout=1h;", 'must have "zone" parameter'),
        ("keyval_zone zone=one:64k type=x;", 'invalid parameter "type=x"'),
        ("keyval_zone zone=one:64k timeout=0;", 'invalid timeout "timeout=0"'),
        ("keyval_zone zone=one:64k sync;", '"keyval_zone" with "sync" needs "timeout"'),
        ("keyval_zone zone=one:64k sync timeout=1h;", '"zone_sync_store" is missing'),
        ("keyval_zone zone=one:64k; keyval_zone zone=one:64k;", '"one" is already there'),
        ("keyval $arg_a value zone=one;", "invalid variable name"),
        ("keyval $arg_a $value one;", 'invalid parameter "one"'),
        ("limit_req_zone $arg_a zone=one:64k rate=1r/s; keyval $a $b zone=one;", "different use"),
    ],
)
def test_configuration_errors(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_http(text)


def test_a_zone_that_nobody_made() -> None:
    with pytest.raises(Exception, match='zero size shared memory zone "one"'):
        load_http("keyval $arg_a $value zone=one;")
