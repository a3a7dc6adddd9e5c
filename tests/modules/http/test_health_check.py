from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from gateway.config.errors import ConfigError
from gateway.upstream.peers.peers import CHECKING, DOWN, HEALTHY, UNHEALTHY, Peer
from tests import certificates
from tests.engine import Engine, load_http, serving
from tests.fakes import Asked, answer, answer_with, farm, silent
from tests.fakes import Peer as Behaviour
from tests.http2_server import Call, http2_server
from tests.lanes import until
from tests.speeches import FASTCGI, SCGI, Speech

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Tag: yes\r\n\r\nok"


class Http:
    """An HTTP peer whose answer a test changes; `heads` are the requests that it got."""

    def __init__(self, data: bytes = OK) -> None:
        self.data = data
        self.heads: list[bytes] = []

    async def __call__(self, stream: trio.SocketStream) -> None:
        buffer = b""
        async for data in stream:
            buffer += data
            while b"\r\n\r\n" in buffer:
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                self.heads.append(head)
                await stream.send_all(self.data)
                if b"close" in head:
                    return


def peers_of(engine: Engine) -> list[Peer]:
    (upstream,) = engine.cycle.upstreams.all
    assert upstream.shared is not None
    found: list[Peer] = upstream.shared.members()
    return found


def lines_of(engine: Engine) -> list[str]:
    return [line for line in engine.log.lines if "peer is" in line]


@contextlib.asynccontextmanager
async def checked(
    tmp_path: Path, peer: Behaviour, check: str, *, server: str = "", http: str = "", location: str = "proxy_pass http://u"
) -> AsyncIterator[Engine]:
    """One peer and a check of it each 10 ms."""
    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer)
        text = f"""
            {http}
            upstream u {{ zone u 64k; server {address} {server}; }}
            server {{ listen 127.0.0.1:8080; location / {{ {location}; health_check interval=10ms {check}; }} }}
        """
        async with serving(text) as engine:
            yield engine


async def test_a_peer_goes_and_comes_back(tmp_path: Path) -> None:
    peer = Http()
    async with checked(tmp_path, peer, "fails=3 passes=2 uri=/up?x=1") as engine:
        (record,) = peers_of(engine)
        await until(lambda: record.checks > 3)
        assert record.health == HEALTHY and record.last_passed and not lines_of(engine)
        assert peer.heads[0] == b"GET /up?x=1 HTTP/1.1\r\nHost: u\r\nConnection: close"
        assert (await engine.get("/")).status == 200
        peer.data = OK.replace(b"200 OK", b"503 Not now")
        await until(lambda: record.health == UNHEALTHY)
        assert record.check_fails == 3 and record.streak == -3 and record.unhealthy == 1 and not record.last_passed
        whom = f'health check "" of peer {record.name.decode()} in upstream "u"'
        assert [line.partition("peer ")[2] for line in lines_of(engine)] == [
            f"is unhealthy while checking status code (503), {whom}"
        ]
        assert "[warn]" in lines_of(engine)[0]
        before = len(peer.heads)
        assert (await engine.get("/")).status == 502
        assert all(b"/up" in head for head in peer.heads[before:]), "no request goes to an unhealthy peer"
        record.fails = 1
        peer.data = OK
        await until(lambda: record.health == HEALTHY)
        assert record.streak == 2 and not record.fails and record.downtime > 0
        assert [line.partition("peer ")[2] for line in lines_of(engine)[1:]] == [f"is healthy, {whom}"]
        assert (await engine.get("/")).status == 200


async def test_the_headers_of_the_location(tmp_path: Path) -> None:
    peer = Http()
    location = (
        "proxy_pass http://u/path; proxy_set_header Host $proxy_host.test; proxy_set_header X-Real-IP $remote_addr;"
        "proxy_set_header Connection upgrade; proxy_set_header Upgrade $http_upgrade"
    )
    async with checked(tmp_path, peer, "", location=location):
        await until(lambda: peer.heads)
    assert peer.heads[0] == b"GET / HTTP/1.1\r\nHost: u.test\r\nX-Real-IP: 127.0.0.1\r\nConnection: close"


MATCH = "match m {{ {} }}"


@pytest.mark.parametrize(
    ("conditions", "data", "problem"),
    [
        ("status 200;", OK, ""),
        ("status 200-299 404;", OK.replace(b"200", b"404"), ""),
        ("status ! 500-599;", OK, ""),
        ("status ! 200 204;", OK, "checking status code (200)"),
        ("status 201;", OK, "checking status code (200)"),
        ("header X-Tag;", OK, ""),
        ("header X-None;", OK, 'checking header "X-None" (it is not there)'),
        ("header ! X-None;", OK, ""),
        ("header ! X-Tag;", OK, 'checking header "X-Tag" (it is there)'),
        ("header X-Tag = yes;", OK, ""),
        ("header X-Tag = no;", OK, 'checking header "X-Tag" (yes)'),
        ("header X-Tag != no;", OK, ""),
        ("header X-Tag != yes;", OK, 'checking header "X-Tag" (yes)'),
        ("header X-Tag ~ ^y;", OK, ""),
        ("header X-Tag ~ ^n;", OK, 'checking header "X-Tag" (yes)'),
        ("header X-Tag !~ ^n;", OK, ""),
        ("header X-None ~ .;", OK, 'checking header "X-None" (it is not there)'),
        ("body ~ ^ok$;", OK, ""),
        ("body ~ ^no;", OK, "checking body (2 bytes)"),
        ("body !~ ok;", OK, "checking body (2 bytes)"),
        ("status 200; body !~ no; header X-Tag;", OK, ""),
        ("require $upstream_http_x_tag $upstream_status;", OK, ""),
        ("require $upstream_http_x_none;", OK, 'checking variable $upstream_http_x_none ("")'),
        ("require $good;", OK, 'checking variable $good ("0")'),
        ("body ~ more;", b"HTTP/1.1 200 OK\r\n\r\nsome more", ""),
        ("body ~ more;", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nmo\r\n2\r\nre\r\n0\r\n\r\n", ""),
        ("status 200;", b"HTTP/1.1 103 Early\r\n\r\n" + OK, ""),
        ("status 200;", b"", "reading response header from upstream (upstream prematurely closed connection)"),
        ("status 200;", b"what?\r\n\r\n", "reading response header from upstream (illegal"),
    ],
)
async def test_match(tmp_path: Path, conditions: str, data: bytes, problem: str) -> None:
    peer = Http(data)
    http = MATCH.format(conditions) + ' map $upstream_status $good { default 0; "201" 1; }'
    async with checked(tmp_path, peer, "match=m", http=http) as engine:
        (record,) = peers_of(engine)
        await until(lambda: record.checks)
        assert record.last_passed == (not problem)
        lines = lines_of(engine)
        assert len(lines) == bool(problem)
        if problem:
            assert f"peer is unhealthy while {problem}" in lines[0] and 'health check "m" of peer' in lines[0]


async def test_a_peer_that_says_nothing(tmp_path: Path) -> None:
    async with checked(tmp_path, silent(), "", location="proxy_pass http://u; proxy_read_timeout 10ms") as engine:
        await until(lambda: lines_of(engine))
        assert "while reading response header from upstream (110: Connection timed out)" in lines_of(engine)[0]


async def test_nobody_listens(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        one, two = await peers.refusing(), f"unix:{tmp_path}/none"
        text = f"""
            upstream u {{ zone u 64k; server {one}; server {two}; }}
            server {{ listen 127.0.0.1:8080; location / {{ proxy_pass http://u; health_check interval=10ms; }} }}
        """
        async with serving(text) as engine:
            await until(lambda: len(lines_of(engine)) == 2)
            assert {line.partition("(")[2].partition(")")[0] for line in lines_of(engine)} == {
                "111: Connection refused",
                "2: No such file or directory",
            }
            before = len(engine.log.lines)
            assert (await engine.get("/")).status == 502
            assert "no live upstreams while connecting to upstream" in engine.log.lines[before]


async def test_mandatory(tmp_path: Path) -> None:
    peer = Http(OK.replace(b"200", b"500"))
    async with checked(tmp_path, peer, "mandatory passes=2 fails=1000000") as engine:
        (record,) = peers_of(engine)
        assert record.health == CHECKING and record.state(0) == "checking"
        await until(lambda: record.checks > 2)
        assert record.health == CHECKING and (await engine.get("/")).status == 502
        peer.data = OK
        await until(lambda: record.health == HEALTHY)
        assert record.streak == 2 and (await engine.get("/")).status == 200
        assert "peer is healthy" in lines_of(engine)[-1]


async def test_slow_start_begins_when_a_peer_is_back(tmp_path: Path) -> None:
    peer = Http(OK.replace(b"200", b"500"))
    async with checked(tmp_path, peer, "", server="slow_start=100s") as engine:
        (record,) = peers_of(engine)
        await until(lambda: record.health == UNHEALTHY)
        assert not record.ramp_since
        peer.data = OK
        await until(lambda: record.health == HEALTHY)
        assert record.ramp_since


async def test_a_port_of_its_own(tmp_path: Path) -> None:
    peer = Http()
    async with farm(tmp_path) as peers:
        dead, alive = await peers.refusing(), await peers.tcp(peer)
        text = f"""
            upstream u {{ zone u 64k; server {dead}; }}
            server {{ listen 127.0.0.1:8080;
                location / {{ proxy_pass http://u; health_check interval=10ms port={alive.partition(":")[2]}; }} }}
        """
        async with serving(text) as engine:
            (record,) = peers_of(engine)
            await until(lambda: record.checks > 1)
            assert record.health == HEALTHY


async def test_one_bad_check_of_two_is_enough(tmp_path: Path) -> None:
    good, bad = Http(), Http(OK.replace(b"200", b"500"))
    async with farm(tmp_path) as peers:
        one, two = await peers.tcp(good), await peers.tcp(bad)
        text = f"""
            upstream u {{ zone u 64k; server {one}; }}
            server {{ listen 127.0.0.1:8080; location / {{ proxy_pass http://u; health_check interval=10ms; }}
                location /b {{ proxy_pass http://u; health_check interval=10ms port={two.partition(":")[2]}; }} }}
        """
        async with serving(text) as engine:
            (record,) = peers_of(engine)
            await until(lambda: record.health == UNHEALTHY)
            seen = len(good.heads)
            await until(lambda: len(good.heads) > seen + 3)
            assert record.health == UNHEALTHY and len(lines_of(engine)) == 1
            bad.data = OK
            await until(lambda: record.health == HEALTHY)


async def test_a_connection_serves_several_probes(tmp_path: Path) -> None:
    connections: list[int] = []
    peer = Http()

    async def counted(stream: trio.SocketStream) -> None:
        connections.append(len(peer.heads))
        await peer(stream)

    async with checked(tmp_path, counted, "keepalive_time=60s") as engine:
        (record,) = peers_of(engine)
        await until(lambda: record.checks > 5)
        assert connections == [0] and b"Connection" not in peer.heads[0]

    async def one_request(stream: trio.SocketStream) -> None:
        connections.append(0)
        await stream.receive_some(65536)
        await stream.send_all(OK)

    connections.clear()
    async with checked(tmp_path, one_request, "keepalive_time=60s") as engine:
        (record,) = peers_of(engine)
        await until(lambda: record.checks > 3)
        assert record.health == HEALTHY, "that the peer closed the connection is no failure"
        assert len(connections) >= 3


async def test_down_peers_are_not_probed(tmp_path: Path) -> None:
    peer = Http()
    async with checked(tmp_path, peer, "", server="down") as engine:
        (record,) = peers_of(engine)
        assert record.down == DOWN
        record.down = 0
        await until(lambda: record.checks > 0)
        record.down = DOWN
        await trio.sleep(0.05)  # a probe that was under way
        before = record.checks
        await trio.sleep(0.05)
        assert record.checks == before


async def test_peers_that_come_and_go(tmp_path: Path) -> None:
    peer = Http()
    async with checked(tmp_path, peer, "mandatory") as engine:
        (record,) = peers_of(engine)
        (upstream,) = engine.cycle.upstreams.all
        added = upstream.shared.add(upstream.servers[0], record.address)
        assert added.health == CHECKING
        await until(lambda: added.health == HEALTHY)
        upstream.shared.remove(record.id)
        before, seen = record.checks, added.checks
        await until(lambda: added.checks > seen + 3)
        assert record.checks == before


# -- over uwsgi ----------------------------------------------------------------------------------------------------


async def test_a_whole_request_over_uwsgi(tmp_path: Path) -> None:
    asked: list[Asked] = []
    location = """uwsgi_pass u; uwsgi_param REQUEST_URI $request_uri; uwsgi_param REQUEST_METHOD $request_method;
        uwsgi_param PATH_INFO $document_uri; uwsgi_param QUERY_STRING $query_string; uwsgi_modifier1 5"""
    async with checked(tmp_path, answer(asked=asked), "uri=/up?a=1", location=location) as engine:
        (record,) = peers_of(engine)
        await until(lambda: record.checks)
        assert record.last_passed
    assert asked[0].modifiers == (5, 0)
    assert asked[0].params == {
        b"REQUEST_URI": b"/up?a=1",
        b"REQUEST_METHOD": b"GET",
        b"PATH_INFO": b"/up",
        b"QUERY_STRING": b"a=1",
        b"HTTP_HOST": b"u",
    }


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"Status: 200 OK\r\nContent-Length: 5\r\n\r\nhello", ""),
        (b"Status: 200 OK\r\n\r\nhello", ""),
        (b"Status: 500 Broken\r\n\r\nhello", "checking status code (500)"),
        (b"Status: 200 OK\r\nContent-Length: 9\r\n\r\nhello", "reading upstream (upstream prematurely closed"),
        (b"Status: 200 OK\r\n\r\nother", "checking body (5 bytes)"),
    ],
)
async def test_match_over_uwsgi(tmp_path: Path, data: bytes, problem: str) -> None:
    http = MATCH.format("status 200; body ~ hello;")
    async with checked(tmp_path, answer(data), "match=m", http=http, location="uwsgi_pass u") as engine:
        (record,) = peers_of(engine)
        await until(lambda: record.checks)
        assert [problem in line for line in lines_of(engine)] == [True] * bool(problem)


def ping(warning: bytes = b"") -> Behaviour:
    def reply(asked: Asked) -> bytes:
        assert asked.modifiers == (100, 0) and not asked.pairs
        return b"\x64" + len(warning).to_bytes(2, "little") + b"\1" + warning

    return answer_with(reply)


@pytest.mark.parametrize(
    ("peer", "problem"),
    [
        (ping(), ""),
        (ping(b"draining"), "checking uwsgi ping (warning: draining)"),
        (answer(b"HTTP/1.1 400 Bad\r\n\r\n"), "checking uwsgi ping (no answer of uWSGI: b'HTTP/1.1 400 Bad"),
        (answer(b""), "reading response header from upstream (upstream prematurely closed connection)"),
    ],
)
async def test_ping(tmp_path: Path, peer: Behaviour, problem: str) -> None:
    async with checked(tmp_path, peer, "type=uwsgi_ping", location="uwsgi_pass u") as engine:
        (record,) = peers_of(engine)
        await until(lambda: record.checks)
        assert [problem in line for line in lines_of(engine)] == [True] * bool(problem)


@pytest.mark.parametrize("speech", [FASTCGI, SCGI], ids=["fastcgi", "scgi"])
async def test_a_whole_request_over_other_protocols(tmp_path: Path, speech: Speech) -> None:
    asked: list[Asked] = []
    name = speech.name
    location = f"{name}_pass u; {name}_param REQUEST_URI $request_uri"
    http = MATCH.format("status 200; body ~ ^ok;")
    peer = answer(speech.ok, asked=asked, speech=speech)
    async with checked(tmp_path, peer, "match=m uri=/up", http=http, location=location) as engine:
        (record,) = peers_of(engine)
        await until(lambda: record.checks > 1)
        assert record.last_passed and not lines_of(engine)
    assert (b"REQUEST_URI", b"/up") in asked[0].pairs and not asked[0].body


@pytest.mark.parametrize("name", ["fastcgi", "scgi", "memcached"])
async def test_nothing_is_asked_where_nothing_says_what(tmp_path: Path, name: str) -> None:
    received: list[bytes] = []

    async def peer(stream: trio.SocketStream) -> None:
        received.append(await stream.receive_some(65536))

    location = f"set $memcached_key k; {name}_pass u"
    async with checked(tmp_path, peer, "", location=location) as engine:
        (record,) = peers_of(engine)
        await until(lambda: record.checks > 1 and received)
        assert record.last_passed and set(received) == {b""}


async def test_grpc_over_tls_too() -> None:
    """Another service than the one that is asked for is not served; what the location sets is in the request."""
    asked: list[Call] = []
    context = certificates.server_context()
    context.set_alpn_protocols(["h2"])

    async def health(call: Call) -> None:
        body = await call.whole()
        asked.append(call)
        await call.head([(b":status", b"200"), (b"content-type", b"application/grpc")])
        await call.data(b"\0\0\0\0\2\x08" + (b"\1" if body.endswith(b"my.Service") else b"\2"))
        await call.trailers([(b"grpc-status", b"0")])

    for tls, scheme in ((None, "grpc"), (context, "grpcs")):
        async with http2_server(health, tls=tls) as server:
            text = """
                upstream u {{ zone u 64k; server 127.0.0.1:{}; }}
                server {{ listen 127.0.0.1:8080; grpc_set_header X-Own $request_method;
                location / {{ grpc_pass {}://u; health_check interval=10ms type=grpc grpc_service={}; }} }}"""
            async with serving(text.format(server.port, scheme, "my.Service")) as engine:
                (record,) = peers_of(engine)
                await until(lambda record=record: record.checks > 2)
                assert record.health == HEALTHY
            async with serving(text.format(server.port, scheme, "other")) as engine:
                (record,) = peers_of(engine)
                await until(lambda record=record: record.health == UNHEALTHY)
                assert "is unhealthy while checking gRPC health (NOT_SERVING)" in lines_of(engine)[0]
    call = asked[0]
    assert call.fields[:4] == [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/grpc.health.v1.Health/Check"),
        (b":authority", b"u"),
    ]
    assert call.get(b"te") == b"trailers" and call.get(b"x-own") == b"POST"


@pytest.mark.parametrize(("parameter", "health"), [("", UNHEALTHY), ("grpc_status=12", HEALTHY)])
async def test_a_grpc_server_without_a_health_service(parameter: str, health: int) -> None:
    async def refuse(call: Call) -> None:
        await call.head([(b":status", b"200"), (b"grpc-status", b"12"), (b"grpc-message", b"none")], end=True)

    async with http2_server(refuse) as server:
        text = f"""
            upstream u {{ zone u 64k; server 127.0.0.1:{server.port}; }}
            server {{ listen 127.0.0.1:8080;
            location / {{ grpc_pass u; health_check interval=10ms type=grpc {parameter}; }} }}"""
        async with serving(text) as engine:
            (record,) = peers_of(engine)
            await until(lambda: record.checks > 2)
            assert record.health == health
            assert bool(lines_of(engine)) == (health == UNHEALTHY)
            assert health == HEALTHY or "checking gRPC health (grpc-status 12: none)" in lines_of(engine)[0]


async def test_tcp(tmp_path: Path) -> None:
    connections: list[int] = []

    async def count(stream: trio.SocketStream) -> None:
        connections.append(1)

    async with checked(tmp_path, count, "type=tcp") as engine:
        (record,) = peers_of(engine)
        await until(lambda: record.checks > 1)
        assert record.last_passed and connections


# -- mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("health_check interval=0;", 'invalid parameter "interval=0"'),
        ("health_check interval=;", 'invalid parameter "interval="'),
        ("health_check fails=0;", 'invalid parameter "fails=0"'),
        ("health_check passes=x;", 'invalid parameter "passes=x"'),
        ("health_check port=70000;", 'invalid parameter "port=70000"'),
        ("health_check uri=x;", 'invalid parameter "uri=x"'),
        ('health_check "uri=/a b";', 'invalid parameter "uri=/a b"'),
        ("health_check what;", 'invalid parameter "what"'),
        ("health_check persistent;", 'the "persistent" parameter requires "mandatory"'),
        ("health_check type=smtp;", 'parameter "type=smtp" of "health_check" is not supported yet'),
        ("health_check type=grpc;", '"type=grpc" needs grpc_pass'),
        ("health_check grpc_service=a;", 'invalid parameter "grpc_service=a"'),
        ("health_check type=grpc grpc_status=x;", 'invalid parameter "grpc_status=x"'),
        ("health_check type=grpc match=m;", '"match" has no use with "type=grpc"'),
        ("health_check type=uwsgi_ping;", '"type=uwsgi_ping" needs uwsgi_pass'),
        ("health_check type=tcp match=m;", '"match" has no use with "type=tcp"'),
        ("health_check match=n;", 'unknown match "n"'),
        ("health_check; health_check;", '"health_check" directive is duplicate'),
    ],
)
def test_mistakes(check: str, words: str) -> None:
    text = "match m { status 200; } upstream u { zone u 64k; server 127.0.0.1; } server { listen 127.0.0.1:8080; "
    with pytest.raises(ConfigError) as caught:
        load_http(f"{text} location / {{ proxy_pass http://u; {check} }} }}")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("return 200;", '"health_check" needs a *_pass in its location'),
        ("proxy_pass http://$host;", '"health_check" needs a *_pass without variables'),
        ("grpc_pass v; health_check uri=/x type=grpc;", '"uri" has no use with "type=grpc"'),
        ("memcached_pass v; health_check match=m;", '"match" has no use with memcached_pass'),
        ("proxy_pass http://u;", 'health checks require upstream "u" to be in shared memory'),
    ],
)
def test_what_cannot_be_checked(location: str, words: str) -> None:
    text = """match m { status 200; } upstream u { server 127.0.0.1; } upstream v { zone v 64k; server 127.0.0.1; }
        server { listen 127.0.0.1:8080; location / {"""
    with pytest.raises(ConfigError) as caught:
        load_http(f"{text} {location} {'' if 'health_check' in location else 'health_check;'} }} }}")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("status x;", 'invalid value "x"'),
        ("status 99;", 'invalid value "99"'),
        ("status 300-200;", 'invalid value "300-200"'),
        ("status !;", '"status" directive requires a value'),
        ("header A ? b;", 'invalid value "A ? b"'),
        ("header ! A = b;", 'invalid value "! A = b"'),
        ("header A ~ (;", "pcre2_compile() failed"),
        ("body = x;", 'invalid value "="'),
        ("require x;", 'invalid variable name "x"'),
        ("require $unknown_thing;", 'unknown "unknown_thing" variable'),
        ("proxy_pass http://u;", '"proxy_pass" directive is not allowed here'),
    ],
)
def test_mistakes_in_match(block: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(f"match m {{ {block} }}")
    assert words in str(caught.value)


def test_a_match_of_this_name_is_there() -> None:
    with pytest.raises(ConfigError) as caught:
        load_http("match m { status 200; } match m { status 200; }")
    assert 'duplicate match "m"' in str(caught.value)


