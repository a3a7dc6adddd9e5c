"""Paths that follow from the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.process import options as module
from gateway.process.options import NoConfiguration, resolve


def test_prefix_and_relative_files() -> None:
    options = resolve(prefix="/srv/x", conf_file="a/nginx.conf", error_log="logs/e")
    assert options.prefix == "/srv/x/"
    assert options.conf_file == "/srv/x/a/nginx.conf"
    assert options.conf_prefix == "/srv/x/a/"
    assert options.error_log == "/srv/x/logs/e"
    assert options.full_name("y") == "/srv/x/y"
    assert options.full_name("/y") == "/y"


def test_without_a_prefix_it_is_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nginx.conf").touch()
    options = resolve()
    assert options.prefix == f"{tmp_path}/"
    assert options.conf_file == f"{tmp_path}/nginx.conf"
    assert options.error_log == ""
    (tmp_path / "logs").mkdir()
    options = resolve()
    assert options.error_log == f"{tmp_path}/logs/error.log"
    assert options.default_pid == f"{tmp_path}/logs/nginx.pid"
    assert resolve(error_log="stderr").error_log == ""


def test_the_system_s_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    system = tmp_path / "etc/nginx.conf"
    system.parent.mkdir()
    monkeypatch.setattr(module, "SYSTEM_CONF", str(system))
    monkeypatch.setattr(module, "_SYSTEM_PREFIXES", (f"{tmp_path}/no/", f"{tmp_path}/etc/"))
    with pytest.raises(NoConfiguration) as caught:
        resolve()
    assert caught.value.places == [f"{tmp_path}/nginx.conf", str(system)]
    system.touch()
    options = resolve()
    assert options.conf_file == str(system)
    assert options.prefix == options.conf_prefix == f"{tmp_path}/etc/"


def test_a_prefix_is_searched_for_its_own(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/nginx.conf").touch()
    assert resolve(prefix=str(tmp_path)).conf_file == f"{tmp_path}/conf/nginx.conf"


def test_pid_files_of_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    one = resolve(prefix="/srv/one", conf_file="nginx.conf").default_pid
    two = resolve(prefix="/srv/two", conf_file="nginx.conf").default_pid
    assert one.startswith(f"{tmp_path}/gateway-")
    assert one != two
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert resolve(prefix="/srv/one", conf_file="nginx.conf").default_pid == "/srv/one/gateway.pid"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert resolve(prefix="/srv/one", conf_file="nginx.conf").default_pid == "/run/gateway.pid"


def test_where_folders_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the folder where somebody happens to stand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", f"{tmp_path}/state")
    assert resolve(prefix="/srv/x", conf_file="nginx.conf").state == "/srv/x/"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    mine = resolve(conf_file="/srv/a.conf").state
    assert mine.startswith(f"{tmp_path}/state/gateway/")
    assert mine != resolve(conf_file="/srv/b.conf").state
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert resolve(conf_file="/srv/a.conf").state.startswith("/var/lib/gateway/")
    monkeypatch.setattr(module, "_DEBIANS_STATE", f"{tmp_path}/")
    assert resolve(conf_file=module.SYSTEM_CONF).state == f"{tmp_path}/"
