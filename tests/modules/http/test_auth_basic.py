"""auth_basic: who is let in, what the others are told, and what the log says."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from gateway.modules.http import auth_basic
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


async def test_who_was_let_in_is_let_in_by_the_present_file_alone(tmp_path: Path) -> None:
    """Also where neither size nor time tell of the change."""
    users = tmp_path / "users"
    async with serving(conf(tmp_path)) as engine:
        for _ in range(3):
            assert (await engine.get("/page", basic("me", "secret"))).status == 200
            assert (await engine.get("/page", basic("me", "Secret"))).status == 401
            assert (await engine.get("/page", basic("first", "of all"))).status == 200
            assert (await engine.get("/page")).status == 401
        before = users.stat()
        users.write_text(FILE.replace("me:{PLAIN}secret", "me:{PLAIN}SECRET"))
        os.utime(users, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert users.stat().st_size == before.st_size
        for _ in range(2):
            assert (await engine.get("/page", basic("me", "secret"))).status == 401
            assert (await engine.get("/page", basic("me", "SECRET"))).status == 200
            assert (await engine.get("/page", basic("first", "of all"))).status == 200
        users.write_text("")
        assert (await engine.get("/page", basic("me", "SECRET"))).status == 401
        users.write_text(FILE)
        assert (await engine.get("/page", basic("me", "secret"))).status == 200
        assert (await engine.get("/page", basic("me", "SECRET"))).status == 401
        users.unlink()
        assert (await engine.get("/page", basic("me", "secret"))).status == 403


async def test_each_file_lets_in_its_own_users(tmp_path: Path) -> None:
    (tmp_path / "others").write_text("me:{PLAIN}other\n")
    inside = f"location = /var {{ auth_basic_user_file {tmp_path}/$arg_f; alias {tmp_path}/page; }}"
    async with serving(conf(tmp_path, inside)) as engine:
        for _ in range(2):
            for name, password, status in (
                ("users", "secret", 200), ("others", "secret", 401), ("others", "other", 200), ("users", "other", 401),
            ):  # fmt: skip
                assert (await engine.get(f"/var?f={name}", basic("me", password))).status == status


async def test_what_is_remembered_has_bounds(tmp_path: Path) -> None:
    lines = [f"u{number}:{{PLAIN}}x\n" for number in range(300)]
    (tmp_path / "many").write_text("".join(lines) + f"long:{{PLAIN}}{'x' * 300}\n")
    inside = f"location = /var {{ auth_basic_user_file {tmp_path}/$arg_f; alias {tmp_path}/page; }}"
    async with serving(conf(tmp_path, inside)) as engine:
        for number in range(300):
            assert (await engine.get("/var?f=many", basic(f"u{number}", "x"))).status == 200
        assert (await engine.get("/var?f=many", basic("long", "x" * 300))).status == 200
        for number in range(70):
            (tmp_path / f"file{number}").write_text(FILE)
            assert (await engine.get(f"/var?f=file{number}", basic("me", "secret"))).status == 200
    assert len(auth_basic._FILES) <= 64
    assert all(len(file.let_in) <= 256 for file in auth_basic._FILES.values())
    assert not any(len(given) > 256 for file in auth_basic._FILES.values() for given in file.let_in)


@pytest.mark.parametrize("target", ["error_page 401 http://sso/;", "error_page 401 = @sso;"])
async def test_a_redirect_in_its_place_comes_behind_it(target: str, tmp_path: Path) -> None:
    """As nginx writes its fields: HTTP/1 in the order in which they were made."""
    inside = target + " location @sso { return 302 http://sso/; }"
    async with serving(conf(tmp_path, inside)) as engine:
        reply = await engine.get("/page")
        names = [name.lower() for name, _ in reply.headers]
        assert reply.status == 302 and reply.header("location") == b"http://sso/"
        assert names.index(b"www-authenticate") < names.index(b"location")
