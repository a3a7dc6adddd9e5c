"""root and alias, and how inner locations take them over."""

from __future__ import annotations

from pathlib import Path

from tests.engine import serving


async def test_a_location_inside_an_aliased_one_keeps_the_alias_of_its_outer_name(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("page")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.txt").write_text("deep")
    conf = f"""server {{ listen 127.0.0.1:8080;
        location /a/ {{
            alias {tmp_path}/;
            location ~ html$ {{ }}
            location ~ htm$ {{ try_files ${{uri}}l =404; }}
            location /a/deep/ {{ try_files $uri =404; }}
            location /a/rooted/ {{ root {tmp_path}; }}
        }}
    }}"""
    async with serving(conf) as engine:
        assert (await engine.get("/a/page.html")).body == b"page"
        assert (await engine.get("/a/page.htm")).body == b"page"
        assert (await engine.get("/a/deep/x.txt")).body == b"deep"
        assert (await engine.get("/a/rooted/x")).status == 404
        assert any(f'"{tmp_path}/a/rooted/x"' in line for line in engine.log.lines)


async def test_the_alias_of_a_regular_expression_is_the_whole_name_inside_it_too(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("one")
    conf = f"""server {{ listen 127.0.0.1:8080;
        location ~ ^/x/(\\w+) {{
            alias {tmp_path}/$1.txt;
            location ~ ^/x/one/inner {{ }}
        }}
    }}"""
    async with serving(conf) as engine:
        assert (await engine.get("/x/one")).body == b"one"


async def test_an_if_with_a_root_has_no_alias(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f").write_text("rooted")
    (tmp_path / "f").write_text("aliased")
    conf = f"""server {{ listen 127.0.0.1:8080;
        location /a/ {{
            alias {tmp_path}/;
            if ($args) {{ root {tmp_path}; }}
        }}
    }}"""
    async with serving(conf) as engine:
        assert (await engine.get("/a/f")).body == b"aliased"
        assert (await engine.get("/a/f?1")).body == b"rooted"


async def test_a_root_that_names_the_file_below_it() -> None:
    async with serving("server { listen 127.0.0.1:8080; root /nowhere/$request_filename; }") as engine:
        assert (await engine.get("/x")).status == 404
        assert 'cycle while evaluating variable "request_filename"' in engine.log.lines[0]
