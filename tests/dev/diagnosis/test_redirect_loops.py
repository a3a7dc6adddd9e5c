"""Redirects to the URL that was asked: the cause is named where it is certain, and ordinary redirects are let be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dev.diagnosis.asking import cause, causes, explaining
from tests.fakes import answer, farm
from tests.http2_client import http2
from tests.http_peers import closing
from tests.speeches import HTTP, UWSGI

PASSED = "proxy_pass http://{peer}; {fields}"
TOLD = {"X-Forwarded-Proto": "https"}


def redirect(to: str, more: str = "", status: str = "301 Moved Permanently") -> bytes:
    return f"HTTP/1.1 {status}\r\nLocation: {to}\r\n{more}Content-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("inside", "to", "headers", "why"),
    [
        (
            "proxy_set_header X-Forwarded-Proto $scheme;",
            "https://localhost/x?y=1",
            TOLD,
            "the proxy in front has told https by X-Forwarded-Proto, and proxy_set_header X-Forwarded-Proto $scheme "
            "(nginx.conf:4) puts http in its place: write proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;",
        ),
        (
            "",
            "https://LOCALHOST:443/x?y=1",
            TOLD,
            "the application takes what came by https for http, and wants https: X-Forwarded-Proto is sent, and it "
            "does not believe it (Django: SECURE_PROXY_SSL_HEADER;",
        ),
        (
            "",
            "http://localhost/x?y=1",
            {},
            "the application wants the Host that the client has sent, and gets the upst",
        ),
        ("proxy_set_header Host $host;", "/x?y=1", {}, "the application does not see the URL as the client has"),
    ],
)
async def test_where_it_leads_again(tmp_path: Path, inside: str, to: str, headers: dict[str, str], why: str) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(redirect(to), speech=HTTP))
        async with explaining(f"location / {{ proxy_pass http://{address}; {inside} }}", tmp_path) as engine:
            for _ in range(2):
                assert (await engine.get("/x?y=1", headers)).status == 301
            assert cause(engine).startswith(why)
            (line,) = [line for line in engine.log.lines if " cause: " in line]
            assert f"{address} answered 301 to the very URL that was asked" in line


async def test_over_http_2(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(redirect("http://localhost/x"), speech=HTTP))
        async with explaining(f"http2 on; location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            async with http2(engine) as client:
                assert (await client.get("/x")).status == 301
            assert cause(engine).startswith("the application wants the Host that the client has sent")


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ("", "write uwsgi_param HTTPS $https if_not_empty;"),
        ("uwsgi_param HTTPS $https if_not_empty;", "HTTPS is sent, and a proxy stands in front"),
    ],
)
async def test_over_uwsgi(tmp_path: Path, params: str, why: str) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(redirect("https://localhost/x"), speech=UWSGI))
        async with explaining(f"location / {{ uwsgi_pass {address}; {params} }}", tmp_path) as engine:
            assert (await engine.get("/x", TOLD)).status == 301
            assert why in cause(engine)


@pytest.mark.parametrize(
    ("method", "to", "more"),
    [
        ("GET", "https://localhost/x", ""),  # what came by http is led to https
        ("GET", "http://localhost/x/", ""),
        ("GET", "//localhost/x", ""),
        ("GET", "http://www.localhost/x", ""),
        ("GET", "http://localhost/x", "Set-Cookie: seen=1\r\n"),
        ("POST", "http://localhost/x", ""),
    ],
)
async def test_ordinary_redirects(tmp_path: Path, method: str, to: str, more: str) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(redirect(to, more), speech=HTTP))
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            assert (await engine.request(method, "/x")).status == 301
            assert not causes(engine)


@pytest.mark.parametrize(
    ("leads", "why"),
    [
        ({"/a": "/b", "/b": "/c", "/c": "/a"}, "each of them takes the request for one that belongs to the next"),
        ({"/a": "/a/", "/a/": "http://localhost/a"}, "one wants www. in front of the name and one takes it away, or"),
    ],
)
async def test_round_over_several_urls(tmp_path: Path, leads: dict[str, str], why: str) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(closing(lambda asked: redirect(leads[asked.line.split()[1].decode()])))
        inside = f"location / {{ proxy_pass http://{address}; proxy_set_header Host $host; }}"
        async with explaining(inside, tmp_path) as engine:
            for cookie in ("a=1", "a=2"):  # once round is none: another client, or the same one with another session
                for url in leads:
                    assert (await engine.get(url, {"Cookie": cookie})).status == 301
            assert not causes(engine)
            for url in leads:
                await engine.get(url, {"Cookie": "a=1"})
            assert cause(engine).startswith(why)
            (line,) = [line for line in engine.log.lines if " cause: " in line]
            assert "a loop for browsers: http://localhost/" in line and line.count(" to http://") >= len(leads)


async def test_once_there_and_back_is_no_circle(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        leads = {"/a": "/b", "/b": "/c"}
        address = await peers.tcp(closing(lambda asked: redirect(leads[asked.line.split()[1].decode()])))
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            for _ in range(3):
                for url in leads:
                    assert (await engine.get(url)).status == 301
            assert not causes(engine)
