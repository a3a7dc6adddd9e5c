"""dav: PUT, DELETE, MKCOL, COPY and MOVE; what is refused, and that nothing outside of root is reached."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from gateway.config.errors import ConfigError
from tests.engine import Engine, Reply, load_http, serving

CONF = """
client_body_temp_path %s/temp;
server {
    listen 127.0.0.1:80;
    root %s/root;
    location / { dav_methods PUT DELETE MKCOL COPY MOVE; }
    location /full/ { dav_methods PUT; create_full_put_path on; dav_access group:rw all:r; }
    location /deep/ { dav_methods DELETE; min_delete_depth 3; }
    location /alias/ { alias %s/root/other/; dav_methods COPY; }
    location /put/ { dav_methods PUT; }
}
"""


@pytest.fixture
def conf(tmp_path: Path) -> str:
    for name in ("temp", "root", "root/folder", "root/folder/sub", "root/full", "root/deep", "root/put", "root/other"):
        (tmp_path / name).mkdir()
    for name in ("root/file", "root/folder/one", "root/folder/sub/two", "outside"):
        (tmp_path / name).write_text(name)
    return CONF % ((tmp_path,) * 3)


async def ask(engine: Engine, method: str, target: str, body: bytes = b"", **fields: Any) -> Reply:
    return await engine.request(method, target, {key.capitalize(): value for key, value in fields.items()}, body)


async def test_put(conf: str, tmp_path: Path) -> None:
    async with serving(conf) as engine:
        reply = await ask(engine, "PUT", "/new%20file", b"text", date="Sun, 06 Nov 1994 08:49:37 GMT")
        assert (reply.status, reply.header("content-length")) == (201, b"0")
        assert reply.header("location") == b"http://localhost/new%20file"
        file = tmp_path / "root" / "new file"
        assert file.read_text() == "text"
        assert file.stat().st_mtime == 784111777
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        big = b"x" * 200_000
        assert (await ask(engine, "PUT", "/new%20file", big)).status == 204
        assert file.read_bytes() == big
        head = b"PUT /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert (await engine.raw(head + b"3\r\nabc\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 201 ")
        assert (tmp_path / "root" / "c").read_text() == "abc"
        assert (await ask(engine, "PUT", "/empty", b"", **{"content-length": "0"})).status == 201
        assert (tmp_path / "root" / "empty").read_bytes() == b""
        assert os.listdir(tmp_path / "temp") == []
        assert not [line for line in engine.log.lines if "buffered" in line]


async def test_put_refused(conf: str, tmp_path: Path) -> None:
    async with serving(conf) as engine:
        assert (await ask(engine, "PUT", "/folder/", b"a")).status == 409
        assert (await ask(engine, "PUT", "/folder", b"a")).status == 409
        assert (await ask(engine, "PUT", "/none/file", b"a")).status == 500
        assert (await ask(engine, "PUT", "/file", b"a", **{"content-range": "bytes 0-0/2"})).status == 501
        assert (await ask(engine, "PUT", "/file")).status == 500
        assert (await ask(engine, "DELETE", "/put/file")).status == 405
        assert (tmp_path / "root" / "file").read_text() == "root/file"
        assert os.listdir(tmp_path / "temp") == []


async def test_put_makes_the_path(conf: str, tmp_path: Path) -> None:
    async with serving(conf) as engine:
        assert (await ask(engine, "PUT", "/full/a/b/c", b"a")).status == 201
        assert stat.S_IMODE((tmp_path / "root/full/a/b/c").stat().st_mode) == 0o664
        assert stat.S_IMODE((tmp_path / "root/full/a").stat().st_mode) & 0o700 == 0o700


async def test_put_replaces_a_link_and_not_what_it_leads_to(conf: str, tmp_path: Path) -> None:
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    async with serving(conf) as engine:
        assert (await ask(engine, "PUT", "/link", b"mine")).status == 204
        assert (await ask(engine, "PUT", "/../../outside", b"mine")).status == 400
    assert (tmp_path / "outside").read_text() == "outside"
    assert (tmp_path / "root" / "link").read_text() == "mine"


async def test_delete(conf: str, tmp_path: Path) -> None:
    (tmp_path / "root" / "folder" / "up").symlink_to(tmp_path)
    async with serving(conf) as engine:
        assert (await ask(engine, "DELETE", "/folder")).status == 409
        assert (await ask(engine, "DELETE", "/folder/", depth="0")).status == 400
        assert (await ask(engine, "DELETE", "/file/")).status == 409
        assert (await ask(engine, "DELETE", "/file", depth="1")).status == 400
        assert (await ask(engine, "DELETE", "/file", b"a")).status == 415
        assert (await ask(engine, "DELETE", "/folder/")).status == 204
        assert (await ask(engine, "DELETE", "/file", depth="0")).status == 204
        assert (await ask(engine, "DELETE", "/file")).status == 404
    assert not (tmp_path / "root" / "folder").exists()
    assert (tmp_path / "outside").exists()


async def test_delete_not_too_near_to_the_root(conf: str, tmp_path: Path) -> None:
    (tmp_path / "root" / "deep" / "a").mkdir()
    (tmp_path / "root" / "deep" / "a" / "b").touch()
    async with serving(conf) as engine:
        assert (await ask(engine, "DELETE", "/deep/a/")).status == 409
        assert (await ask(engine, "DELETE", "/deep/a/b")).status == 204
        assert [line for line in engine.log.lines if "insufficient URI depth:3 to DELETE" in line]


async def test_make_collection(conf: str, tmp_path: Path) -> None:
    async with serving(conf) as engine:
        reply = await ask(engine, "MKCOL", "/made/")
        assert (reply.status, reply.header("location")) == (201, b"http://localhost/made/")
        assert (tmp_path / "root" / "made").is_dir()
        assert (await ask(engine, "MKCOL", "/made/")).status == 405
        assert (await ask(engine, "MKCOL", "/made")).status == 409
        assert (await ask(engine, "MKCOL", "/none/made/")).status == 409
        assert (await ask(engine, "MKCOL", "/x/", b"a")).status == 415


async def test_copy_and_move(conf: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    async with serving(conf) as engine:
        assert (await ask(engine, "COPY", "/file", destination="/copy")).status == 204
        assert (root / "copy").read_text() == "root/file"
        assert (await ask(engine, "COPY", "/file", destination="http://localhost/c%20p")).status == 204
        assert (root / "c p").exists()
        assert (await ask(engine, "MOVE", "/copy", destination="/a/b/moved")).status == 204
        assert (root / "a" / "b" / "moved").read_text() == "root/file"
        assert (await ask(engine, "COPY", "/folder/", destination="/twin/")).status == 201
        assert (root / "twin" / "sub" / "two").exists()
        assert (await ask(engine, "MOVE", "/folder/", destination="/twin/")).status == 201
        assert not (root / "folder").exists()
        assert (await ask(engine, "COPY", "/alias/x", destination="/alias/y")).status == 404


@pytest.mark.parametrize(
    ("method", "target", "fields", "status"),
    [
        ("COPY", "/file", {}, 400),
        ("COPY", "/file", {"destination": "nowhere"}, 400),
        ("COPY", "/file", {"destination": "https://localhost/x"}, 400),
        ("COPY", "/file", {"destination": "http://else.test/x"}, 400),
        ("COPY", "/file", {"destination": "http://localhost"}, 400),
        ("COPY", "/file", {"destination": "/../outside"}, 400),
        ("COPY", "/file", {"destination": "/x/%2e%2e/%2e%2e/outside"}, 400),
        ("COPY", "/file", {"destination": "/folder/"}, 409),
        ("COPY", "/file", {"destination": "/folder"}, 409),
        ("COPY", "/file", {"destination": "/file"}, 403),
        ("COPY", "/file", {"destination": "//file"}, 403),
        ("COPY", "/folder/", {"destination": "/folder/sub/"}, 403),
        ("COPY", "/folder/sub/", {"destination": "/folder/"}, 403),
        ("COPY", "/none", {"destination": "/x"}, 404),
        ("COPY", "/file", {"destination": "/x", "depth": "1"}, 400),
        ("MOVE", "/file", {"destination": "/x", "depth": "0"}, 400),
        ("MOVE", "/file", {"destination": "/x", "depth": "many"}, 400),
        ("COPY", "/file", {"destination": "/x", "overwrite": "no"}, 400),
        ("COPY", "/file", {"destination": "/other/x", "overwrite": "F"}, 204),
        ("COPY", "/file", {"destination": "/folder/one", "overwrite": "F"}, 412),
        ("MOVE", "/folder/", {"destination": "/other/", "overwrite": "f"}, 412),
        ("COPY", "/alias/x", {"destination": "/x"}, 400),
        ("COPY", "/folder", {"destination": "/x"}, 400),
    ],
)
async def test_copy_refused(
    conf: str, tmp_path: Path, method: str, target: str, fields: dict[str, str], status: int
) -> None:
    async with serving(conf) as engine:
        assert (await ask(engine, method, target, b"", **fields)).status == status
    assert (tmp_path / "outside").read_text() == "outside"
    assert (tmp_path / "root" / "folder" / "one").read_text() == "root/folder/one"


async def test_off(conf: str) -> None:
    async with serving(conf.replace("dav_methods PUT DELETE MKCOL COPY MOVE", "dav_methods off")) as engine:
        assert (await ask(engine, "DELETE", "/file")).status == 405


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dav_methods GET;", 'invalid value "GET"'),
        ("dav_access user:x;", 'invalid value "user:x"'),
        ("dav_access user:r; dav_access all:r;", '"dav_access" directive is duplicate'),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_http(text)
    assert str(caught.value).startswith(message)
