"""api_json: the same as json's own text; and what shows many things lets others have their turn meanwhile."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import turns
from gateway.core.turns import PORTION, at_once
from gateway.modules.http.api_json import encoded
from tests.engine import Engine
from tests.modules.http.test_log import serving

_PEERS = 5 * PORTION
_REQUESTS = 120
_LEAF = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))


_SMALL = st.recursive(
    _LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=4)),
    max_leaves=4,
)
_LONG = st.one_of(
    _SMALL.map(lambda one: [one] * (PORTION + 1)),
    _SMALL.map(lambda one: {str(number): one for number in range(2 * PORTION)}),
)


@given(st.one_of(_SMALL, _LONG, st.dictionaries(st.text(max_size=3), st.one_of(_SMALL, _LONG), max_size=3)))
def test_it_is_the_same_text(found: Any) -> None:
    text = json.dumps(found, separators=(",", ":")).encode()
    assert b"".join(at_once(encoded(found))) == text
    if isinstance(found, list):
        assert b"".join(at_once(encoded(iter(found)))) == text
        assert b"".join(at_once(encoded({"a": iter(found), "b": 1}))) == b'{"a":%b,"b":1}' % text


@pytest.mark.parametrize(
    ("found", "parts"),
    [
        ([], 0),
        ([1] * PORTION, 0),
        ([1] * (3 * PORTION), 3),
        ({"a": {"peers": [1] * (2 * PORTION)}, "b": 1}, 2),
        ({number: 1 for number in range(2 * PORTION)}, 1),
    ],
)
def test_parts(found: Any, parts: int) -> None:
    assert sum(1 for _ in encoded(found)) == parts


def _conf(folder: Path) -> str:
    servers = " ".join(f"server 127.1.{number >> 8}.{number & 255}:80;" for number in range(_PEERS))
    return f"""
    log_format asked "$request_method $uri";
    request_history {folder}/ring requests={_REQUESTS};
    upstream many {{ zone many 8m; {servers} }}
    server {{
        listen 127.0.0.1:1; access_log {folder}/log asked;
        location /api {{ api write=on; }}
        location /gw/ {{ dashboard; }}
        location /metrics {{ metrics; }}
        location /ok {{ return 204; }}
    }}
    """


async def _both(engine: Engine, method: str, path: str) -> bytes:
    """What answers the long request, when a short one came with it."""
    long, short = engine.connect(), engine.connect()
    os.write(long.socket.fileno(), f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    os.write(short.socket.fileno(), b"GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    async with long, short:
        async for _ in short:
            pass
        return b"".join([part async for part in long])


@pytest.mark.parametrize(
    ("method", "path", "parts"),
    [
        ("GET", "/api/9/http/upstreams", _PEERS // PORTION),
        ("GET", "/api/9/http/upstreams/many", _PEERS // PORTION),
        ("GET", "/api/9/http/upstreams/many/servers", _PEERS // PORTION),
        ("DELETE", "/api/9/http/upstreams/many", _PEERS // PORTION),
        ("DELETE", "/api/9/http/upstreams/many/servers/3", (_PEERS - 1) // PORTION),
        ("GET", "/gw/", _PEERS // PORTION),
        ("GET", "/gw/data.json", _PEERS // PORTION),
        ("GET", "/gw/data.csv", _PEERS // PORTION),
        ("GET", "/gw/requests?q=status:500", _REQUESTS // 50),
        ("GET", "/gw/requests/none", _REQUESTS // 50),
        ("GET", "/metrics", 2 * _PEERS // PORTION),
    ],
)
async def test_what_is_long_is_done_in_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, path: str, parts: int
) -> None:
    """The turns are counted; a request that came later is answered, and logged, within them."""
    taken = 0
    sleep = turns.sleep

    def counted(seconds: float) -> Any:
        nonlocal taken
        taken += 1
        return sleep(seconds)

    monkeypatch.setattr(turns, "sleep", counted)
    async with serving(_conf(tmp_path)) as engine:
        for _ in range(_REQUESTS if "requests" in path else 0):
            await engine.get("/ok")
        (tmp_path / "log").write_text("")
        answer = await _both(engine, method, path)
    assert answer.startswith((b"HTTP/1.1 20", b"HTTP/1.1 404" if path.endswith("none") else b"HTTP/1.1 20"))
    assert taken >= parts
    assert (tmp_path / "log").read_text().split("\n") == ["GET /ok", f"{method} {path.partition('?')[0]}", ""]


async def test_a_client_that_goes_away_meanwhile(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        stream = engine.connect()
        os.write(stream.socket.fileno(), b"GET /api/9/http/upstreams HTTP/1.1\r\nHost: a\r\n\r\n")
        await stream.aclose()
        assert (await engine.get("/ok")).status == 204
        assert (await engine.get("/api/9/http/upstreams/many")).status == 200
