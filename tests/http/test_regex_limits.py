"""Regular expressions that backtrack without end: a 500 and one line in the log, as in nginx, never a hang."""

from __future__ import annotations

from tests.engine import serving

BAD = "a" * 40 + "b"


async def test_locations_and_rewrites() -> None:
    text = """server { listen 127.0.0.1:80; location ~ ^/l(a+)+$ { return 204; }
        location /r { rewrite ^/r(a+)+$ /x; return 204; } location / { return 204; } }"""
    async with serving(text) as engine:
        for target in ("/l" + BAD, "/r" + BAD):
            assert (await engine.get(target)).status == 500
            assert "pcre2_match() failed: -47 on" in engine.log.lines.pop()
            engine.log.lines.clear()
        assert (await engine.get("/laaa")).status == 204


async def test_server_names() -> None:
    text = """server { listen 127.0.0.1:80; server_name ~^(a+)+$; return 200; }
        server { listen 127.0.0.1:80 default_server; return 204; }"""
    async with serving(text) as engine:
        assert (await engine.get("/", host=BAD)).status == 204
        assert "pcre2_match() failed: -47 on" in engine.log.lines.pop()
        engine.log.lines.clear()
        assert (await engine.get("/", host="aaa")).status == 200
