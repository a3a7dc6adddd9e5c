"""nginx's options on real processes: messages and exit codes."""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.running import GATEWAY, ROOT, Running, alive, fetch, until


def test_t_says_nginx_s_words(running: Running) -> None:
    running.configure("")
    done = running.run("-t")
    name = f"{running.folder}/nginx.conf"
    assert done.returncode == 0
    assert done.stderr == (
        f"gateway: the configuration file {name} syntax is ok\n"
        f"gateway: configuration file {name} test is successful\n"
    )
    assert running.run("-tq").stderr == ""
    # nginx makes an empty pid file here, and so do we.
    assert (running.folder / "nginx.pid").read_text() == ""


def test_t_of_a_mistake(running: Running) -> None:
    running.configure("\nlisten_to me;")
    done = running.run("-t")
    name = f"{running.folder}/nginx.conf"
    assert done.returncode == 1
    assert done.stderr == (
        f'gateway: [emerg] unknown directive "listen_to" in {name}:3\n'
        f"gateway: configuration file {name} test failed\n"
    )
    assert f'[emerg] unknown directive "listen_to" in {name}:3' in re.sub(r"\d+#\d+: ", "", running.log)


def test_t_does_not_mind_an_address_in_use(running: Running) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        running.configure("", f"127.0.0.1:{taken.getsockname()[1]}")
        assert running.run("-t").returncode == 0


def test_capital_t_dumps(running: Running) -> None:
    running.configure("")
    done = running.run("-T")
    text = (running.folder / "nginx.conf").read_text()
    assert done.stdout == f"# configuration file {running.folder}/nginx.conf:\n{text}\n"
    assert "test is successful" in done.stderr


def test_start_with_the_address_in_use(running: Running) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running.configure("", f"127.0.0.1:{port}")
        done = running.run()
    assert done.returncode == 1
    once = f"gateway: [emerg] bind() to 127.0.0.1:{port} failed (98: Address already in use)\n"
    assert done.stderr == once * 5 + "gateway: [emerg] still could not bind()\n"


def test_error_log_that_cannot_be_opened(running: Running) -> None:
    running.configure("")
    file = running.folder / "nginx.conf"
    file.write_text(file.read_text().replace("error_log error.log", "error_log no/such"))
    done = running.run("-t")
    assert done.returncode == 1
    assert f'[emerg] open() "{running.folder}/no/such" failed (2: No such file or directory)' in done.stderr


def test_signal_without_a_master(running: Running) -> None:
    running.configure("")
    name = running.folder / "nginx.pid"
    done = running.run("-s", "stop")
    assert done.returncode == 1
    assert done.stderr == f'gateway: [error] open() "{name}" failed (2: No such file or directory)\n' or (
        "failed (2: No such file or directory)" in running.log
    )
    name.write_text("")
    assert running.run("-s", "reload").returncode == 1
    assert f'invalid PID number "" in "{name}"' in running.log
    name.write_text("4194303\n")
    assert running.run("-s", "quit").returncode == 1
    assert "kill(4194303, 3) failed (3: No such process)" in running.log


def test_reload_waits_for_its_outcome(running: Running, port: int) -> None:
    running.configure("daemon off;", f"127.0.0.1:{port}")
    running.start()
    running.configure("daemon off;", f"127.0.0.1:{port}", answer="two")
    done = running.run("-s", "reload")
    assert done.returncode == 0, done.stderr
    until(lambda: fetch(("127.0.0.1", port)) == "two", "the new answer")
    assert running.run("-s", "reopen").returncode == 0
    running.remember()
    assert running.run("-s", "quit").returncode == 0
    assert running.process is not None
    assert running.process.wait(10) == 0


def test_reload_tells_why_it_failed(running: Running, port: int) -> None:
    running.configure("daemon off;", f"127.0.0.1:{port}")
    running.start()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        # The command reads the configuration too, but only the master can see that it cannot bind.
        running.configure("daemon off;", f"127.0.0.1:{port}", f"127.0.0.1:{taken.getsockname()[1]}")
        done = running.run("-s", "reload")
    assert done.returncode == 1
    assert "the reload failed, the old configuration goes on" in done.stderr
    running.end()


@pytest.mark.parametrize("fails", [False, True])
def test_reload_of_a_single_process(running: Running, port: int, fails: bool) -> None:
    main = "daemon off; master_process off;"
    running.configure(main, f"127.0.0.1:{port}")
    running.start(wait=False)
    until(lambda: (running.folder / "nginx.pid").exists() and fetches(port), "an answer")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        more = [f"127.0.0.1:{taken.getsockname()[1]}"] if fails else []
        running.configure(main, f"127.0.0.1:{port}", *more, answer="two")
        done = running.run("-s", "reload")
    assert done.returncode == fails, done.stderr
    assert ("the reload failed" in done.stderr) == fails
    until(lambda: fetch(("127.0.0.1", port)) == ("hello" if fails else "two"), "the answer")
    running.end()


def fetches(port: int) -> str:
    with contextlib.suppress(OSError):
        return fetch(("127.0.0.1", port))
    return ""


def test_no_configuration_says_what_to_type(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "-p", str(tmp_path)],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert "gateway -c /path/to/nginx.conf" in lines[1]


@pytest.mark.parametrize("option", ["-v", "-V", "-h", "-?"])
def test_version_and_help(tmp_path: Path, option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", option],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr.startswith("gateway version: gateway/")
    assert ("Usage:" in done.stderr) == (option in ("-h", "-?"))
    assert ("configure arguments:" in done.stderr) == (option == "-V")


def test_titles(running: Running, port: int) -> None:
    running.configure("daemon off;", f"127.0.0.1:{port}")
    process = running.start()
    with open(f"/proc/{process.pid}/cmdline", "rb") as file:
        assert file.read().startswith(b"gateway: master process ")
    assert alive(running.workers[0])
    running.end(signal.SIGTERM)


def test_t_tells_all_mistakes_and_nginxs_first(tmp_path: Path) -> None:
    with Running(tmp_path, GATEWAY) as running:
        (tmp_path / "nginx.conf").write_text("events { }\nusr me;\nhttp { server { rot /x; } gzip maybe; }\n")
        done = running.run("-t")
    name = f"{tmp_path}/nginx.conf"
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f'gateway: [emerg] unknown directive "usr" in {name}:2',
        f'gateway: [emerg] unknown directive "rot" in {name}:3',
        f'gateway: [emerg] invalid value "maybe" in "gzip" directive, it must be "on" or "off" in {name}:3',
        f"gateway: configuration file {name} test failed",
    ]


@pytest.mark.parametrize("count", [21, 25])
def test_t_tells_no_more_mistakes_than_anybody_reads(tmp_path: Path, count: int) -> None:
    with Running(tmp_path, GATEWAY) as running:
        (tmp_path / "nginx.conf").write_text("what;\n" * count)
        done = running.run("-t")
    lines = done.stderr.splitlines()
    assert len(lines) == 22 + (count > 21)
    assert count <= 21 or lines[-2] == f"gateway: [emerg] and {count - 21} more mistakes"


def test_t_warns_of_what_would_fail_later(tmp_path: Path) -> None:
    text = "events { } http { server { proxy_read_timeout 5m; location / { uwsgi_pass unix:/tmp/app.sock; } } }"
    with Running(tmp_path, GATEWAY) as running:
        (tmp_path / "nginx.conf").write_text(f"pid nginx.pid; error_log error.log; {text}")
        done = running.run("-t")
        assert done.returncode == 0
        assert 'gateway: [warn] "proxy_read_timeout" says nothing about "uwsgi_pass"' in done.stderr
        assert 'gateway: [warn] "/tmp/app.sock" is under /tmp' in done.stderr
        assert "[warn]" not in running.run("-t", "-q").stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_started_without_standard_streams(tmp_path: Path, port: int, closed: str) -> None:
    """The socket does not get the number of what was closed, which leads nowhere in the background."""
    with Running(tmp_path, GATEWAY) as running:
        running.configure("", f"127.0.0.1:{port}")
        command = f"exec {shlex.join(running.arguments())} {closed}"
        assert subprocess.run(command, shell=True, env=running.environment).returncode == 0
        assert fetch(("127.0.0.1", port)) == "hello"
