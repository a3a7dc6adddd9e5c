from __future__ import annotations

from pathlib import Path

import pytest
import trio

from gateway.upstream.cache.file_head import SIZE
from tests.engine import Engine, serving
from tests.fakes import OK, answer, farm
from tests.http_peers import Heard, Hearing, answering, closing, proxied, receive_until, talking
from tests.upstream.cache.caching import BODY, Time, cache_of, cached, files, in_turn, page, state
from tests.upstream.exchange.test_exchange import lines

DATED = b"Last-Modified: Mon, 28 Sep 1970 06:00:00 GMT"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\n%b\r\n"


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


async def test_the_second_answer_comes_from_the_file(tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with cached(answering(page(b"X-A: 1"), heard), tmp_path) as engine:
        first, second = await engine.get("/a?b"), await engine.get("/a?b")
        assert (state(first), state(second)) == ("MISS", "HIT")
        assert first.body == second.body == BODY
        assert second.header("x-a") == b"1" and second.header("content-length") == b"8"
        assert state(await engine.get("/a?c")) == "MISS"
        assert len(heard) == 2
    (one, _) = sorted(files(tmp_path))
    assert one.parent.parent.parent.name == "cache" and one.stat().st_mode & 0o777 == 0o600
    keys = sorted(file.read_bytes()[SIZE:].split(b"\n")[1] for file in files(tmp_path))
    assert keys[0].startswith(b"KEY: http://127.0.0.1:") and keys[0].endswith(b"/a?b")
    assert not [path for path in tmp_path.iterdir() if path.name.isdigit()]


async def test_a_large_answer_is_sent_from_the_file(tmp_path: Path) -> None:
    body = bytes(range(256)) * 2000
    async with cached(answering(page(body=body)), tmp_path) as engine:
        assert (await engine.get("/")).body == body
        second = await engine.get("/")
        assert state(second) == "HIT" and second.body == body


async def test_ranges_and_conditions_are_answered_from_the_file(tmp_path: Path) -> None:
    heard: list[Heard] = []
    peer = answering(page(DATED, b'ETag: "1"', b"Accept-Ranges: bytes"), heard)
    ask = {"Range": "bytes=4-", "If-Range": '"1"', "If-Match": '"1"', "If-None-Match": '"2"'}
    async with cached(peer, tmp_path) as engine:
        for wanted in ("MISS", "HIT"):
            reply = await engine.get("/", ask)
            assert (reply.status, reply.body, state(reply)) == (206, b"THIS", wanted)
        both = await engine.get("/", {"Range": "bytes=0-2,4-"})
        assert both.status == 206 and b"SEE" in both.body and b"THIS" in both.body
        assert (await engine.get("/", {"If-None-Match": '"1"'})).status == 304
        assert (await engine.get("/", {"If-Modified-Since": DATED[15:].decode()})).status == 304
        assert (await engine.get("/", {"If-Match": '"2"'})).status == 412
    (request,) = heard
    assert not {b"range", b"if-range", b"if-match", b"if-none-match"} & set(request.fields)


async def test_head_asks_for_the_whole(tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with cached(answering(page(), heard), tmp_path) as engine:
        first = await engine.request("HEAD", "/")
        assert (state(first), first.body, first.header("content-length")) == ("MISS", b"", b"8")
        second = await engine.get("/")
        assert (state(second), second.body) == ("HIT", BODY)
        assert state(await engine.request("HEAD", "/")) == "HIT"
    assert [request.line[:4] for request in heard] == [b"GET "]


async def test_head_as_it_is(tmp_path: Path) -> None:
    heard: list[Heard] = []
    async with cached(answering(page(), heard), tmp_path, "proxy_cache_convert_head off; proxy_no_cache 1;") as engine:
        await engine.request("HEAD", "/")
    assert [request.line[:5] for request in heard] == [b"HEAD "]


@pytest.mark.parametrize(
    ("inside", "answer"),
    [
        ("proxy_no_cache $arg_no;", page()),
        ("proxy_buffering off;", page()),
        ("", page(b"X-Accel-Buffering: no")),
        ("", page(b"Set-Cookie: a=b")),
        ("", page(b"Cache-Control: no-cache")),
        ("", page(b"Vary: *")),
        ("", page(status=b"404 Not Found")),
        ("", page()[:-1]),
        ("proxy_cache_min_uses 9;", page()),
        ("proxy_cache_max_range_offset 0;", page()),
    ],
)
async def test_what_is_not_kept(inside: str, answer: bytes, tmp_path: Path) -> None:
    async with cached(closing(answer), tmp_path, inside) as engine:
        for _ in range(3):
            data = await engine.raw(b"GET /?no=1 HTTP/1.0\r\nRange: bytes=1-\r\n\r\n")
            assert b"X-Cache: MISS" in data
    assert not files(tmp_path)


async def test_bypass_renews_the_file(tmp_path: Path) -> None:
    peer = answering(in_turn(page(), page(body=b"NEW")))
    async with cached(peer, tmp_path, "proxy_cache_bypass $arg_by; proxy_cache_key /;") as engine:
        assert (await engine.get("/")).body == BODY
        reply = await engine.get("/?by=1")
        assert (state(reply), reply.body) == ("BYPASS", b"NEW")
        reply = await engine.get("/")
        assert (state(reply), reply.body) == ("HIT", b"NEW")


async def test_other_methods(tmp_path: Path) -> None:
    async with cached(answering(page()), tmp_path) as engine:
        assert state(await engine.request("POST", "/", body=b"x")) == "-"
    async with cached(answering(page()), tmp_path, "proxy_cache_methods POST;") as engine:
        assert state(await engine.request("POST", "/", body=b"x")) == "MISS"
        assert state(await engine.request("POST", "/", body=b"y")) == "HIT"


async def test_min_uses(tmp_path: Path) -> None:
    async with cached(answering(page()), tmp_path, "proxy_cache_min_uses 2;") as engine:
        assert [state(await engine.get("/")) for _ in range(3)] == ["MISS", "MISS", "HIT"]


async def test_expired(tmp_path: Path, time: Time) -> None:
    peer = answering(in_turn(page(b"Cache-Control: max-age=10"), page(body=b"NEW")))
    async with cached(peer, tmp_path) as engine:
        await engine.get("/")
        time.passes(10)
        assert state(await engine.get("/")) == "HIT"
        time.passes(1)
        reply = await engine.get("/")
        assert (state(reply), reply.body) == ("EXPIRED", b"NEW")
        assert state(await engine.get("/")) == "HIT"


async def test_stale_on_errors(tmp_path: Path, time: Time) -> None:
    peer = closing(in_turn(page(), page(status=b"500 No"), b"", page(status=b"404 No")))
    inside = "proxy_cache_use_stale http_500 error http_404;"
    async with cached(peer, tmp_path, inside) as engine:
        await engine.get("/")
        for _ in range(3):
            time.passes(61)
            reply = await engine.get("/")
            assert (reply.status, state(reply), reply.body) == (200, "STALE", BODY)
        assert lines(engine, "error")


async def test_stale_if_error(tmp_path: Path, time: Time) -> None:
    peer = closing(in_turn(page(b"Cache-Control: max-age=10, stale-if-error=20"), b""))
    async with cached(peer, tmp_path) as engine:
        await engine.get("/")
        time.passes(30)
        assert state(await engine.get("/")) == "STALE"
        time.passes(1)
        assert (await engine.get("/")).status == 502


async def test_revalidated(tmp_path: Path, time: Time) -> None:
    heard: list[Heard] = []
    answers = in_turn(page(DATED, b'ETag: "1"'), NOT_MODIFIED % b"Cache-Control: max-age=10\r\n", NOT_MODIFIED % b"")
    async with cached(answering(answers, heard), tmp_path, "proxy_cache_revalidate on;") as engine:
        await engine.get("/")
        time.passes(61)
        reply = await engine.get("/")
        assert (reply.status, state(reply), reply.body) == (200, "REVALIDATED", BODY)
        time.passes(10)
        assert state(await engine.get("/")) == "HIT"
        time.passes(1)
        assert state(await engine.get("/")) == "REVALIDATED"
        time.passes(60)  # proxy_cache_valid again
        assert state(await engine.get("/")) == "HIT"
    assert b"if-none-match" not in heard[0].fields
    for request in heard[1:]:
        assert request.fields[b"if-none-match"] == b'"1"'
        assert request.fields[b"if-modified-since"] == DATED[15:]


async def test_errors_are_remembered(tmp_path: Path, time: Time) -> None:
    heard: list[Heard] = []
    async with cached(closing(b"", heard), tmp_path, "proxy_cache_valid 502 10;") as engine:
        first, second = await engine.get("/"), await engine.get("/")
        assert (first.status, state(first), second.status, state(second)) == (502, "MISS", 502, "HIT")
        assert len(heard) == 1
        time.passes(11)
        assert state(await engine.get("/")) == "MISS"


async def test_intercepted_errors_are_remembered(tmp_path: Path) -> None:
    heard: list[Heard] = []
    inside = "proxy_intercept_errors on; error_page 404 = @named; proxy_cache_valid any 1m;"
    async with cached(closing(page(status=b"404 No"), heard), tmp_path, inside) as engine:
        assert [(await engine.get("/")).body for _ in range(2)] == [b"named", b"named"]
    assert len(heard) == 1


async def test_x_accel_redirect_is_followed_again(tmp_path: Path) -> None:
    async with cached(answering(page(b"X-Accel-Redirect: @named")), tmp_path) as engine:
        assert (await engine.get("/")).body == b"named"


async def test_vary(tmp_path: Path) -> None:
    heard: list[Heard] = []

    def make(request: Heard) -> bytes:
        return page(b"Vary: Accept-Encoding, X-A", body=request.fields.get(b"x-a", b"none"))

    async with cached(answering(make, heard), tmp_path) as engine:
        for value, wanted in (("1", "MISS"), ("2", "MISS"), ("1", "HIT"), ("2", "HIT"), ("3", "MISS"), ("3", "HIT")):
            reply = await engine.get("/", {"X-A": value})
            assert (reply.body.decode(), state(reply)) == (value, wanted)
    assert len(heard) == 3


async def test_a_lock_makes_others_wait(tmp_path: Path) -> None:
    heard: list[Heard] = []
    go = trio.Event()

    async def talk(stream: trio.SocketStream, hearing: Hearing, request: Heard) -> None:
        heard.append(request)
        await go.wait()
        await stream.send_all(page())

    async with cached(talking(talk), tmp_path, "proxy_cache_lock on;") as engine:
        found: list[str] = []

        async def ask() -> None:
            found.append(state(await engine.get("/")))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
            cache = cache_of(engine)
            with trio.fail_after(5):
                while not cache.waiting or len(next(iter(cache.waiting.values()))) < 2:
                    await trio.sleep(0.01)
            go.set()
        assert sorted(found) == ["HIT", "HIT", "MISS"] and len(heard) == 1


async def test_a_lock_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    go = trio.Event()

    async def talk(stream: trio.SocketStream, hearing: Hearing, request: Heard) -> None:
        if b"first" in request.fields:
            await go.wait()
        await stream.send_all(page())

    inside = "proxy_cache_lock on; proxy_cache_lock_timeout 20ms;"
    async with cached(talking(talk), tmp_path, inside) as engine, trio.open_nursery() as nursery:
        nursery.start_soon(engine.get, "/", {"first": "1"})
        cache = cache_of(engine)
        with trio.fail_after(5):
            while not len(cache.index.table):
                await trio.sleep(0.01)
        assert state(await engine.get("/")) == "MISS"
        assert lines(engine, "info") and not files(tmp_path)
        go.set()


@pytest.mark.parametrize("end", ["half", "whole"])
@pytest.mark.parametrize(
    "inside", ["", "proxy_ignore_client_abort on;", "proxy_cache_bypass 1;", "proxy_cache_lock on;"]
)
async def test_a_client_that_ends_before_the_head_gets_nothing(end: str, inside: str, tmp_path: Path) -> None:
    """Nor does the cache, as in nginx: a head that nobody can be sent ends the exchange."""
    go = trio.Event()
    asked: list[bytes] = []

    async def talk(stream: trio.SocketStream, hearing: Hearing, request: Heard) -> None:
        asked.append(request.line)
        await go.wait()
        await stream.send_all(page())

    ignored = "ignore" in inside
    async with cached(talking(talk), tmp_path, inside=inside) as engine:
        client = engine.connect()
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        with trio.fail_after(5):
            while not asked:
                await trio.sleep(0.001)
            await client.send_eof()
            if end == "whole":
                await client.aclose()
            while not ignored and not logged(engine, "prematurely closed connection"):
                await trio.sleep(0.001)
            go.set()
            if end == "half":
                data = b"".join([part async for part in client])
                assert (BODY in data) is ignored and (ignored or not data)
                await client.aclose()
            while engine.worker.connections or (ignored and not files(tmp_path)):
                await trio.sleep(0.001)
        assert bool(files(tmp_path)) is ignored
        said = logged(engine, "prematurely closed connection")
        assert ignored or (len(said) == 1 and "connection while sending request to upstream" in said[0])


def logged(engine: Engine, words: str) -> list[str]:
    return [line for line in engine.log.lines if words in line]


@pytest.mark.parametrize("end", ["half", "whole"])
async def test_a_client_that_ends_behind_the_head_leaves_its_file(end: str, tmp_path: Path) -> None:
    begun, go = trio.Event(), trio.Event()
    body = b"x" * 100_000

    async def talk(stream: trio.SocketStream, hearing: Hearing, request: Heard) -> None:
        answer = page(body=body)
        await stream.send_all(answer[:50_000])
        begun.set()
        await go.wait()
        await stream.send_all(answer[50_000:])

    async with cached(talking(talk), tmp_path) as engine:
        client = engine.connect()
        await client.send_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        with trio.fail_after(5):
            await begun.wait()
            data = await client.receive_some(20)
            await client.send_eof()
            if end == "whole":
                await client.aclose()
            while not logged(engine, "prematurely closed connection"):
                await trio.sleep(0.001)
            go.set()
            if end == "half":
                data += b"".join([part async for part in client])
                assert data.startswith(b"HTTP/1.1 200") and len(data) < 60_000
                await client.aclose()
            while not files(tmp_path):
                await trio.sleep(0.001)
        [line] = logged(engine, "prematurely closed connection")
        assert "connection while reading upstream" in line
        assert (await engine.get("/")).body == body


async def test_what_is_kept_goes_to_a_client_that_has_half_closed(tmp_path: Path) -> None:
    """Nobody works for it, and nobody looks: what fits into the socket arrives."""
    async with cached(answering(page()), tmp_path) as engine:
        assert state(await engine.get("/")) == "MISS"
        data = await engine.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", end=True)
    assert data.endswith(BODY) and b"X-Cache: HIT" in data


async def test_caches_by_variable(tmp_path: Path) -> None:
    inside = "proxy_cache $arg_c;"
    async with farm(tmp_path) as peers:
        text = f"""proxy_temp_path {tmp_path}; proxy_cache_path {tmp_path}/a keys_zone=a:1m use_temp_path=off;
            server {{ listen 127.0.0.1:8080; location / {{ proxy_pass http://{await peers.tcp(answering(page()))};
            {inside} proxy_cache_valid 1m; add_header X-Cache $upstream_cache_status; }} }}"""
        (tmp_path / "a").mkdir()
        async with serving(text) as engine:
            assert [state(await engine.get("/?c=a")) for _ in range(2)] == ["MISS", "HIT"]
            assert [state(await engine.get(path)) for path in ("/", "/?c=off")] == ["-", "-"]
            assert (await engine.get("/?c=b")).status == 500
            assert 'cache "b" not found' in lines(engine, "error")[0]


async def test_nobody_is_looked_up_for_what_is_kept(tmp_path: Path) -> None:
    """With variables in proxy_pass the upstream is found only when it is asked."""
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(page()))
        text = f"""proxy_temp_path {tmp_path}; proxy_cache_path {tmp_path} keys_zone=a:1m;
            server {{ listen 127.0.0.1:8080; location / {{ proxy_pass http://$arg_a; proxy_cache a; proxy_cache_key k;
            proxy_cache_valid 1m; add_header X-Cache $upstream_cache_status; }} }}"""
        async with serving(text) as engine:
            assert (await engine.get("/?a=nowhere:1")).status == 502
            assert state(await engine.get(f"/?a={address}")) == "MISS"
            assert state(await engine.get("/?a=nowhere:1")) == "HIT"


@pytest.mark.parametrize("protocol", ["uwsgi"])
async def test_the_other_protocols_have_it_as_well(protocol: str, tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(OK))
        text = f"""{protocol}_temp_path {tmp_path}; {protocol}_cache_path {tmp_path} keys_zone=a:1m;
            server {{ listen 127.0.0.1:8080; location / {{ {protocol}_pass {address}; {protocol}_cache a;
            {protocol}_cache_key $request_uri; {protocol}_cache_valid 1m;
            add_header X-Cache $upstream_cache_status; }} }}"""
        async with serving(text) as engine:
            for wanted in ("MISS", "HIT"):
                reply = await engine.get("/")
                assert (reply.body, state(reply)) == (b"ok\n", wanted)
        assert peers.hits[address] == 1


async def test_without_a_cache_nothing_changes(tmp_path: Path) -> None:
    async with proxied(answering(), tmp_path, "add_header X-Cache $upstream_cache_status;") as engine:
        assert state(await engine.get("/")) == "-"


async def test_an_update_in_the_background(tmp_path: Path, time: Time) -> None:
    heard: list[Heard] = []
    go = trio.Event()

    async def talk(stream: trio.SocketStream, hearing: Hearing, request: Heard) -> None:
        heard.append(request)
        if len(heard) == 1:
            await stream.send_all(page(b"Cache-Control: max-age=10, stale-while-revalidate=30"))
            return
        await go.wait()
        await stream.send_all(page(body=b"NEW"))

    inside = "proxy_cache_background_update on; proxy_cache_methods POST; proxy_cache_key $request_method;"
    async with cached(talking(talk), tmp_path, inside) as engine:
        await engine.request("POST", "/a", body=b"body")
        time.passes(11)
        client = engine.connect()
        await client.send_all(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
        data = await receive_until(client, BODY)
        assert b"X-Cache: STALE" in data, "its client does not wait"
        reply = await engine.request("POST", "/a", body=b"body")
        assert (state(reply), reply.body) == ("UPDATING", BODY)
        go.set()
        with trio.fail_after(5):
            while (reply := await engine.request("POST", "/a", body=b"body")).body == BODY:
                await trio.sleep(0.01)
        assert state(reply) == "HIT"
        await client.aclose()
    assert len(heard) == 2 and heard[1].line == b"POST /a HTTP/1.1"


async def test_an_update_in_the_background_that_fails(tmp_path: Path, time: Time) -> None:
    inside = "proxy_cache_background_update on; proxy_cache_use_stale updating;"
    async with cached(closing(in_turn(page(), b"", page(body=b"NEW"))), tmp_path, inside) as engine:
        await engine.get("/")
        time.passes(61)
        replies = [await engine.get("/") for _ in range(3)]
        assert [state(reply) for reply in replies] == ["STALE", "STALE", "HIT"]
        assert replies[-1].body == b"NEW"


async def test_a_redirect_that_another_location_kept(tmp_path: Path) -> None:
    """X-Accel-Redirect keeps an answer out of the cache, unless it is ignored; what is kept is followed elsewhere."""
    heard: list[Heard] = []
    (tmp_path / "cache").mkdir()
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answering(page(b"X-Accel-Redirect: /named", b"Set-Cookie: a"), heard))
        common = f"proxy_pass http://{address}; proxy_cache a; proxy_cache_key k; proxy_cache_valid 1h;"
        text = f"""proxy_temp_path {tmp_path}; proxy_cache_path {tmp_path}/cache keys_zone=a:1m use_temp_path=off;
            server {{ listen 127.0.0.1:8080; location /named {{ return 200 named; }}
            location / {{ {common} proxy_ignore_headers Set-Cookie X-Accel-Redirect; }}
            location /other {{ {common} }} }}"""
        async with serving(text) as engine:
            assert (await engine.get("/")).body == BODY
            for _ in range(3):
                assert (await engine.get("/other")).body == b"named"
    assert len(heard) == 1
