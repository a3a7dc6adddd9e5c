from __future__ import annotations

from pathlib import Path

import pytest

from gateway.upstream.exchange.pass_target import strip_scheme
from tests.dns_server import dns_server
from tests.engine import serving
from tests.fakes import answer, farm
from tests.lanes import until


async def test_variables(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers, dns_server() as dns:
        dns.records["app.test", "A"] = ["127.0.0.1"]
        tcp, unix = await peers.tcp(answer()), await peers.unix(answer())
        port = tcp.rpartition(":")[2]
        text = f"""
            upstream app {{ server {tcp}; }}
            resolver {dns.address};
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass $arg_to; }} }}"""
        async with serving(text) as engine:
            for target in (tcp, unix, "app", "APP", f"uwsgi://{tcp}", f"UWSGI://{tcp}", f"App.test:{port}"):
                assert (await engine.get(f"/?to={target}")).status == 200, target
            for target, status, words in (
                ("", 500, 'no host in upstream ""'),
                ("127.0.0.1", 500, 'no port in upstream "127.0.0.1"'),
                ("other", 500, 'no port in upstream "other"'),
                ("a:b", 500, 'invalid port in upstream "a:b"'),
                ("no.test:1", 502, "no.test could not be resolved (3: Host not found)"),
            ):
                assert (await engine.get(f"/?to={target}")).status == status, target
                assert words in engine.log.lines[-1]


async def test_without_a_resolver() -> None:
    async with serving("server { listen 127.0.0.1:8080; location / { uwsgi_pass $arg_to; } }") as engine:
        assert (await engine.get("/?to=app.test:1")).status == 502
        assert "no resolver defined to resolve app.test, client:" in engine.log.lines[-1]


async def test_several_addresses_are_several_tries(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers, dns_server() as dns:
        port = (await peers.tcp(answer())).rpartition(":")[2]
        dns.records["app.test", "A"] = ["127.0.0.2", "127.0.0.3"]
        text = f"""resolver {dns.address} ipv6=off;
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass $arg_to;
            add_header X-A $upstream_addr always; }} }}"""
        async with serving(text) as engine:
            reply = await engine.get(f"/?to=app.test:{port}")
            tried = (reply.header("x-a") or b"").decode().split(", ")
            assert (reply.status, sorted(tried)) == (502, [f"127.0.0.2:{port}", f"127.0.0.3:{port}"])


async def test_resolver_timeout() -> None:
    async with dns_server() as dns:
        dns.silent = True
        text = f"""resolver {dns.address}; resolver_timeout 20ms;
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass $arg_to; }} }}"""
        async with serving(text) as engine:
            assert (await engine.get("/?to=app.test:1")).status == 502
            assert "app.test could not be resolved (110: Operation timed out)" in engine.log.lines[-1]


async def test_a_client_that_goes_away_while_a_name_is_asked_for() -> None:
    async with dns_server() as dns:
        dns.silent = True
        text = f"""resolver {dns.address};
            server {{ listen 127.0.0.1:8080; location / {{ uwsgi_pass $arg_to; }} }}"""
        async with serving(text) as engine:
            async with engine.connect() as stream:
                await stream.send_all(b"GET /?to=app.test:1 HTTP/1.1\r\nHost: a\r\n\r\n")
                await until(lambda: dns.asked)
            await until(lambda: not engine.worker.connections)
            assert "client prematurely closed connection" in engine.log.lines[-1]


@pytest.mark.parametrize("text", [b"a:1", b"uwsgi://a:1", b"Uwsgi://a:1"])
def test_scheme(text: bytes) -> None:
    assert strip_scheme(text, (b"uwsgi://",)) == b"a:1"


@pytest.mark.parametrize("inside", ["proxy_pass http://$h:1234;", "uwsgi_pass $h:1234;", "fastcgi_pass $h:1234;"])
async def test_the_body_comes_before_the_name_is_looked_up(inside: str, tmp_path: Path) -> None:
    text = f"""client_body_temp_path {tmp_path};
        server {{ listen 127.0.0.1:80; set $h nosuch; location / {{ {inside} }}
            location /no {{ proxy_pass http://$h:; }} }}"""
    head = b"PUT %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"
    async with serving(text) as engine:
        data = await engine.raw(head % b"/")
        assert data.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 502 Bad Gateway\r\n")
        assert (await engine.raw(head % b"/no")).startswith(b"HTTP/1.1 500 ")  # what is no address is refused at once


@pytest.mark.parametrize(
    ("directive", "redirected"),
    [
        ("uwsgi_pass 127.0.0.1:1", True),
        ("uwsgi_pass $arg_u", False),
        ("scgi_pass 127.0.0.1:1", True),
        ("scgi_pass $arg_u", False),
        ("fastcgi_pass $arg_u", True),
        ("grpc_pass $arg_u", True),
        ("proxy_pass http://$arg_u", True),
        ("memcached_pass 127.0.0.1:1", True),
        ("tunnel_pass", False),
        ("tunnel_pass 127.0.0.1:1", False),
    ],
)
async def test_a_location_that_ends_in_a_slash(directive: str, redirected: bool, tmp_path: Path) -> None:
    """nginx redirects to it, but not where uwsgi's or scgi's address has variables, or for a tunnel."""
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path};
        location /x/ {{ set $memcached_key a; {directive}; }} }}"""
    async with serving(text) as engine:
        assert (await engine.get("/x?u=127.0.0.1:1")).status == (301 if redirected else 404)


async def test_the_last_content_directive_holds(tmp_path: Path) -> None:
    text = """server { listen 127.0.0.1:80;
        location /a { proxy_pass http://127.0.0.1:1; stub_status; }
        location /b { uwsgi_pass 127.0.0.1:1; empty_gif; } location /c { mp4; stub_status; empty_gif; } }"""
    async with serving(text) as engine:
        assert (await engine.get("/a")).body.startswith(b"Active connections: ")
        assert (await engine.get("/b")).header("content-type") == b"image/gif"
        assert (await engine.get("/c")).header("content-type") == b"image/gif"
