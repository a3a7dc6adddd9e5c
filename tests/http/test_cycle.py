"""What a request says in the error log."""

from __future__ import annotations

from pathlib import Path

from gateway.http.module import Result
from gateway.http.plan import Plan
from gateway.http.request import Request
from tests.engine import serving


async def test_the_context_of_a_line(tmp_path: Path) -> None:
    text = f"server {{ listen 127.0.0.1:80; server_name one; root {tmp_path}; }}"
    async with serving(text) as engine:
        await engine.get("/none", {"Referer": "http://there/"}, host="one:80")
        (line,) = [line for line in engine.log.lines if "[error]" in line]
        assert line.endswith(
            f'*1 open() "{tmp_path}/none" failed (2: No such file or directory), client: 127.0.0.1, server: one, '
            'request: "GET /none HTTP/1.1", host: "one:80", referrer: "http://there/"'
        )


async def test_a_bug_in_a_handler_is_told_with_its_traceback() -> None:
    def wrong(request: Request) -> Result:
        raise RuntimeError("oh")

    async with serving("server { listen 127.0.0.1:80; location / { return 204; } }") as engine:
        (location,) = engine.cycle.servers[0].root.children
        location.plan = Plan((None, wrong), (), ())
        assert (await engine.get("/")).status == 500
        (line,) = [line for line in engine.log.lines if "[alert]" in line]
        assert "internal error: Traceback" in line and "RuntimeError: oh" in line and "client: 127.0.0.1" in line
        engine.log.lines.clear()
