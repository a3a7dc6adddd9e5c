"""What an application's refusal says of what it was sent. (gunicorn's limits: test_real_peers.)"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dev.diagnosis.asking import causes, explaining
from tests.fakes import answer, farm
from tests.speeches import HTTP

DJANGO = b"<!doctype html><title>Bad Request (400)</title></head><body><h1>Bad Request (400)</h1><p></p>"
CSRF = b"<h1>Forbidden <span>(403)</span></h1><p>CSRF verification failed. Request aborted.</p>"


def refusal(status: bytes, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


@pytest.mark.parametrize("body", [DJANGO, b"Invalid host header"])
@pytest.mark.parametrize(
    ("setting", "remedy"), [("", "write proxy_set_header Host $host;"), ("proxy_set_header Host $host;", 'add "x"')]
)
async def test_a_host_that_is_not_allowed(tmp_path: Path, body: bytes, setting: str, remedy: str) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(refusal(b"400 Bad Request", body), speech=HTTP))
        async with explaining(f"location / {{ {setting} proxy_pass http://{address}; }}", tmp_path) as engine:
            assert (await engine.get("/", {"Host": "x"})).status == 400
            (text,) = causes(engine)
            assert "ALLOWED_HOSTS" in text and remedy in text


async def test_a_form_from_another_origin(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(refusal(b"403 Forbidden", CSRF), speech=HTTP))
        async with explaining(f"location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 403
            (text,) = causes(engine)
            assert "write proxy_set_header X-Forwarded-Proto $scheme;" in text and "CSRF_TRUSTED_ORIGINS" in text


@pytest.mark.parametrize(("status", "body"), [(b"400 Bad Request", b"no"), (b"403 Forbidden", b"no"), (b"404 No", b"")])
async def test_an_application_may_refuse(tmp_path: Path, status: bytes, body: bytes) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(refusal(status, body), speech=HTTP))
        async with explaining(f"location /a/ {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            await engine.get("/a/b")
            assert causes(engine) == []


async def test_a_404_below_a_prefix_in_development(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(answer(refusal(b"404 Not Found"), speech=HTTP))
        server = f"diagnosis_page on; location /a/ {{ proxy_pass http://{address}; }}"
        async with explaining(server, tmp_path, "") as engine:
            await engine.get("/a/b")
            (text,) = [line for line in engine.log.lines if "cause: " in line]
            assert "and was asked: 'GET /a/b HTTP/1.1'. cause: perhaps its paths begin elsewhere" in text
