"""The page of a failure: who gets it, what stands on it, and what never does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.dev.diagnosis import install
from gateway.dev.failure_page import ENVIRONMENT, OUTPUT
from tests.dev.diagnosis.asking import explaining, named, open_folder
from tests.dev.diagnosis.test_question import UWSGI, peer
from tests.engine import Engine
from tests.fakes import farm

BROWSER = {"Accept": "text/html,*/*;q=0.8"}
LOCAL = "diagnosis_page local; "


async def body(engine: Engine, target: str = "/x", headers: dict[str, str] | None = None, **more: str) -> str:
    return (await engine.get(target, headers, **more)).body.decode()


async def test_a_missing_file_in_words(tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text("")
    async with explaining(f"{LOCAL}\nlocation / {{ root {tmp_path}; }}", tmp_path) as engine:
        reply = await engine.get("/styles.css?a=<b>")
        assert reply.status == 404
        assert reply.header("content-type") == b"text/plain; charset=utf-8"
        lines = reply.body.decode().splitlines()
        assert lines[:2] == ["404 Not Found", ""]
        assert lines[2] == f'open() "{tmp_path}/styles.css" failed (2: No such file or directory)'
        assert lines[3].startswith(f"cause: the name is root {tmp_path} (nginx.conf:5)")
        assert lines[3].endswith(f"{tmp_path} has no styles.css, but style.css")
        assert lines[5:] == [
            "request:  GET /styles.css?a=<b>",
            'server:   "" (nginx.conf:3)',
            "location: / (nginx.conf:5)",
        ]


async def test_for_a_browser_nothing_is_markup(tmp_path: Path) -> None:
    async with explaining(f"{LOCAL} root {tmp_path};", tmp_path) as engine:
        reply = await engine.get("/<script>", BROWSER)
        assert reply.header("content-type") == b"text/html; charset=utf-8"
        page = reply.body.decode()
        assert "<h1>404 Not Found</h1>" in page
        assert "<p class=cause>the name is root" in page
        assert "<script>" not in page
        assert "&lt;script&gt;" in page


async def test_the_cause_is_on_each_page_although_the_log_has_it_once(tmp_path: Path) -> None:
    async with explaining(f"{LOCAL} client_max_body_size 10;", tmp_path) as engine:
        for _ in range(3):
            reply = await engine.request("POST", "/", body=b"x" * 11)
            assert reply.status == 413
            assert b"cause: client_max_body_size 10 (nginx.conf:4) < 11" in reply.body
        assert len([line for line in engine.log.lines if "cause: client_max" in line]) == 1


async def test_what_the_configuration_answers_by_itself(tmp_path: Path) -> None:
    async with explaining(f"{LOCAL} location = /x {{ return 403; }}", tmp_path) as engine:
        page = await body(engine)
        assert "The error log says nothing of it: return 403 (nginx.conf:4)." in page
        assert "location: = /x (nginx.conf:4)" in page


@pytest.mark.parametrize(
    ("directive", "headers", "host", "shown"),
    [
        ("local", {}, "localhost", True),
        ("local", {}, "127.0.0.1:8080", True),
        ("local", {}, "[::1]:8080", True),
        ("local", {}, "shop.localhost", True),
        ("local", {}, "shop.test", True),
        ("local", {}, "shop.example", True),  # the server's own name
        ("local", {}, "evil.example", False),  # whose name leads to 127.0.0.1
        ("local", {"X-Forwarded-For": "127.0.0.1"}, "localhost", False),
        ("local", {"Via": "1.1 tunnel"}, "localhost", False),
        ("on", {"X-Forwarded-For": "1.2.3.4"}, "evil.example", True),
        ("off", {}, "localhost", False),
    ],
)
async def test_who_sees_it(tmp_path: Path, directive: str, headers: dict[str, str], host: str, shown: bool) -> None:
    inside = f"server_name shop.example; diagnosis_page {directive}; root {tmp_path};"
    async with explaining(inside, tmp_path) as engine:
        page = await body(engine, "/x", headers, host=host)
        assert ("cause: " in page) is shown
        assert ("<hr><center>" in page) is not shown


async def test_another_machine_sees_nginx_s_page(tmp_path: Path) -> None:
    inside = f"{LOCAL} set_real_ip_from 127.0.0.1; real_ip_header X-Client; root {tmp_path};"
    async with explaining(inside, tmp_path) as engine:
        assert "cause: " in await body(engine)
        assert "cause: " not in await body(engine, "/x", {"X-Client": "10.1.2.3"})


async def test_without_the_directive_nobody_is_asked(tmp_path: Path) -> None:
    async with explaining(f"root {tmp_path};", tmp_path) as engine:
        assert engine.cycle.failure_pages is None
        assert "<hr><center>" in await body(engine)


async def test_a_page_of_the_user_s_goes_first(tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("mine")
    async with explaining(f"{LOCAL} root {tmp_path}; error_page 404 /mine.html;", tmp_path) as engine:
        reply = await engine.get("/x")
        assert (reply.status, reply.body) == (404, b"mine")


async def test_a_cause_of_a_subrequest_is_on_the_request_s_page(tmp_path: Path) -> None:
    inside = f"{LOCAL} location / {{ auth_request /auth; root {tmp_path}; }} location /auth {{ root {tmp_path}; }}"
    async with explaining(inside, tmp_path) as engine:
        reply = await engine.get("/x")
        assert reply.status == 500
        assert f'open() "{tmp_path}/auth" failed'.encode() in reply.body


@asynccontextmanager
async def developing(server: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    """As `gateway run` starts the server: by the environment alone."""
    monkeypatch.setenv(ENVIRONMENT, str(folder))
    async with explaining(server, folder) as engine:
        install(engine.cycle)
        yield engine


async def test_the_application_s_last_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as folder:
        (folder / OUTPUT).write_text("".join(f"line {number}\n" for number in range(60)) + "Traceback: <boom>\n")
        inside = f"location / {{ uwsgi_pass unix:{folder}/none; }} location /f {{ root {folder}; }}"
        async with developing(inside, folder, monkeypatch) as engine:
            reply = await engine.get("/", BROWSER)
            page = reply.body.decode()
            assert reply.status == 502
            assert "failed (2: No such file or directory) while connecting to upstream" in page
            assert "<p class=cause>" in page
            assert "line 59\nTraceback: &lt;boom&gt;</pre>" in page
            assert "line 30\n" not in page
            assert "boom" not in await body(engine, "/f")  # no application had to do with it


async def test_a_directive_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inside = f"root {tmp_path}; location /off/ {{ diagnosis_page off; }}"
    async with developing(inside, tmp_path, monkeypatch) as engine:
        assert "cause: " in await body(engine)
        assert "cause: " not in await body(engine, "/off/x")


async def test_what_the_peer_speaks_is_on_the_next_page(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = await peers.tcp(peer(**UWSGI))
        async with explaining(f"{LOCAL} location / {{ proxy_pass http://{address}; }}", tmp_path) as engine:
            assert "speaks uwsgi" not in await body(engine)
            await named(engine)
            assert f"cause: {address} speaks uwsgi, not HTTP (asked just now)" in await body(engine)
