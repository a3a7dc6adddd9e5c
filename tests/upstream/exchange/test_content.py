"""content: the handler of a location whose upstream the configuration names."""

from __future__ import annotations

from pathlib import Path

from gateway.http.setters import locations_of
from gateway.upstream.exchange.content import Pass
from tests.engine import serving
from tests.fakes import answer, farm
from tests.speeches import HTTP


async def test_a_fixed_upstream_is_passed_to_in_one_call(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(b"\r\nbody"))
        text = f"""server {{ listen 127.0.0.1:8080;
            location / {{ uwsgi_pass {address}; }}
            location /named/ {{ uwsgi_pass $http_x; }} }}"""
        async with serving(text) as engine:
            assert (await engine.get("/")).body == b"body"
            assert (await engine.get("/named/", headers={"X": str(address)})).body == b"body"
            kinds = {
                location.name: {type(step) for step in location.plan.steps}
                for location in locations_of(engine.cycle)
                if location.plan is not None
            }
            assert Pass in kinds[b"/"] and Pass not in kinds[b"/named/"]


async def test_proxy_host_is_of_the_location_that_passed_the_request_on(tmp_path: Path) -> None:
    """After a redirect to a location that does not pass it on there is none, as in nginx."""
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(b"HTTP/1.0 200 OK\r\nX-Accel-Redirect: /plain\r\n\r\n", speech=HTTP))
        other = await peers.tcp(answer(b"HTTP/1.0 200 OK\r\n\r\nbody", speech=HTTP))
        text = f"""server {{ listen 127.0.0.1:8080; add_header X-Host "$proxy_host|$proxy_port" always;
            location / {{ proxy_pass http://{address}; }}
            location /plain {{ return 200 plain; }}
            location /other {{ proxy_pass http://{other}; }}
            location /refused {{ proxy_pass http://{other}; return 404; }} }}"""
        async with serving(text) as engine:
            host, _, port = str(other).rpartition(":")
            assert (await engine.get("/")).header("x-host") == b"|"
            assert (await engine.get("/other")).header("x-host") == f"{host}:{port}|{port}".encode()
            assert (await engine.get("/refused")).header("x-host") == b"|"
