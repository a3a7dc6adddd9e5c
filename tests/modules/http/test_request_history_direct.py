"""request_history_direct keeps and counts what its twin does, in Python, for each kind of request."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import re
from pathlib import Path
from typing import Any

import pytest
import trio

from gateway import PURE
from gateway.core.ring import Ring
from gateway.modules.http import request_history, status_zone
from gateway.modules.http.request_history_record import unpacked
from tests.engine import Engine, serving
from tests.fakes import answer, farm
from tests.http2_client import http2
from tests.speeches import HTTP

pytestmark = pytest.mark.skipif(PURE, reason="the plain sources have the twin alone")

# What is another one's each time it runs.
_OWN = ("id", "time", "seconds", "response", "connect", "header")
_REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a?token=SECRET&b=1 HTTP/1.1\r\nHost: a\r\nCookie: s=SECRET; t=u\r\nX-Token: SECRET\r\nX-A: b\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Basic SECRET\r\nReferer: /?session=SECRET\r\nVia: c\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    b"GET /fields HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /moved HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /file HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
    b"GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=1-3\r\n\r\n",
    b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /up HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /id HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /inner HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /off HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /" + b"x" * 700 + b" HTTP/1.1\r\nHost: a\r\nX-Long: " + b"y" * 900 + b"\r\n\r\n",
    b"GET http://b:8/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /closed HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /real HTTP/1.1\r\nHost: a\r\nX-Real: 192.0.2.7\r\n\r\n",
    b"GET /old\r\n",
    b"BAD\x01 / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"",
)


async def _ask(folder: Path, address: str) -> tuple[list[dict[str, Any]], Any, list[str]]:
    """What is kept of them, by the newest; what is counted; and the lines of the error log."""
    text = f"""
    request_history {folder}/ring requests=100 size=1k;
    server {{
        listen 127.0.0.1:1; listen 127.0.0.1:2; http2 on; server_name site; status_zone site; root {folder};
        set_real_ip_from 127.0.0.1; real_ip_header X-Real;
        location / {{ status_zone place; return 200 "body"; }}
        location /fields {{ add_header Set-Cookie "s=SECRET; Path=/"; add_header X-A b; return 200 "body"; }}
        location /moved {{ return 301 /to; }}
        location /file {{ gzip on; gzip_min_length 1; gzip_types *; status_zone place; }}
        location /up {{ proxy_pass http://{address}; }}
        location /id {{ set $i $request_id; return 200 "body"; }}
        location /page {{ ssi on; default_type text/html; log_subrequest on; }}
        location /inner {{ error_page 404 =200 /fields; return 404; }}
        location /off {{ request_history off; status_zone place; return 200 "body"; }}
        location /closed {{ return 444; }}
    }}
    """
    async with serving(text) as engine:
        await _all(engine)
        counted = list(engine.cycle.scope.conf(status_zone.module, "main").table.counts.values())
        shown = {(each.kind, each.name): each.show() for each in counted}
        lines = [line.partition(": ")[2] for line in engine.log.lines]
        engine.log.lines.clear()
    kept = [unpacked(data) for _, data in Ring.read_from(f"{folder}/ring").newest()]
    return [{key: value for key, value in entry.items() if key not in _OWN} for entry in kept], shown, lines


async def _all(engine: Engine) -> None:
    for request in _REQUESTS:
        await engine.raw(request, end=True)
    await engine.raw(_REQUESTS[0] * 3 + _REQUESTS[6], end=True)
    async with http2(engine) as client:
        await client.get("/a?token=SECRET", (b"x-token", b"SECRET"), (b"cookie", b"a=SECRET"))
        await client.get("/fields")
        await client.post("/", b"body")


async def test_it_is_the_same_as_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"some text, " * 20)
    (tmp_path / "page").write_bytes(b'<!--#include virtual="/fields" --> <!--#include virtual="/none" -->')
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(speech=HTTP))
        direct = await _ask(tmp_path, address)
        (tmp_path / "ring").unlink()
        monkeypatch.setattr(request_history, "_direct", lambda: request_history.Keep)
        plain = await _ask(tmp_path, address)
    for one, other in zip(direct, plain, strict=True):
        assert one == other
    kept, counted, _ = direct
    assert len(kept) == len(_REQUESTS) - 2 + 4 + 3  # neither /off nor the connection without a request
    assert counted["server", "site"]["requests"] > len(_REQUESTS)
    assert [entry["client"] for entry in kept if entry["uri"] == "/real"] == ["192.0.2.7"]
    assert b"SECRET" not in (tmp_path / "ring").read_bytes()


async def test_it_is_taken(tmp_path: Path) -> None:
    """Where the sources are compiled it is this one that runs, by itself in the log phase."""
    text = f"request_history {tmp_path}/ring; server {{ listen 127.0.0.1:1; location / {{ return 200; }} }}"
    async with serving(text) as engine:
        await engine.get("/")
        log = engine.cycle.plan_of(engine.cycle.servers[0].locations.prefixes[b"/"]).log
        assert type(log).__name__ == "DirectKeep"


async def test_an_example_is_kept_under_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a histogram shows can be asked for."""
    text = f"""request_history {tmp_path}/ring; server {{ listen 127.0.0.1:1; status_zone site;
    location / {{ return 200; }} }}"""
    made = []
    async with serving(text) as engine:
        of = type(engine.cycle).request_id

        def told(cycle: Any, request: Any) -> bytes:
            id = of(cycle, request) or b""
            made.append(id.decode())
            return id

        monkeypatch.setattr(type(engine.cycle), "request_id", told)
        await engine.get("/")
        await engine.get("/")
    kept = [unpacked(data)["id"] for _, data in Ring.read_from(f"{tmp_path}/ring").newest()]
    assert len(kept) == 2 and made and set(made) <= set(kept)


async def test_what_is_sent_behind_a_post_action_is_another_one_s(tmp_path: Path) -> None:
    text = f"""request_history {tmp_path}/ring; server {{ listen 127.0.0.1:1; status_zone site;
    location /a {{ post_action /after; return 200 "small"; }} location /after {{ return 200 "z"; }}
    location /b {{ return 200 {"x" * 3000}; }} }}"""
    async with serving(text) as engine:
        await engine.raw(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n", end=True)
    kept = {entry["uri"]: entry["bytes"] for entry in
            (unpacked(data) for _, data in Ring.read_from(f"{tmp_path}/ring").newest())}  # fmt: skip
    assert kept["/b"] == "3000" and kept.get("/a", kept.get("/after")) == "5"


async def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "lockf", fail)
    text = f"request_history {tmp_path}/ring; server {{ listen 127.0.0.1:1; location / {{ return 200; }} }}"
    async with serving(text) as engine:
        assert (await engine.get("/")).status == 200
    assert next(unpacked(data)["location"] for _, data in Ring.read_from(f"{tmp_path}/ring").newest()).startswith("/ (")


async def test_what_fails_is_an_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a request that goes the long way, and where an example is due; the next one is served."""

    def fail(*args: object) -> bytes:
        raise RuntimeError("no id")

    text = f"""request_history {tmp_path}/ring; server {{ listen 127.0.0.1:1; status_zone site;
    location / {{ return 200; }} }}"""
    async with serving(text) as engine:
        monkeypatch.setattr(type(engine.cycle), "request_id", fail)
        for body in (b"", b"body"):
            engine.cycle.scope.conf(status_zone.module, "main").table.counts["server", "site"].reset()
            assert (await engine.request("POST", "/", body=body)).status == 200
        assert [line for line in engine.log.lines if "no id" in line]
        engine.log.lines.clear()


async def test_more_at_once_than_are_held(tmp_path: Path) -> None:
    """Each of them once, as it came."""
    text = f"""request_history {tmp_path}/ring requests=500; server {{ listen 127.0.0.1:1; status_zone site;
    location / {{ return 200 "body"; }} }}"""
    async with serving(text) as engine:
        async with contextlib.AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(engine.connect()) for _ in range(150)]
            for number, stream in enumerate(streams):
                await stream.send_all(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
            for stream in streams:
                assert b"body" in await stream.receive_some(4096)
        counts = engine.cycle.scope.conf(status_zone.module, "main").table.counts["server", "site"]
        assert counts.show()["requests"] == 150
    kept = [unpacked(data) for _, data in Ring.read_from(f"{tmp_path}/ring").newest()]
    assert sorted(int(entry["uri"][1:]) for entry in kept) == list(range(150))
    assert {entry["bytes"] for entry in kept} == {"4"}


@pytest.mark.parametrize("count", [1, 3])
async def test_who_reads_finds_what_ended_before(tmp_path: Path, count: int) -> None:
    """Though both came in one segment."""
    text = f"""request_history {tmp_path}/ring; server {{ listen 127.0.0.1:1; status_zone site;
    location / {{ return 200 "body"; }} location /api/ {{ api; }} location /metrics {{ metrics; }}
    location /board/ {{ dashboard; }} }}"""
    one = b"GET /wanted HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serving(text) as engine:
        last = b"GET %b HTTP/1.0\r\nHost: localhost\r\n\r\n"
        told = await engine.raw(one * count + last % b"/api/9/http/server_zones/site", end=True)
        assert b'"requests":%d' % count in told
        told = await engine.raw(one * count + last % b"/metrics", end=True)
        counted = re.search(rb'^nginxplus_server_zone_requests\{server_zone="site"\} (\d+)', told, re.MULTILINE)
        assert counted is not None and int(counted[1]) == 2 * count + 1
        told = await engine.raw(one * count + last % b"/board/requests", end=True)
        assert told.count(b"/wanted") >= 3 * count


async def test_each_request_has_its_own_address(tmp_path: Path) -> None:
    """What ended is put down later, and a request behind it on the connection may have another client by then."""
    text = f"""request_history {tmp_path}/ring; server {{ listen 127.0.0.1:1; server_name a;
    location / {{ return 200 "body"; }}
    location /in {{ set_real_ip_from 127.0.0.1; real_ip_header X-Real; root {tmp_path}; }} }}
    server {{ listen 127.0.0.1:1; server_name b; set_real_ip_from 127.0.0.1; real_ip_header X-Real;
    location / {{ return 200 "body"; }} }}"""
    one = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
    async with serving(text) as engine:
        real = b"GET /%b HTTP/1.1\r\nHost: %b\r\nX-Real: 192.0.2.7\r\n\r\n"
        await engine.raw(one % b"1" + real % (b"2", b"b") + one % b"3" + real % (b"in", b"a") + one % b"4", end=True)
    kept = [unpacked(data) for _, data in Ring.read_from(f"{tmp_path}/ring").newest()]
    addresses = {entry["uri"]: entry["client"] for entry in reversed(kept)}
    theirs, ours = "192.0.2.7", "127.0.0.1"
    assert addresses == {"/1": ours, "/2": theirs, "/3": ours, "/in": theirs, "/4": ours}


async def test_a_request_whose_body_is_dropped_ends_once(tmp_path: Path) -> None:
    """Though the worker gives the connection up meanwhile."""
    text = f"""request_history {tmp_path}/ring; server {{ listen 127.0.0.1:1; status_zone site;
    location / {{ return 200 "body"; }} }}"""
    async with serving(text) as engine:
        async with engine.connect() as client:
            await client.send_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
            assert b"body" in await client.receive_some(4096)
            engine.worker.abort()
            with contextlib.suppress(trio.BrokenResourceError):
                assert not await client.receive_some(4096)
        counts = engine.cycle.scope.conf(status_zone.module, "main").table.counts["server", "site"].show()
        assert (counts["requests"], counts["processing"]) == (1, 0)
    assert len(list(Ring.read_from(f"{tmp_path}/ring").newest())) == 1
