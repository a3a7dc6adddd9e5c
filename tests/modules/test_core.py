"""The directives of the main context; messages compared with a real nginx."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.config.errors import ConfigError
from tests.modules.loading import load_text
from tests.process.memory_log import memory_log

ROOT = os.geteuid() == 0


def test_defaults(tmp_path: Path) -> None:
    conf = load_text(tmp_path, "events { }").core
    assert (conf.daemon, conf.master_process, conf.worker_processes) == (True, True, 1)
    assert conf.env == []
    assert conf.worker_rlimit_nofile is None
    assert conf.worker_shutdown_timeout == 0
    assert conf.cpu_affinity(0) is None
    assert (conf.username == "nobody") == ROOT


def test_values(tmp_path: Path) -> None:
    conf = load_text(
        tmp_path,
        "daemon off; master_process off; worker_processes 3; pid run/x.pid; env A; env B=c; worker_priority -5;"
        "worker_rlimit_nofile 1000; worker_rlimit_core 1m; worker_shutdown_timeout 1m30s; working_directory /tmp;"
        "events { }",
    ).core
    assert (conf.daemon, conf.master_process, conf.worker_processes) == (False, False, 3)
    assert conf.pid == f"{tmp_path}/run/x.pid"
    assert conf.env == ["A", "B=c"]
    assert (conf.worker_priority, conf.worker_rlimit_nofile, conf.worker_rlimit_core) == (-5, 1000, 1 << 20)
    assert conf.worker_shutdown_timeout == 90
    assert conf.working_directory == "/tmp"


def test_globals_come_first(tmp_path: Path) -> None:
    conf = load_text(tmp_path, "events { }", globals_text="pid /x.pid; daemon off;").core
    assert (conf.pid, conf.daemon) == ("/x.pid", False)
    with pytest.raises(ConfigError, match='"daemon" directive is duplicate in /'):
        load_text(tmp_path, "events { } daemon on;", globals_text="daemon off;")


def test_as_many_workers_as_processors(tmp_path: Path) -> None:
    assert load_text(tmp_path, "worker_processes auto; events { }").core.worker_processes == os.cpu_count()


def test_affinity(tmp_path: Path) -> None:
    conf = load_text(tmp_path, "worker_processes 3; worker_cpu_affinity 01 10 11; events { }").core
    assert [conf.cpu_affinity(worker) for worker in range(4)] == [{0}, {1}, {0, 1}, {0, 1}]
    conf = load_text(tmp_path, "worker_cpu_affinity auto 1010; events { }").core
    assert [conf.cpu_affinity(worker) for worker in range(3)] == [{1}, {3}, {1}]


def test_affinity_that_does_not_fit_is_a_warning(tmp_path: Path) -> None:
    log, lines = memory_log()
    load_text(tmp_path, "worker_cpu_affinity 01 10; events { }", log=log)
    assert lines == [
        '[warn] the number of "worker_processes" is not equal to the number of "worker_cpu_affinity" masks, '
        "using last mask for remaining worker processes"
    ]


@pytest.mark.skipif(not ROOT, reason="only root may choose")
def test_user(tmp_path: Path) -> None:
    conf = load_text(tmp_path, "user root; events { }").core
    assert (conf.username, conf.user, conf.group) == ("root", 0, 0)
    conf = load_text(tmp_path, "user nobody root; events { }").core
    assert conf.username == "nobody"
    assert conf.user != 0
    assert conf.group == 0


def test_user_without_root_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    log, lines = memory_log()
    assert load_text(tmp_path, "user nobody; events { }", log=log).core.user is None
    assert lines == [
        '[warn] the "user" directive makes sense only if the master process runs with super-user privileges, '
        f"ignored in {tmp_path}/nginx.conf:1"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("worker_processes x;", '"worker_processes" directive invalid value'),
        ("worker_processes 1; worker_processes 2;", '"worker_processes" directive is duplicate'),
        ("worker_processes auto 1;", 'invalid number of arguments in "worker_processes" directive'),
        ("worker_priority x;", '"worker_priority" directive invalid number'),
        ("worker_priority 1; worker_priority 2;", '"worker_priority" directive is duplicate'),
        ("worker_rlimit_nofile x;", '"worker_rlimit_nofile" directive invalid number'),
        ("worker_cpu_affinity 2;", 'invalid character "2" in "worker_cpu_affinity"'),
        ("worker_cpu_affinity auto 1 1;", 'invalid number of arguments in "worker_cpu_affinity" directive'),
        ("worker_shutdown_timeout x;", '"worker_shutdown_timeout" directive invalid value'),
        ("working_directory a; working_directory b;", '"working_directory" directive is duplicate'),
        ("pid a; pid b;", '"pid" directive is duplicate'),
        ("daemon maybe;", 'invalid value "maybe" in "daemon" directive, it must be "on" or "off"'),
    ],
)
def test_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, f"events {{ }} {text}")
    assert str(caught.value) == f"{message} in {tmp_path}/nginx.conf:1"


@pytest.mark.skipif(not ROOT, reason="only root may choose")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user nosuch;", 'getpwnam("nosuch") failed'),
        ("user root nosuch;", 'getgrnam("nosuch") failed'),
        ("user root; user root;", '"user" directive is duplicate'),
    ],
)
def test_users_refused(tmp_path: Path, text: str, message: str) -> None:
    test_refused(tmp_path, text, message)
