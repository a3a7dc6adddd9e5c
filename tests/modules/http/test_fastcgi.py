from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.protocol.fastcgi import STDERR, STDIN, STDOUT, record
from tests.engine import load_http, serving
from tests.fakes import Asked, answer, answer_always, dribble, farm
from tests.modules.http.test_log import serving as logging
from tests.speeches import END, FASTCGI, stdout

OK = FASTCGI.ok


def site(address: str, inside: str = "", outside: str = "") -> str:
    """A server whose requests go to this address."""
    return f"{outside} server {{ listen 127.0.0.1:8080; location / {{ fastcgi_pass {address}; {inside} }} }}"


async def test_a_request_goes_to_the_application(tmp_path: Path) -> None:
    asked: list[Asked] = []
    async with farm(tmp_path) as peers:
        address = await peers.unix(answer(OK, asked=asked, speech=FASTCGI))
        text = site(
            address,
            "fastcgi_param REQUEST_METHOD $request_method; fastcgi_param QUERY_STRING $query_string if_not_empty;",
        )
        async with serving(text) as engine:
            reply = await engine.get("/x?a=1", {"X-Tag": "one"}, host="example.org:8080")
            assert (reply.status, reply.body) == (200, b"ok\n")
            assert reply.header("content-type") == b"text/plain" and reply.header("status") is None
            assert (await engine.get("/x")).status == 200
    assert asked[0].records[0] == (1, b"\0\1\0\0\0\0\0\0")
    assert asked[0].pairs == [
        (b"REQUEST_METHOD", b"GET"),
        (b"QUERY_STRING", b"a=1"),
        (b"HTTP_HOST", b"example.org:8080"),
        (b"HTTP_CONNECTION", b"close"),
        (b"HTTP_X_TAG", b"one"),
    ]
    assert b"QUERY_STRING" not in asked[1].params


@pytest.mark.parametrize("size", [0, 1, 40000, 100000])
@pytest.mark.parametrize("how", ["memory", "file", "streamed", "chunked", "chunked streamed", "not passed"])
async def test_a_body_goes_in_records(tmp_path: Path, size: int, how: str) -> None:
    asked: list[Asked] = []
    body = bytes(range(251)) * (size // 251 + 1)
    body = body[:size]
    (tmp_path / "body").mkdir()
    inside = f"client_body_temp_path {tmp_path}/body; client_body_buffer_size {'1k' if how == 'file' else '200k'};"
    inside += f"fastcgi_request_buffering {'off' if 'streamed' in how else 'on'};"
    if how == "not passed":
        inside += "fastcgi_pass_request_body off;"
    headers = {}
    sent = body
    if "chunked" in how:
        headers["Transfer-Encoding"] = "chunked"
        sent = (b"%x\r\n%b\r\n" % (size, body) if body else b"") + b"0\r\n\r\n"
    head = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    head += "Transfer-Encoding: chunked\r\n\r\n" if headers else f"Content-Length: {size}\r\n\r\n"
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(OK, asked=asked, speech=FASTCGI))
        async with serving(site(address, inside + "fastcgi_param CONTENT_LENGTH $content_length;")) as engine:
            assert (await engine.raw(head.encode() + sent)).endswith(b"ok\n")
    (request,) = asked
    assert request.body == (b"" if how == "not passed" else body)
    contents = [content for kind, content in request.records if kind == STDIN]
    assert contents[-1] == b"" and all(contents[:-1])
    # a chunked body that is here as a whole has a length, streamed or not
    assert request.params[b"CONTENT_LENGTH"] in ({b"%d" % size, b""} if how == "chunked streamed" else {b"%d" % size})


async def test_kept_connections(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        kept, closed = [await peers.tcp(answer_always(OK, speech=FASTCGI)) for _ in range(2)]
        text = f"""upstream kept {{ server {kept}; keepalive 1; }} upstream closed {{ server {closed}; keepalive 1; }}
            server {{ listen 127.0.0.1:8080;
            location /kept {{ fastcgi_pass kept; fastcgi_keep_conn on; fastcgi_buffering off; }}
            location /closed {{ fastcgi_pass closed; }} }}"""
        async with serving(text) as engine:
            for target in ("/kept", "/closed"):
                for _ in range(3):
                    assert (await engine.get(target)).body == b"ok\n"
        assert (peers.hits[kept], peers.hits[closed]) == (1, 3)


async def test_what_stderr_says_is_logged(tmp_path: Path) -> None:
    data = record(STDERR, b"PHP message: a \xff warning.\r\n") + record(STDOUT, b"Content-Type: a/b\r\n\r\nbody")
    data += record(STDERR, b"later") + record(STDERR, b"x" * 3001) + record(STDOUT) + END
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(data, speech=FASTCGI))
        async with serving(site(address)) as engine:
            assert (await engine.get("/")).body == b"body"
            lines = [line for line in engine.log.lines if "[error]" in line]
    assert 'FastCGI sent in stderr: "PHP message: a \xff warning" while ' in lines[0]
    assert 'FastCGI sent in stderr: "later" while reading upstream' in lines[1]
    assert all('"' + "x" * count + '" while' in line for line, count in zip(lines[2:], (1500, 1500, 1), strict=True))
    assert f'upstream: "fastcgi://{address}"' in lines[0]


async def test_the_length_in_the_log_is_with_the_records(tmp_path: Path) -> None:
    """As in nginx: all that comes behind the head."""
    data = record(STDOUT, b"Content-Type: a/b\r\n\r\nbody") + record(STDOUT) + END
    async with farm(tmp_path) as peers:
        one, two = await peers.tcp(answer(data, speech=FASTCGI)), await peers.tcp(dribble(data, 0, 30, speech=FASTCGI))
        for address in (one, two):
            text = site(address, f"access_log {tmp_path}/log length;", "log_format length $upstream_response_length;")
            async with logging(text) as engine:
                assert (await engine.get("/")).body == b"body"
                await engine.request("HEAD", "/")
    assert (tmp_path / "log").read_text() == "35\n0\n" * 2


async def test_catch_stderr(tmp_path: Path) -> None:
    bad = record(STDERR, b"PHP Fatal error: no") + stdout(b"Content-Type: a/b\r\n\r\nbody")
    async with farm(tmp_path) as peers:
        one, two = await peers.tcp(answer(bad, speech=FASTCGI)), await peers.tcp(answer(OK, speech=FASTCGI))
        outside = f"upstream up {{ server {one}; server {two} backup; }}"
        catch = 'fastcgi_catch_stderr "Warn"; fastcgi_catch_stderr "PHP Fatal error";'
        async with serving(site("up", catch + "fastcgi_next_upstream invalid_header;", outside)) as engine:
            assert (await engine.get("/")).body == b"ok\n"
        async with serving(site(one, catch)) as engine:
            assert (await engine.get("/")).status == 502
            assert len([line for line in engine.log.lines if "[error]" in line]) == 1
        async with serving(site(one, "fastcgi_catch_stderr Warn;")) as engine:
            assert (await engine.get("/")).body == b"body"


@pytest.mark.parametrize(
    ("uri", "name", "info"),
    [
        ("/", "/index.php", ""),
        ("/a.php", "/a.php", ""),
        ("/a.php/b/c", "/a.php", "/b/c"),
        ("/a.php/b/", "/a.php", "/b/"),
        ("/dir/", "/dir/index.php", ""),
    ],
)
async def test_script_name(tmp_path: Path, uri: str, name: str, info: str) -> None:
    text = """server { listen 127.0.0.1:8080; location / {
        fastcgi_index index.php; fastcgi_split_path_info ^(.+\\.php)(/?.*)$;
        return 200 "$fastcgi_script_name $fastcgi_path_info"; } }"""
    async with serving(text) as engine:
        assert (await engine.get(uri)).body.decode() == f"{name} {info}"


async def test_without_split_and_index() -> None:
    text = 'server { listen 127.0.0.1:8080; location / { return 200 "$fastcgi_script_name $fastcgi_path_info"; } }'
    async with serving(text) as engine:
        assert (await engine.get("/a/")).body == b"/a/ "


async def test_a_param_that_fits_into_no_record(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.refusing()
        text = site(address, "fastcgi_param A $arg_a;", "large_client_header_buffers 4 100k;")
        async with serving(text) as engine:
            assert (await engine.get("/?a=" + "x" * 66000)).status == 431
            assert "fastcgi param is too big: 66006, a record takes 65528 bytes" in engine.log.lines[-1]


async def test_an_answer_that_breaks_off(tmp_path: Path) -> None:
    head = b"Content-Length: 10\r\n\r\n01234"
    async with farm(tmp_path) as peers:
        addresses = [
            await peers.tcp(answer(data, speech=FASTCGI))
            for data in (stdout(head), record(STDOUT, head) + END, record(STDOUT, head) + b"x", record(STDOUT, head))
        ]
        locations = "".join(
            f"location /{n}{buffering} {{ fastcgi_pass {address}; fastcgi_buffering {buffering}; }}"
            for n, address in enumerate(addresses)
            for buffering in ("on", "off")
        )
        async with serving(f"server {{ listen 127.0.0.1:8080; {locations} }}") as engine:
            for n, words in enumerate(
                (
                    "upstream prematurely closed FastCGI stdout",
                    "upstream prematurely closed FastCGI request",
                    "upstream sent unsupported FastCGI protocol version: 120",
                    "upstream prematurely closed connection",
                )
            ):
                for buffering in ("on", "off"):
                    request = f"GET /{n}{buffering} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
                    reply = await engine.raw(request)  # the connection ends though it was not asked to
                    assert reply.endswith(b"\r\n\r\n01234"), n
                    assert f"{words} while reading upstream" in engine.log.lines[-1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fastcgi_split_path_info ^(.+)$;", 'pattern "^(.+)$" must have 2 captures'),
        ("fastcgi_split_path_info (;", "pcre2_compile() failed: missing closing parenthesis in"),
        ("server { location / { fastcgi_pass a:b; } }", 'invalid port in upstream "a:b"'),
        ("server { location / { fastcgi_pass a:1; fastcgi_pass b:1; } }", '"fastcgi_pass" directive is duplicate'),
        ("fastcgi_buffers 1 4k; server { }", 'there must be at least 2 "fastcgi_buffers"'),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(text)
    assert message in str(caught.value)
