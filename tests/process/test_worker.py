"""What a worker does before it serves."""

from __future__ import annotations

import grp
import os
import pwd
import re
import signal
from pathlib import Path

import pytest

from tests.process.running import GATEWAY, Running, fetch, until

ROOT = os.geteuid() == 0
# "nogroup" in Debian, "nobody" elsewhere.
NOBODYS = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name


def status(pid: int) -> dict[str, str]:
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


@pytest.fixture
def engine(tmp_path: Path) -> Running:
    return Running(tmp_path, GATEWAY)


@pytest.mark.skipif(not ROOT, reason="only root may become another")
def test_root_is_dropped(engine: Running, port: int) -> None:
    with engine:
        engine.configure("daemon off;", f"127.0.0.1:{port}")
        file = engine.folder / "nginx.conf"
        file.write_text(file.read_text().replace("user root;", f"user nobody {NOBODYS};"))
        engine.start()
        (worker,) = engine.workers
        assert fetch(("127.0.0.1", port)) == "hello"
        nobody = os.stat(f"/proc/{worker}").st_uid
        assert nobody != 0
        entry = status(worker)
        assert entry["Uid"].split() == [str(nobody)] * 4
        assert "0" not in entry["Gid"].split()
        assert "0" not in entry["Groups"].split()
        # Signals are ours to send although the worker is nobody's.
        engine.end()
        engine.no_alerts()


def test_limits_and_priority(engine: Running, port: int) -> None:
    with engine:
        engine.configure(
            "daemon off; worker_rlimit_nofile 600; worker_rlimit_core 0; worker_priority 3; worker_cpu_affinity 1;"
            "working_directory /;",
            f"127.0.0.1:{port}",
        )
        engine.start()
        (worker,) = engine.workers
        limits = Path(f"/proc/{worker}/limits").read_text()
        assert re.search(r"Max open files +600 +600 ", limits)
        assert re.search(r"Max core file size +0 +0 ", limits)
        assert os.getpriority(os.PRIO_PROCESS, worker) == 3
        assert os.sched_getaffinity(worker) == {0}
        assert os.readlink(f"/proc/{worker}/cwd") == "/"
        engine.end()


def test_a_limit_that_the_kernel_does_not_give(engine: Running, port: int) -> None:
    """The worker goes on with the limit that it has."""
    with engine:
        engine.configure("daemon off; worker_rlimit_nofile 2000000000;", f"127.0.0.1:{port}")
        engine.start()
        assert engine.logged(r"setrlimit\(RLIMIT_NOFILE, 2000000000\) failed \(1: Operation not permitted\)")
        engine.end()


def test_a_working_directory_that_is_not_there_is_fatal(engine: Running, port: int) -> None:
    with engine:
        engine.configure("daemon off; working_directory /no/such;", f"127.0.0.1:{port}")
        engine.start(wait=False)
        until(lambda: "cannot be respawned" in engine.log, "the worker's end")
        assert 'chdir("/no/such") failed (2: No such file or directory)' in engine.log
        engine.end(signal.SIGTERM)


def test_a_worker_told_to_quit_is_replaced(engine: Running, port: int) -> None:
    with engine:
        engine.configure("daemon off;", f"127.0.0.1:{port}")
        engine.start()
        (first,) = engine.workers
        os.kill(first, signal.SIGQUIT)
        until(lambda: [pid for pid in engine.workers if pid != first], "the next worker")
        assert engine.logged(rf"worker process {first} exited with code 0")
        engine.end()
        engine.no_alerts()
