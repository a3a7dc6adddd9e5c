"""Requests and answers over HTTP/2, seen by the h2 package."""

from __future__ import annotations

from pathlib import Path

import h2.events
import pytest
import trio

from tests.engine import serving
from tests.fakes import farm, silent
from tests.http2_client import Fields, http2, request, speaking
from tests.modules.http.test_log import serving as serving_with_logs

SERVER = "server { listen 127.0.0.1:8080; server_name localhost; http2 on; %s }"


async def test_an_answer_has_nginxs_fields_in_nginxs_order() -> None:
    async with speaking(SERVER % 'location / { add_header X-Y "z"; return 200 "text"; }') as client:
        answer = await client.get("/")
    assert answer.status == 200 and answer.body == b"text"
    assert answer.names == [b":status", b"server", b"date", b"content-type", b"content-length", b"x-y"]


async def test_many_answers_on_one_connection() -> None:
    async with speaking(SERVER % 'location / { return 200 "$uri $connection_requests"; }') as client:
        numbers = [await client.begin(request(f"/{i}")) for i in range(1, 51)]
        bodies = [(await client.answer(number)).body for number in numbers]
    assert bodies == [b"/%d %d" % (i, i) for i in range(1, 51)]


async def test_variables_of_the_request() -> None:
    text = "$request|$http2|$server_protocol|$host|$http_host|$args|$scheme|$http_cookie|$http_x|$request_uri|$uri"
    async with serving(SERVER % f'location / {{ return 200 "{text}"; }}') as engine, http2(engine) as client:
        fields = [(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x", b"y")]
        answer = await client.get("/a/../b%20c?d=e", *fields, host="localhost:8080")
    assert answer.body == (
        b"GET /a/../b%20c?d=e HTTP/2.0|h2c|HTTP/2.0|localhost|localhost:8080|d=e|http|a=1; b=2|y|/a/../b%20c?d=e|/b c"
    )


async def test_head_and_answers_without_a_body_end_with_their_head() -> None:
    async with speaking(SERVER % 'location / { return 200 "text"; } location /204 { return 204; }') as client:
        head = await client.get("/", method="HEAD")
        empty = await client.get("/204")
    assert head.ended and not head.body and head.fields[b"content-length"] == b"4"
    assert empty.status == 204 and b"content-length" not in empty.fields


async def test_a_file_larger_than_the_windows(tmp_path: Path) -> None:
    body = bytes(range(256)) * 2000
    (tmp_path / "file").write_bytes(body)
    async with serving(SERVER % f"root {tmp_path};") as engine, http2(engine) as client:
        answer = await client.get("/file")
    assert answer.body == body and answer.fields[b"content-length"] == b"%d" % len(body)


async def test_streams_take_turns(tmp_path: Path) -> None:
    """A large answer does not keep a small one waiting until it is over."""
    (tmp_path / "large").write_bytes(bytes(2_000_000))
    (tmp_path / "small").write_bytes(b"small")
    async with serving(SERVER % f"root {tmp_path};") as engine, http2(engine) as client:
        large = await client.begin(request("/large"))
        await client.until(lambda: client.answers[large].body)
        small = await client.get("/small")
        assert small.body == b"small" and not client.answers[large].ended
        assert len((await client.answer(large)).body) == 2_000_000


async def test_frames_are_as_large_as_http2_chunk_size() -> None:
    async with speaking(SERVER % 'http2_chunk_size 4; location / { return 200 "0123456789"; }') as client:
        await client.get("/")
        sizes = [len(event.data) for event in client.events if isinstance(event, h2.events.DataReceived)]
    assert sizes == [4, 4, 2]


async def test_trailers() -> None:
    async with speaking(SERVER % 'location / { add_trailer X-T "t"; return 200 "text"; }') as client:
        answer = await client.get("/", (b"te", b"trailers"))
    assert answer.body == b"text" and answer.trailers == [(b"x-t", b"t")]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ([(b":method", b"GET"), (b":path", b"/"), (b":authority", b"a")], "client sent no :scheme header"),
        ([(b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a")], "client sent no :method header"),
        ([(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a")], "client sent no :path header"),
        ([*request("/"), (b":path", b"/")], "client sent duplicate :path header"),
        ([*request("/"), (b":authority", b"b")], 'client sent duplicate ":authority" header'),
        ([*request("/"), (b":other", b"b")], 'client sent unknown pseudo-header ":other"'),
        ([*request("/"), (b"a", b"b"), (b":path", b"/")], "client sent out of order pseudo-headers"),
        (request("x"), 'client sent invalid :path header: "x"'),
        (request("/ x"), 'client sent invalid :path header: "/ x"'),
        (request("/", method="get"), 'client sent invalid method: "get"'),
        (request("/", host="a b"), 'client sent invalid ":authority" header'),
        (request("/", (b"X", b"y")), 'client sent invalid header name: "X"'),
        (request("/", (b"x", b"a\x00b")), 'client sent header "x" with invalid value'),
        (request("/", (b"connection", b"close")), 'client sent "Connection" header'),
        (request("/", (b"transfer-encoding", b"chunked")), 'client sent "Transfer-Encoding" header'),
        (request("/", (b"upgrade", b"x")), 'client sent "Upgrade" header'),
        (request("/", (b"proxy-connection", b"x")), 'client sent "Proxy-Connection" header'),
        (request("/", (b"te", b"gzip")), 'client sent invalid "TE" header'),
        (request("/", (b"host", b"other")), 'client sent ":authority" and "Host" headers with different values'),
        (request("/", (b"content-length", b"x")), 'client sent invalid "Content-Length" header'),
        (request("/", (b"content-length", b"5")), "client prematurely closed stream"),
        (request("/")[:3], 'client sent neither ":authority" nor "Host" header'),
    ],
)
async def test_malformed_requests_are_400(fields: Fields, words: str) -> None:
    async with serving(SERVER % 'location / { return 200 "text"; }') as engine:
        async with http2(engine) as client:
            answer = await client.answer(await client.begin(fields))
            assert answer.status == 400 and answer.fields[b"content-type"] == b"text/html"
            assert (await client.get("/")).status == 200
        assert [line for line in engine.log.lines if words in line and "[info]" in line]


async def test_methods_that_are_refused() -> None:
    async with serving(SERVER % 'location / { return 200 "text"; }') as engine, http2(engine) as client:
        assert (await client.get("/", method="TRACE")).status == 405
        assert (await client.get("/", method="CONNECT")).status == 405


async def test_fields_with_odd_names_are_left_out() -> None:
    async with serving(SERVER % 'location / { return 200 "$http_x_y|$http_z"; }') as engine:
        async with http2(engine) as client:
            answer = await client.get("/", (b"x_y", b"1"), (b"z", b"2"))
        assert answer.body == b"|2"
        assert [line for line in engine.log.lines if 'client sent invalid header: "x_y"' in line]


async def test_a_server_without_http2_is_misdirected() -> None:
    other = "server { listen 127.0.0.1:8080; server_name other; }"
    async with serving((SERVER % 'location / { return 200 "text"; }') + other) as engine, http2(engine) as client:
        assert (await client.get("/", host="other")).status == 421
        assert (await client.get("/", host="localhost")).status == 200


async def test_a_long_field_in_few_bytes() -> None:
    """Of large_client_header_buffers, a field's limit is on what was sent, which Huffman's code makes short."""
    async with speaking(SERVER % 'location / { return 200 "$http_x"; }') as client:
        assert (await client.get("/", (b"x", b"a" * 9000))).body == b"a" * 9000


async def test_what_is_counted_as_sent(tmp_path: Path) -> None:
    """Frames' heads are in $bytes_sent alone."""
    log = f"log_format f '$uri $body_bytes_sent $bytes_sent'; access_log {tmp_path}/log f;"
    text = log + SERVER % (
        'http2_chunk_size 4; location / { return 200 "0123456789"; } location /204 { return 204; }'
        'location /t { add_trailer X-T t; return 200 "abc"; }'
    )
    async with serving_with_logs(text) as engine, http2(engine) as client:
        for path in ("/", "/204", "/t"):
            await client.get(path)
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    counts = {uri: (int(body), int(whole)) for uri, body, whole in lines}
    assert {uri: body for uri, (body, _) in counts.items()} == {"/": 10, "/204": 0, "/t": 3}
    assert all(whole > body + 9 for body, whole in counts.values())
    assert counts["/"][1] > 10 + 4 * 9


@pytest.mark.parametrize(("after", "least", "most"), [("limit_rate_after 100k;", 0.0, 0.4), ("", 0.5, 5)])
async def test_limit_rate_and_what_is_free_of_it(tmp_path: Path, after: str, least: float, most: float) -> None:
    (tmp_path / "file").write_bytes(bytes(60_000))
    async with serving(SERVER % f"root {tmp_path}; limit_rate 30k; {after}") as engine, http2(engine) as client:
        begun = trio.current_time()
        assert len((await client.get("/file")).body) == 60_000
        assert least <= trio.current_time() - begun < most


BODY = SERVER % (
    "client_body_buffer_size 200k; client_max_body_size 150k;"
    "location / { proxy_pass http://127.0.0.1:1/; error_page 502 =200 /answer; }"
    'location = /answer { return 200 "$request_length"; }'
)


async def test_a_body_with_the_wrong_length_is_400() -> None:
    async with serving(BODY) as engine, http2(engine) as client:
        answer = await client.post("/", b"12345", (b"content-length", b"6"))
        assert answer.status == 400
        answer = await client.post("/", b"1234567", (b"content-length", b"6"))
        assert answer.status == 400


async def test_a_body_larger_than_allowed_is_413() -> None:
    async with serving(BODY) as engine, http2(engine) as client:
        assert (await client.post("/", bytes(10), (b"content-length", b"1000000"))).status == 413


async def test_a_body_larger_than_the_first_window_is_read() -> None:
    async with serving(BODY) as engine, http2(engine) as client:
        answer = await client.post("/", bytes(100_000))
        assert answer.status == 200 and int(answer.body) > 100_000


async def test_a_body_that_nobody_wants_is_refused_with_no_error() -> None:
    async with serving(SERVER % 'location / { return 200 "text"; }') as engine, http2(engine) as client:
        number = await client.begin(request("/", method="POST"), end=False)
        answer = await client.answer(number)
        assert answer.body == b"text"
        await client.until(lambda: answer.reset is not None)
        assert answer.reset == 0


async def test_a_client_that_cancels_is_logged_and_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(2_000_000))
    async with serving(SERVER % f"root {tmp_path};") as engine:
        async with http2(engine) as client:
            client.auto_window = False
            number = await client.begin(request("/large"))
            await client.until(lambda: client.answers[number].body)
            client.connection.reset_stream(number, 8)
            other = await client.get("/none")
            assert other.status == 404
        assert [line for line in engine.log.lines if f"client canceled stream {number}" in line]


async def test_a_request_that_outlives_its_answer_ends(tmp_path: Path) -> None:
    """A mirror ends after the client has all of the answer: the request is logged then, and not with the connection."""
    log = tmp_path / "log"
    async with farm(tmp_path) as peers:
        slow = await peers.tcp(silent())
        conf = f"""
        log_format uri $request_uri;
        server {{ listen 127.0.0.1:1; http2 on; access_log {log} uri;
            location / {{ mirror /copy; root {tmp_path}; }}
            location = /copy {{ internal; proxy_read_timeout 300ms; proxy_pass http://{slow}; }} }}
        """
        (tmp_path / "a").write_text("a")
        async with serving_with_logs(conf) as engine, http2(engine) as client:
            for number in range(1, 3):
                answer = await client.get(f"/a?{number}")
                assert (answer.status, answer.body) == (200, b"a")
                with trio.fail_after(30):
                    while log.read_text().count("/a") < number:
                        await trio.sleep(0.02)
