"""py_*: what functions may return, how they wait, and what becomes of those that fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from gateway.http.plan import make_plan
from gateway.modules.http.py import module
from tests.engine import Engine, load_http, read_reply, serving

HANDLERS = """
import trio

STARTED, ENDED = [], []

def text(r): return "tëxt"
def data(r): return b"\\x00"
def json(r): return {"a": ["ü", None]}
def nothing(r): return None
def number(r): return int(r.args["status"])
def pair(r): return 418, "short"
def fields(r): return 201, b"made", {"Content-Type": "text/x", "X-Two": ["a", "b"], "Location": "/new"}
def empty(r): return 200, ""
def odd(r): return object()
def odd_status(r): return True, "x"
def named(r): return r.internal_redirect("@named")
def elsewhere(r): return r.internal_redirect("/text?x=1")
def body(r): return r.body[::-1]
def boom(r): return 1 / 0
def parts(r):
    for number in range(3):
        yield f"{number} "
def no_parts(r):
    yield from ()
def many(r):
    for number in range(3000):
        yield b"%07d\\n" % number * 16
def parts_boom(r):
    yield "one"
    raise ValueError("within")
async def slow(r):
    await trio.sleep(0.01)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 0)
    return await trio.to_thread.run_sync(lambda: "slow")
async def slow_boom(r):
    await trio.sleep(0)
    raise KeyError("k")
async def slow_parts(r):
    try:
        while True:
            yield "x" * 100
            await trio.sleep(0)
    finally:
        ENDED.append("parts")
async def for_ever(r):
    STARTED.append(1)
    try:
        await trio.sleep_forever()
    finally:
        ENDED.append("for_ever")

def yes(r): return True
def none(r): return None
def no(r): return False
def status(r): return 401
async def slow_no(r):
    await trio.sleep(0)
    return False

def agent(r): return r.headers_in.get("User-Agent")
CALLS = []
def counted(r):
    CALLS.append(r.uri)
    return str(len(CALLS))
def itself(r): return r.variables["itself"]

def head(r):
    r.headers_out["X-Was"] = str(r.status)
    if r.status == 200:
        r.status = 203
def upper(r, data, last): return data.upper() + (b"." if last else b"")
def drop(r, data, last): return None
def filter_boom(r, data, last): raise ValueError("in a filter")
def head_boom(r): raise ValueError("in a head")
"""

CONF = """
py_import h from h.py;
{http}
server {{ listen 127.0.0.1:80; server_tokens off;
location /text {{ py_content h.text; }}
location @named {{ return 200 named; }}
{inside} }}
"""


@asynccontextmanager
async def handling(folder: Path, inside: str, http: str = "", *, failing: bool = False) -> AsyncIterator[Engine]:
    """`failing`: tracebacks are what the test is about."""
    (folder / "h.py").write_text(HANDLERS)
    text = CONF.format(inside=inside, http=f"client_body_temp_path {folder}; {http}")
    async with serving(text, prefix=f"{folder}/") as engine:
        yield engine
        if failing:
            engine.log.lines[:] = [line for line in engine.log.lines if "Traceback" not in line]


def traces(engine: Engine) -> list[str]:
    return [line for line in engine.log.lines if "Traceback" in line]


@pytest.mark.parametrize(
    ("name", "status", "kind", "body"),
    [
        ("text", 200, b"text/plain; charset=utf-8", "tëxt".encode()),
        ("data", 200, b"application/octet-stream", b"\0"),
        ("json", 200, b"application/json", b'{"a":["\\u00fc",null]}'),
        ("nothing", 204, None, b""),
        ("pair", 418, b"text/plain; charset=utf-8", b"short"),
        ("empty", 200, b"text/plain; charset=utf-8", b""),
        ("named", 200, b"text/plain", b"named"),
        ("elsewhere", 200, b"text/plain; charset=utf-8", "tëxt".encode()),
        ("parts", 200, b"text/plain; charset=utf-8", b"0 1 2 "),
        ("no_parts", 200, b"text/plain; charset=utf-8", b""),
        ("slow", 200, b"text/plain; charset=utf-8", b"slow"),
    ],
)
async def test_what_a_function_answers(tmp_path: Path, name: str, status: int, kind: bytes | None, body: bytes) -> None:
    async with handling(tmp_path, f"location / {{ py_content h.{name}; }}") as engine:
        reply = await engine.get("/")
        assert (reply.status, reply.header("content-type"), reply.body) == (status, kind, body)
        head = await engine.request("HEAD", "/")
        assert (head.status, head.header("content-type"), head.body) == (status, kind, b"")


async def test_a_status_fields_and_a_body(tmp_path: Path) -> None:
    async with handling(tmp_path, "location / { py_content h.fields; }") as engine:
        reply = await engine.get("/")
        assert (reply.status, reply.header("content-type"), reply.body) == (201, b"text/x", b"made")
        assert [value for name, value in reply.headers if name == b"x-two"] == [b"a", b"b"]
        assert (reply.header("location") or b"").endswith(b"/new")


@pytest.mark.parametrize(("status", "page"), [(404, b"404 Not Found"), (503, b"503 "), (200, b""), (204, b"")])
async def test_a_status_alone_has_its_page(tmp_path: Path, status: int, page: bytes) -> None:
    async with handling(tmp_path, "location / { py_content h.number; }") as engine:
        reply = await engine.get(f"/?status={status}")
        assert reply.status == status
        assert page in reply.body if page else not reply.body


async def test_an_error_page_of_a_status(tmp_path: Path) -> None:
    async with handling(tmp_path, "error_page 404 /text; location / { py_content h.number; }") as engine:
        reply = await engine.get("/?status=404")
        assert (reply.status, reply.body) == (404, "tëxt".encode())


@pytest.mark.parametrize("size", [1, 5000, 300_000])
async def test_the_body_is_there_wherever_it_was_kept(tmp_path: Path, size: int) -> None:
    sent = bytes(range(256)) * (size // 256 + 1)
    async with handling(tmp_path, "client_max_body_size 1m; location / { py_content h.body; }") as engine:
        assert (await engine.request("POST", "/", body=sent[:size])).body == sent[:size][::-1]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (sent[:size], b"end"))
        head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        reply = read_reply(await engine.raw(head + chunks + b"0\r\n\r\n"), "POST")
        assert reply.body == b"dne" + sent[:size][::-1]


async def test_a_body_that_is_too_large(tmp_path: Path) -> None:
    async with handling(tmp_path, "client_max_body_size 10; location / { py_content h.body; }") as engine:
        assert (await engine.request("POST", "/", body=b"x" * 11)).status == 413


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("boom", "; ZeroDivisionError: division by zero, client: 127.0.0.1"),
        ("slow_boom", "; KeyError: 'k', client: 127.0.0.1"),
        ("number", "; KeyError: 'status', client: 127.0.0.1"),
        ("odd", "; TypeError: it gave object, which is neither text nor bytes, client: 127.0.0.1"),
        ("odd_status", "; ValueError: True is no status of an answer, client: 127.0.0.1"),
    ],
)
async def test_what_fails_is_a_500_and_its_traceback_is_in_the_log(tmp_path: Path, name: str, said: str) -> None:
    async with handling(tmp_path, f"location / {{ py_content h.{name}; }}", failing=True) as engine:
        reply = await engine.get("/")
        assert reply.status == 500
        assert b"500 Internal Server Error" in reply.body
        (line,) = traces(engine)
        assert "[error] " in line
        assert f"py_content h.{name} failed: Traceback (most recent call last):; " in line
        assert said in line
        if name.endswith("boom"):
            assert line.count('File "') == 1  # the user's frame, none of ours
        assert (await engine.get("/text")).status == 200


async def test_what_fails_behind_the_head_is_cut(tmp_path: Path) -> None:
    async with handling(tmp_path, "location / { py_content h.parts_boom; }", failing=True) as engine:
        received = await engine.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert received.endswith(b"\r\n\r\n3\r\none\r\n")  # no last chunk
        assert "ValueError: within" in traces(engine)[0]


async def test_a_body_in_parts_waits_for_its_client(tmp_path: Path) -> None:
    async with handling(tmp_path, "location / { py_content h.many; }") as engine:
        reply = await engine.get("/")
        assert reply.body == b"".join(b"%07d\n" % number * 16 for number in range(3000))


@pytest.mark.parametrize(("name", "ended"), [("for_ever", "for_ever"), ("slow_parts", "parts")])
async def test_a_client_that_goes_away_ends_the_task(tmp_path: Path, name: str, ended: str) -> None:
    async with handling(tmp_path, f"location / {{ py_content h.{name}; }}") as engine:
        function = engine.cycle.servers[0].root.children[-1].confs[module].content
        found: list[str] = function.call.__globals__["ENDED"]
        stream = engine.connect()
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        if name == "for_ever":
            while not function.call.__globals__["STARTED"]:
                await trio.sleep(0.01)
        else:
            assert b"200 OK" in await stream.receive_some(100)
        assert not found
        await stream.aclose()
        with trio.fail_after(30):
            while not found:
                await trio.sleep(0.01)
        assert found == [ended]


@pytest.mark.parametrize(
    ("name", "status"), [("yes", 200), ("none", 200), ("no", 403), ("status", 401), ("slow_no", 403), ("slow", 500)]
)
async def test_who_is_let_in(tmp_path: Path, name: str, status: int) -> None:
    inside = f"location / {{ py_access h.{name}; py_content h.text; }}"
    async with handling(tmp_path, inside, failing=True) as engine:
        assert (await engine.get("/")).status == status
        told = any(f"access forbidden by py_access h.{name}" in line for line in engine.log.lines)
        assert told is (status == 403)


@pytest.mark.parametrize(("name", "allowed"), [("no", 200), ("yes", 200)])
async def test_with_satisfy_any_the_first_that_lets_in_decides(tmp_path: Path, name: str, allowed: int) -> None:
    inside = f"location / {{ satisfy any; allow all; py_access h.{name}; py_content h.text; }}"
    async with handling(tmp_path, inside) as engine:
        assert (await engine.get("/")).status == allowed


async def test_variables(tmp_path: Path) -> None:
    http = "py_set $agent h.agent; py_set $once h.counted; py_set $each h.counted nocache; py_set $itself h.itself;"
    inside = """
    location /agent { return 200 "<$agent>"; }
    location /once { return 200 "$once $once"; }
    location /each { return 200 "$each $each"; }
    """
    async with handling(tmp_path, inside, http) as engine:
        assert (await engine.get("/agent", {"User-Agent": "me"})).body == b"<me>"
        assert (await engine.get("/agent")).body == b"<>"
        assert (await engine.get("/once")).body == b"1 1"
        assert (await engine.get("/each")).body == b"2 3"


async def test_a_variable_that_fails(tmp_path: Path) -> None:
    http = "py_set $boom h.boom; py_set $itself h.itself;"
    inside = "location / { return 200 $boom; } location /itself { return 200 $itself; }"
    async with handling(tmp_path, inside, http, failing=True) as engine:
        assert (await engine.get("/")).status == 500
        assert "py_set h.boom failed: " in traces(engine)[0]
        assert (await engine.get("/itself")).status == 500
        assert any('cycle while evaluating variable "itself"' in line for line in engine.log.lines)


async def test_filters(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some text " * 20_000)
    inside = f"""
    location / {{ root {tmp_path}; py_header_filter h.head; py_body_filter h.upper; }}
    location /drop {{ py_body_filter h.drop; return 200 text; }}
    location /plain {{ py_header_filter h.head; return 404; }}
    """
    async with handling(tmp_path, inside) as engine:
        reply = await engine.get("/a.txt", {"Range": "bytes=0-3"})
        assert (reply.status, reply.header("x-was")) == (203, b"200")
        assert reply.body == b"SOME TEXT " * 20_000 + b"."
        assert reply.header("content-length") is None
        assert (reply.header("etag") or b"").startswith(b"W/")
        assert (await engine.request("HEAD", "/a.txt")).body == b""
        assert (await engine.get("/drop")).body == b""
        reply = await engine.get("/plain")
        assert (reply.status, reply.header("x-was")) == (404, b"404")


async def test_filters_that_fail(tmp_path: Path) -> None:
    inside = """
    location /body { py_body_filter h.filter_boom; return 200 text; }
    location /head { py_header_filter h.head_boom; return 200 text; }
    """
    async with handling(tmp_path, inside, failing=True) as engine:
        received = await engine.raw(b"GET /body HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"text" not in received.partition(b"\r\n\r\n")[2]
        assert b"0\r\n\r\n" not in received
        assert (await engine.get("/head")).status == 500
        assert ["in a filter" in traces(engine)[0], "in a head" in traces(engine)[1]] == [True, True]


def test_a_location_without_them_has_nothing_of_them(tmp_path: Path) -> None:
    (tmp_path / "h.py").write_text(HANDLERS)
    text = CONF.format(inside="location /x { return 204; }", http="")
    cycle = load_http(text, f"{tmp_path}/")
    bare = load_http("server { location /x { return 204; } }")
    own, other = cycle.servers[0].root.children[-1], bare.servers[0].root.children[-1]
    one, two = make_plan(own, cycle.modules), make_plan(other, bare.modules)
    assert len(one.steps) == len(two.steps)
    assert len(one.head_filters) == len(two.head_filters)
