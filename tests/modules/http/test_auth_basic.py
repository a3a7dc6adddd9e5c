"""auth_basic: who is let in, what the others are told, and what the log says."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.engine import load_http, serving
from tests.fakes import close_at_once, farm


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


FILE = (
    "first:{PLAIN}of all\n# comment:{PLAIN}x\n\nword\nme:{PLAIN}secret:other fields\r\n"
    "you:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nlast:{PLAIN}end"
)


def conf(folder: Path, inside: str = "") -> str:
    (folder / "users").write_text(FILE)
    (folder / "page").write_text("page")
    return f"""server {{ listen 127.0.0.1:80; auth_basic "the realm"; auth_basic_user_file {folder}/users;
        location / {{ alias {folder}/; }} {inside} }}"""


@pytest.mark.parametrize(
    ("user", "password", "message"),
    [
        ("first", "of all", ""),
        ("me", "secret", ""),
        ("you", "password", ""),
        ("last", "end", ""),
        ("me", "wrong", 'user "me": password mismatch'),
        ("you", "", 'user "you": password mismatch'),
        ("nobody", "x", 'user "nobody" was not found in "'),
        ("# comment", "x", 'user "# comment" was not found in "'),
        ("m", "e", 'user "m" was not found in "'),
        ("e", "secret", 'user "e" was not found in "'),
        ("word\nme", "secret", " was not found in "),
    ],
)
async def test_users(tmp_path: Path, user: str, password: str, message: str) -> None:
    async with serving(conf(tmp_path)) as engine:
        reply = await engine.get("/page", basic(user, password))
        assert reply.status == (401 if message else 200)
        assert reply.header("www-authenticate") == (b'Basic realm="the realm"' if message else None)
        assert [line for line in engine.log.lines if message in line] or not message


async def test_none_given_and_off(tmp_path: Path) -> None:
    inside = f"""location = /off {{ auth_basic off; alias {tmp_path}/page; }}
        location = /var {{ auth_basic $arg_realm; alias {tmp_path}/page; }}
        location = /any {{ satisfy any; allow all; alias {tmp_path}/page; }}
        location = /any-denied {{ satisfy any; deny all; alias {tmp_path}/page; }}"""
    async with serving(conf(tmp_path, inside)) as engine:
        assert (await engine.get("/page")).status == 401
        assert [line for line in engine.log.lines if "no user/password was provided for basic authentication" in line]
        assert (await engine.get("/off")).status == 200
        assert (await engine.get("/var?realm=off")).status == 200
        assert (await engine.get("/var?realm=mine")).header("www-authenticate") == b'Basic realm="mine"'
        assert (await engine.get("/any")).header("www-authenticate") is None
        assert (await engine.get("/any-denied")).status == 401
        assert (await engine.get("/any-denied", basic("me", "secret"))).status == 200


async def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    inside = f"location = /var {{ auth_basic_user_file {tmp_path}/$arg_f; alias {tmp_path}/page; }}"
    async with serving(conf(tmp_path, inside)) as engine:
        for name, status in (("users", 200), ("missing", 403), ("", 500)):
            assert (await engine.get(f"/var?f={name}", basic("me", "secret"))).status == status
        assert [line for line in engine.log.lines if '/missing" failed (2: No such file or directory)' in line]
        assert [line for line in engine.log.lines if "failed (21: Is a directory)" in line]


def test_refused() -> None:
    for name in ("auth_basic", "auth_basic_user_file"):
        with pytest.raises(ConfigError, match=f'"{name}" directive is duplicate'):
            load_http(f"server {{ {name} a; {name} b; }}")


async def test_a_tunnel_is_asked_for_with_fields_of_its_own(tmp_path: Path) -> None:
    async with farm(tmp_path) as peers:
        address = (await peers.tcp(close_at_once())).encode()
        text = f"{conf(tmp_path)} server {{ listen 127.0.0.1:81; tunnel_pass; auth_basic x; satisfy any; deny all;"
        async with serving(f"{text} auth_basic_user_file {tmp_path}/users; }}") as engine:
            ask = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (address, address, b"%b")
            data = await engine.raw(ask % b"Connection: close\r\n", 1)
            assert data.startswith(b"HTTP/1.1 407 Proxy Authentication Required\r\n")
            assert b'\r\nProxy-Authenticate: Basic realm="x"\r\n' in data
            field = basic("me", "secret")["Authorization"].encode()
            assert b"407" in (await engine.raw(ask % (b"Authorization: %b\r\nConnection: close\r\n" % field), 1))[:12]
            data = await engine.raw(ask % (b"Proxy-Authorization: %b\r\n" % field), 1)
            assert data.startswith(b"HTTP/1.1 200 ") and b"Authenticate" not in data
