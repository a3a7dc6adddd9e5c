"""A unix socket that cannot be connected to: who denies, what is missing, what is there instead."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import socket
from pathlib import Path

import pytest

from gateway.dev.diagnosis import unix_sockets
from gateway.dev.diagnosis.accounts import group_name, user_name
from tests.dev.diagnosis.asking import cause, explaining, open_folder

# Nobody that owns anything here.
STRANGER = 54321


def listen(path: Path, mode: int = 0o666) -> socket.socket:
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(path))
    path.chmod(mode)
    s.listen()
    return s


def test_a_folder_that_may_not_be_passed() -> None:
    with open_folder() as folder:
        home = folder / "home"
        home.mkdir(0o700)
        with listen(home / "app.sock"):
            text = unix_sockets.permission(str(home / "app.sock"), STRANGER, {STRANGER})
        owner = f"{user_name(os.geteuid())} {group_name(os.getegid())}"
        assert text.startswith(f"uid {STRANGER} ({STRANGER}) may not pass {home} (drwx------ {owner} 700): ")
        assert f"setfacl -m u:{STRANGER}:x {home}" in text and "777" not in text


def test_a_socket_for_its_group_alone() -> None:
    with open_folder() as folder, listen(folder / "app.sock", 0o660):
        text = unix_sockets.permission(str(folder / "app.sock"), STRANGER, {STRANGER})
        assert f"may not write to {folder}/app.sock (srw-rw----" in text
        if os.getegid():
            assert f"usermod -aG {group_name(os.getegid())} {STRANGER}" in text
        else:  # nobody should be in the superuser's group
            assert "usermod" not in text and f"chown-socket = {user_name(os.geteuid())}:" in text


def test_the_group_that_is_advised_is_one_that_there_is() -> None:
    with open_folder() as folder, listen(folder / "app.sock", 0o660):
        nobody = pwd.getpwnam("nobody")
        text = unix_sockets.permission(str(folder / "app.sock"), nobody.pw_uid, {nobody.pw_gid})
    group = text.partition("chown-socket = ")[2].partition(":")[2].rstrip(")").partition(";")[0]
    assert grp.getgrnam(group).gr_gid == nobody.pw_gid


@pytest.mark.parametrize("kind", ["folder", "file"])
async def test_what_is_no_socket(kind: str, tmp_path: Path) -> None:
    with open_folder() as folder, listen(folder / "app.sock"):
        path = folder if kind == "folder" else folder / "app"
        if kind == "file":
            path.write_text("x")
        async with explaining(f"location / {{ proxy_pass http://unix:{path}; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 502
        text = cause(engine)
        assert text.startswith(f"{path} is no socket but a {kind}")
        assert ("app.sock" in text) is (kind == "folder")


def test_a_socket_for_its_owner_alone() -> None:
    with open_folder() as folder, listen(folder / "app.sock", 0o755):
        text = unix_sockets.permission(str(folder / "app.sock"), STRANGER, {STRANGER})
        assert "chmod-socket = 660" in text


def test_a_denial_that_is_not_by_modes() -> None:
    with open_folder() as folder, listen(folder / "app.sock", 0o666):
        text = unix_sockets.permission(str(folder / "app.sock"), STRANGER, {STRANGER})
        assert "SELinux" in text and "app.sock (srw-rw-rw-" in text


async def test_a_missing_socket_and_its_likes(tmp_path: Path) -> None:
    with open_folder() as folder, listen(folder / "myapp.sock"):
        async with explaining(f"location / {{ uwsgi_pass unix:{folder}/my_app.sock; }}", tmp_path) as engine:
            assert (await engine.get("/")).status == 502
            assert f"nobody listens on {folder}/my_app.sock: the file does not exist" in cause(engine)
            assert "PrivateTmp" in cause(engine)
            assert f"{folder}/myapp.sock (listens)" in cause(engine)


async def test_a_missing_folder(tmp_path: Path) -> None:
    with open_folder() as folder:
        async with explaining(f"location / {{ uwsgi_pass unix:{folder}/run/app.sock; }}", tmp_path) as engine:
            await engine.get("/")
            assert f"the folder {folder}/run does not exist" in cause(engine)


def test_a_socket_of_another_tmp() -> None:
    """The kernel's table has the name; that the file is not there is what PrivateTmp looks like."""
    with open_folder() as folder, listen(folder / "app.sock"):
        (folder / "app.sock").unlink()
        text = unix_sockets.missing(str(folder / "app.sock"))
        assert text.startswith(f"somebody listens on a socket that was bound as {folder}/app.sock")
        assert "PrivateTmp=true" in text


async def test_a_file_that_is_left_over(tmp_path: Path) -> None:
    with open_folder() as folder:
        listen(folder / "app.sock").close()
        async with explaining(f"location / {{ uwsgi_pass unix:{folder}/app.sock; }}", tmp_path) as engine:
            await engine.get("/")
            assert f"{folder}/app.sock is left over: nobody listens on it" in cause(engine)


@pytest.mark.parametrize(("code", "words"), [(errno.EAGAIN, "queue"), (errno.ENOTSOCK, "is no socket but a file")])
def test_other_errors(code: int, words: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert words in (unix_sockets.why(str(tmp_path / "file"), code) or "")


def test_nothing_to_add() -> None:
    assert unix_sockets.why("/x", errno.EIO) is None


@pytest.mark.parametrize("group", ["docker", "sudo", "shadow", "root"])
def test_nobody_is_told_to_join_a_group_of_power(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as folder, listen(folder / "app.sock", 0o660):
        if os.geteuid() == 0:
            os.chown(folder / "app.sock", 0, 4711)
        monkeypatch.setattr(unix_sockets, "group_name", lambda gid: group)
        text = unix_sockets.permission(str(folder / "app.sock"), STRANGER, {STRANGER})
    assert "usermod" not in text and "chown-socket = " in text
