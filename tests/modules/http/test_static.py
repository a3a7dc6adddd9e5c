"""static, index, try_files, types: files as nginx serves them."""

from __future__ import annotations

import os
from pathlib import Path

from gateway._fast.files import OpenedFile, stat_path
from gateway.http.response import http_date
from gateway.modules.http.static import validators
from tests.engine import serving


def site(tmp_path: Path) -> Path:
    (tmp_path / "a.html").write_text("<p>a</p>")
    (tmp_path / "x.bin").write_bytes(b"\0" * 100_000)
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "index.html").write_text("index")
    return tmp_path


async def test_file_has_type_length_and_validators(tmp_path: Path) -> None:
    async with serving(f"server {{ listen 127.0.0.1:80; root {site(tmp_path)}; }}") as engine:
        reply = await engine.get("/a.html")
        assert (reply.status, reply.body) == (200, b"<p>a</p>")
        assert reply.header("content-type") == b"text/html"
        assert reply.header("content-length") == b"8"
        stat = (tmp_path / "a.html").stat()
        assert reply.header("etag") == b'"%x-8"' % int(stat.st_mtime)
        assert (await engine.get("/x.bin")).body == bytes(100_000)
        assert (await engine.get("/none")).status == 404
        assert any("open()" in line and "(2: No such file" in line for line in engine.log.lines)
        assert (await engine.request("POST", "/a.html")).status == 405


async def test_a_file_that_changes_has_other_validators(tmp_path: Path) -> None:
    file = site(tmp_path) / "a.html"
    async with serving(f"server {{ listen 127.0.0.1:80; root {tmp_path}; }}") as engine:
        for content, seconds in (("one", 1_000_000_000), ("one", 1_000_000_001), ("other", 1_000_000_001), ("one", 0)):
            file.write_text(content)
            os.utime(file, (seconds, seconds))
            for _ in range(2):
                reply = await engine.get("/a.html")
                assert reply.header("etag") == b'"%x-%x"' % (seconds, len(content))
                assert reply.header("last-modified") == http_date(seconds)
                tag, date = ((reply.header(name) or b"").decode() for name in ("etag", "last-modified"))
                for fields in ({"If-None-Match": tag}, {"If-Modified-Since": date}, {"If-None-Match": f"W/{tag}"}):
                    assert (await engine.request("GET", "/a.html", fields)).status == 304


async def test_validators_are_made_once_for_each_file(tmp_path: Path) -> None:
    files = []
    for number in range(3):
        path = tmp_path / str(number)
        path.write_bytes(b"x" * number)
        files.append(stat_path(os.fsencode(path)))
    for file in [*files, *reversed(files)]:
        assert isinstance(file, OpenedFile)
        made = validators(file)
        assert (made.etag, made.last_modified) == (file.make_etag(), http_date(file.mtime))
        assert validators(file) is made


async def test_directory_gets_its_slash_then_its_index(tmp_path: Path) -> None:
    async with serving(f"server {{ listen 127.0.0.1:80; root {site(tmp_path)}; }}") as engine:
        reply = await engine.get("/dir?a=1")
        assert reply.status == 301
        assert (reply.header("location") or b"").endswith(b"/dir/?a=1")
        assert (await engine.get("/dir/")).body == b"index"


async def test_alias_takes_the_place_of_the_location(tmp_path: Path) -> None:
    root = site(tmp_path)
    text = f"server {{ listen 127.0.0.1:80; location /files/ {{ alias {root}/; }} }}"
    async with serving(text) as engine:
        assert (await engine.get("/files/a.html")).body == b"<p>a</p>"
        assert (await engine.get("/files/dir/")).body == b"index"


async def test_try_files_falls_back(tmp_path: Path) -> None:
    root = site(tmp_path)
    text = f"""server {{ listen 127.0.0.1:80; root {root};
        location / {{ try_files $uri $uri/ /a.html; }}
        location /code/ {{ try_files $uri =405; }} }}"""
    async with serving(text) as engine:
        assert (await engine.get("/nothing")).body == b"<p>a</p>"
        assert (await engine.get("/dir/")).body == b"index"
        assert (await engine.get("/code/x")).status == 405


async def test_the_dots_that_begin_a_name_are_no_extension(tmp_path: Path) -> None:
    for name in (".html", "..html", "d/.html", "d/.a.html", "d/a..html", "d/x.html/y"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(name)
    conf = f"""types {{ text/html html; }} default_type x/none;
        server {{ listen 127.0.0.1:80; root {tmp_path}; rewrite ^/r/(.*)$ /$1 last;
        location ~ ^/l/(.*)$ {{ alias {tmp_path}/d/; try_files $1 =404; }} }}"""
    none = (".html", "..html", "d/.html", "r/.html", "d/x.html/y", "d/%2ehtml", "l/.html")
    async with serving(conf) as engine:
        for target in none:
            assert (await engine.get(f"/{target}")).header("content-type") == b"x/none", target
        for target in ("d/.a.html", "d/a..html", "r/d/a..html", "l/.a.html", "l/a..html"):
            assert (await engine.get(f"/{target}")).header("content-type") == b"text/html", target


async def test_a_name_of_one_letter_has_no_extension_where_try_files_makes_it_the_uri(tmp_path: Path) -> None:
    for name in ("a.html", "ab.html"):
        (tmp_path / name).write_text(name)
    conf = f"""types {{ text/html html; }} default_type x/none;
        server {{ listen 127.0.0.1:80; location ~ ^/l/(.*)$ {{ alias {tmp_path}/; try_files $1 =404; }} }}"""
    async with serving(conf) as engine:
        assert (await engine.get("/l/a.html")).header("content-type") == b"x/none"
        assert (await engine.get("/l/ab.html")).header("content-type") == b"text/html"
