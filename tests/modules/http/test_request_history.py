"""request_history: the last requests, with nothing in them that is secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config.errors import ConfigError
from gateway.core.ring import Ring
from gateway.modules.http.request_history_record import unpacked
from tests.engine import load_http, serving
from tests.fakes import answer, farm
from tests.modules.http.test_log import serving as logging
from tests.speeches import HTTP


def _conf(folder: Path, more: str = "", inside: str = "") -> str:
    return f"""
    request_history {folder}/ring requests=5 {more};
    server {{
        listen 127.0.0.1:1; server_name site; add_header Set-Cookie "sid=abc; Path=/"; add_header I $request_id always;
        location / {{ return 200 "secret body"; }}
        location ~ ^/file {{ root /nonexistent; }}
        location /not {{ request_history off; return 204; }}
        {inside}
    }}
    """


def _kept(folder: Path) -> list[dict[str, Any]]:
    return [unpacked(data) for _, data in Ring.read_from(f"{folder}/ring").newest()]


async def test_what_is_kept(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        fields = {
            "Authorization": "Basic YTpi",
            "Cookie": "sid=1; theme=dark",
            "X-Api-Key": "k",
            "Referer": "/a?token=9",
        }
        reply = await engine.request("POST", "/a?x=1&password=9", fields, body=b"posted body")
        await engine.get("/not")
    (entry,) = _kept(tmp_path)
    assert (entry["method"], entry["status"], entry["host"], entry["server"]) == ("POST", "200", "localhost", "site")
    assert entry["uri"] == "/a?x=1&password=****"
    assert entry["id"].encode() == reply.header("i")
    assert entry["location"].startswith("/ (nginx.conf:")
    asked = dict(entry["asked"])
    assert (asked["Authorization"], asked["Cookie"]) == ("Basic ****", "sid=****; theme=****")
    assert (asked["X-Api-Key"], asked["Referer"]) == ("****", "/a?token=****")
    assert ("Set-Cookie", "sid=****; Path=/") in entry["answered"]
    everything = (tmp_path / "ring").read_bytes()
    assert not [secret for secret in (b"YTpi", b"dark", b"body", b"abc") if secret in everything]


async def test_failures_and_upstreams(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(speech=HTTP))
        async with serving(_conf(tmp_path, inside=f"location /up {{ proxy_pass http://{address}; }}")) as engine:
            await engine.get("/up/a")
            await engine.get("/file")
    failed, passed = _kept(tmp_path)
    assert (passed["upstream"], passed["upstream_status"]) == (address, "200")
    assert float(passed["response"]) >= 0
    assert failed["notes"] == ['[error] open() "/nonexistent/file" failed (2: No such file or directory)']
    assert failed["location"].startswith("~ ^/file (")


async def test_a_field_that_was_refused_is_masked_as_well(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        await engine.raw(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: sid=" + b"s" * 9000 + b"\r\n\r\n")
        assert any("sid=ssss" in line for line in engine.log.lines)  # as nginx's
    (entry,) = _kept(tmp_path)
    assert entry["notes"][0].startswith('[info] client sent too long header line: "Cookie: ****" while reading')
    assert b"sid=s" not in (tmp_path / "ring").read_bytes()


async def test_the_last_ones(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path)) as engine:
        for number in range(8):
            await engine.get(f"/{number}")
    assert [entry["uri"] for entry in _kept(tmp_path)] == ["/7", "/6", "/5", "/4", "/3"]


async def test_long_ones_are_cut(tmp_path: Path) -> None:
    async with serving(_conf(tmp_path, "size=1k")) as engine:
        await engine.get("/" + "u" * 3000, {f"X-{number}": "v" * 300 for number in range(9)})
    (entry,) = _kept(tmp_path)
    assert entry["cut"] and entry["status"] == "200" and entry["uri"].startswith("/uuu")


async def test_an_id_that_nobody_asked_for(tmp_path: Path) -> None:
    """It is not made for each request, and yet each has one of its own."""
    conf = _conf(tmp_path).replace("add_header I $request_id always;", "")
    async with serving(conf) as engine:
        for _ in range(3):
            await engine.get("/")
    ids = [entry["id"] for entry in _kept(tmp_path)]
    assert len(set(ids)) == 3
    assert all(len(id) == 32 and not id.strip("0123456789abcdef") for id in ids)


async def test_the_location_that_answers(tmp_path: Path) -> None:
    inside = """log_format where "$uri $request_location"; server { listen 127.0.0.1:1; access_log %s/log where;
        location / { return 204; location = /exact { return 204; } }
        location ~ ^/re { error_page 404 = @named; return 404; }
        location @named { return 204; }
        location /if { if ($arg_x) { return 204; } return 204; }
        if ($uri = /own) { return 204; } }"""
    async with logging(inside % tmp_path) as engine:
        for path in ("/a", "/exact", "/re", "/if?x=1", "/own"):
            await engine.get(path)
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["/", "= /exact", "@named", "if", "the server itself"]


async def test_a_file_that_cannot_be(tmp_path: Path) -> None:
    """What looks on does not stop what works."""
    async with serving(_conf(tmp_path).replace(f"{tmp_path}/ring", "/nonexistent/ring")) as engine:
        assert (await engine.get("/")).status == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("request_history a requests=0;", 'invalid parameter "requests=0"'),
        ("request_history a size=x;", 'invalid size "x"'),
        ("request_history a; request_history b;", '"request_history" directive is duplicate'),
        ("server { request_history a; }", 'takes "off" alone here'),
    ],
)
def test_wrong(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_http(text)
