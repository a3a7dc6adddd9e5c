"""try_files: names below an alias, and what an `if` makes of it. The answers are nginx's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine import serving


@pytest.mark.parametrize(
    ("last", "uri"),
    [
        ("/a//a/index.php?$args", b"/a/index.php"),  # made of variables: the location's name is cut off once
        ("/a//b/$arg_x", b"/b/z"),
        ("/a//a/index.php", b"/a//a/index.php"),  # a literal stays
        ("/b/$arg_x", b"/b/z"),
    ],
)
async def test_the_last_name_below_an_alias(last: str, uri: bytes, tmp_path: Path) -> None:
    text = f"""server {{ listen 127.0.0.1:8080;
        location /a/ {{ alias {tmp_path}/; try_files $uri {last}; }}
        location / {{ return 200 "$uri"; }} location ~ php {{ return 200 "$uri"; }} }}"""
    async with serving(text) as engine:
        reply = await engine.get("/a/q?x=z")
        assert reply.body == uri


@pytest.mark.parametrize("inner", ["set $x 1;", "", "add_header X 1;", "expires 1h;"])
@pytest.mark.parametrize("last", ["/f", "@n", "=403"])
async def test_an_if_that_holds_has_no_try_files(inner: str, last: str, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("file")
    text = f"""server {{ listen 127.0.0.1:8080; root {tmp_path};
        location / {{ if ($arg_a) {{ {inner} }} try_files $uri {last}; }}
        location @n {{ return 200 named; }} location = /f {{ }} }}"""
    async with serving(text) as engine:
        assert (await engine.get("/q?a=1")).status == 404
        assert (await engine.get("/f?a=1")).body == b"file"
        assert (await engine.get("/q")).status == (403 if last == "=403" else 200)
