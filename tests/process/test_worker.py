"""What a worker does before it serves."""

from __future__ import annotations

import grp
import os
import pwd
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.process.running import GATEWAY, Running, alive, fetch, read_answer, until

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


def test_a_worker_without_a_master_ends_when_its_requests_do(engine: Running, port: int) -> None:
    """The port is free at once for the next master; nginx's workers would go on without one."""
    with engine, socket.create_server(("127.0.0.1", 0)) as upstream:
        address = f"127.0.0.1:{upstream.getsockname()[1]}"
        engine.configure("daemon off;", f"127.0.0.1:{port}")
        file = engine.folder / "nginx.conf"
        file.write_text(file.read_text().replace('return 200 "hello"', f"proxy_pass http://{address}"))
        process = engine.start()
        (worker,) = engine.workers
        engine.remember()
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            upstream.settimeout(30)
            asked, _ = upstream.accept()
            with asked:
                os.kill(process.pid, signal.SIGKILL)
                process.wait(30)
                until(lambda: _refused(port), "the port to be free", 30)
                assert alive(worker)
                asked.recv(4096)
                asked.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
            assert read_answer(client) == "late"
        until(lambda: not alive(worker), "the worker's end", 30)
        assert engine.logged(rf"{worker}#{worker}: exit")


def _refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False
