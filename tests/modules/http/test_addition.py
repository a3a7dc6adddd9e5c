"""addition: before and behind, for whole responses of the right type."""

from __future__ import annotations

from pathlib import Path

from tests.engine import serving


async def test_before_and_behind(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("page")
    (tmp_path / "empty.html").write_text("")
    (tmp_path / "page.txt").write_text("text")
    (tmp_path / "head.html").write_text("head ")
    (tmp_path / "foot.txt").write_text(" foot")
    text = f"""server {{ listen 127.0.0.1:80; root {tmp_path}; types {{ text/html html; text/plain txt; }}
        location / {{ add_before_body /head.html; add_after_body /plain/foot.txt; }}
        location /plain/ {{ alias {tmp_path}/; }}
        location = /all {{ alias {tmp_path}/page.txt; addition_types *; add_after_body /foot; }}
        location = /foot {{ internal; return 200 "[$uri $request_uri]"; }}
        location = /gone {{ add_after_body /foot; return 404; }}
        location = /lost {{ add_before_body /nothing.html; return 200 x; default_type text/html; }}
        location = /nothing.html {{ }}
        }}"""
    async with serving(text) as engine:
        reply = await engine.get("/page.html")
        assert reply.body == b"head page foot"
        assert reply.header("content-length") is None and reply.header("accept-ranges") is None
        assert (reply.header("etag") or b"").startswith(b"W/")
        assert (await engine.get("/empty.html")).body == b"head  foot"
        assert (await engine.get("/page.txt")).body == b"text"
        assert (await engine.get("/all")).body == b"text[/foot /all]"
        assert b"[/foot" not in (await engine.get("/gone")).body
        head = await engine.request("HEAD", "/page.html")
        assert (head.status, head.body) == (200, b"")
        # an error is a part like any other
        lost = await engine.get("/lost")
        assert lost.status == 200 and b"<title>404 Not Found</title>" in lost.body and lost.body.endswith(b"x")


async def test_parts_come_in_the_main_response_s_charset(tmp_path: Path) -> None:
    text = """charset_map A B { 80 90; } types { } default_type text/html;
        server { listen 127.0.0.1:80; charset B; source_charset B;
            location / { add_after_body /after; return 200 main; }
            location /after { source_charset A; return 200 "\\x80"; } }"""
    async with serving(text.replace("\\x80", "\udc80")) as engine:
        reply = await engine.get("/")
        assert reply.header("content-type") == b"text/html; charset=B"
        assert reply.body == b"main\x90"
