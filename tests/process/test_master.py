"""The master: workers, reload, reopen, and its end, with real processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.process.load import load
from tests.process.running import Running, alive, children, fetch, free_port, until


def configure(running: Running, port: int, *, answer: str = "hello", more: str = "daemon off;") -> None:
    running.configure(more, f"127.0.0.1:{port}", answer=answer)


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGTERM, signal.SIGINT])
def test_start_and_end(running: Running, port: int, number: signal.Signals) -> None:
    configure(running, port, more="daemon off; worker_processes 2;")
    running.start()
    until(lambda: len(running.workers) == 2, "two workers")
    assert fetch(("127.0.0.1", port)) == "hello"
    running.end(number)
    running.no_alerts()
    assert len(running.logged(r"worker process \d+ exited with code 0")) == 2
    with pytest.raises(ConnectionRefusedError):
        fetch(("127.0.0.1", port))


def test_daemon(running: Running, port: int) -> None:
    configure(running, port, more="daemon on;")
    process = running.start(wait=False)
    assert process.wait(15) == 0
    # The pid file is there when the command ends.
    assert os.getsid(running.pid) == running.pid
    until(lambda: running.workers, "a worker")
    assert fetch(("127.0.0.1", port)) == "hello"
    running.end()


def test_dead_worker_is_replaced(running: Running, port: int) -> None:
    configure(running, port)
    running.start()
    with load(("127.0.0.1", port), threads=1) as seen:
        (first,) = running.workers
        os.kill(first, signal.SIGKILL)
        (second,) = until(lambda: [pid for pid in running.workers if pid != first], "a new worker")
        count = seen.answers.total()
        until(lambda: seen.answers.total() > count + 5, "more answers")
    # Only what the dead worker had in its hands may be lost.
    assert len(seen.failures) <= 1
    assert alive(second)
    assert running.logged(rf"\[alert\] \d+#\d+: worker process {first} exited on signal 9\n")
    running.end()


def code_of_files(pid: int) -> int:
    """Kilobytes of files that a process has mapped, but for what it has written to: it could do without them."""
    total = 0
    for mapping in Path(f"/proc/{pid}/smaps").read_text().split("\nVmFlags:"):
        figures = dict(re.findall(r"^(\w+): +(\d+) kB$", mapping, re.MULTILINE))
        if re.search(r" r-[x-]p .* /", mapping) and not int(figures["Anonymous"]):
            total += int(figures["Rss"])
    return total


def keeps_less_than_a_worker(running: Running) -> bool:
    """A master has used what its worker has, and more; Python itself, which it waits in, is larger here than there."""
    return bool(running.workers) and code_of_files(running.pid) < 0.75 * code_of_files(running.workers[0])


def test_a_master_that_watches_keeps_no_code(running: Running, port: int) -> None:
    """After a start and after a reload; it has what it needs again with the next signal."""
    configure(running, port)
    running.start()
    until(lambda: keeps_less_than_a_worker(running), "the code's pages to be left")
    before = set(running.workers)
    configure(running, port, answer="again")
    running.send(signal.SIGHUP)
    until(lambda: running.workers and before.isdisjoint(running.workers), "new workers")
    until(lambda: keeps_less_than_a_worker(running), "the code's pages to be left")
    assert fetch(("127.0.0.1", port)) == "again"
    running.end()
    running.no_alerts()


def test_reload_under_load(running: Running, port: int) -> None:
    configure(running, port, answer="one", more="daemon off; worker_processes 2;")
    running.start()
    until(lambda: len(running.workers) == 2, "two workers")
    with load(("127.0.0.1", port)) as seen:
        for answer in ("two", "three", "four"):
            old = set(running.workers)
            configure(running, port, answer=answer, more="daemon off; worker_processes 2;")
            running.send(signal.SIGHUP)
            until(lambda answer=answer: seen.answers[answer] > 20, f"answers of {answer}")
            until(lambda old=old: not any(alive(pid) for pid in old), "the old workers to end")
    assert seen.failures == []
    running.end()
    running.no_alerts()


def test_reload_of_a_bad_configuration_changes_nothing(running: Running, port: int) -> None:
    configure(running, port)
    running.start()
    before = running.workers
    running.configure("listne 127.0.0.1:1;")
    running.send(signal.SIGHUP)
    name = running.folder / "nginx.conf"
    line = f'[emerg] {running.pid}#{running.pid}: unknown directive "listne" in {name}:2\n'
    until(lambda: line in running.log, "the error")
    assert fetch(("127.0.0.1", port)) == "hello"
    assert running.workers == before
    running.end()


def test_reload_that_cannot_bind_changes_nothing(running: Running, port: int) -> None:
    configure(running, port)
    running.start()
    before = running.workers
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other = taken.getsockname()[1]
        running.configure("daemon off;", f"127.0.0.1:{port}", f"127.0.0.1:{other}")
        running.send(signal.SIGHUP)
        until(lambda: "still could not bind()" in running.log, "the failure")
    assert f"bind() to 127.0.0.1:{other} failed (98: Address already in use)" in running.log
    assert fetch(("127.0.0.1", port)) == "hello"
    assert running.workers == before
    running.end()


def test_reload_moves_sockets(running: Running, port: int) -> None:
    unix = f"unix:{running.folder}/s"
    other = free_port()
    running.configure("daemon off;", f"127.0.0.1:{port}", unix)
    running.start()
    assert fetch(unix[5:]) == "hello"
    running.configure("daemon off;", f"127.0.0.1:{other}", f"127.0.0.1:{port} backlog=7")
    running.send(signal.SIGHUP)
    until(lambda: "deleting socket" in running.log, "the unix socket's end")
    until(lambda: len(children(running.pid)) == 1, "the old worker's end")
    assert not os.path.exists(unix[5:])
    assert fetch(("127.0.0.1", port)) == fetch(("127.0.0.1", other)) == "hello"
    running.end()
    running.no_alerts()


def test_reload_with_reuseport(running: Running, port: int) -> None:
    running.configure("daemon off; worker_processes 2;", f"127.0.0.1:{port}", answer="w$pid")
    running.start()
    running.configure("daemon off; worker_processes 2;", f"127.0.0.1:{port} reuseport", answer="w$pid")
    running.send(signal.SIGHUP)
    until(lambda: len(children(running.pid)) == 2, "the old workers' end")
    seen: set[str] = set()

    def both() -> bool:
        seen.add(fetch(("127.0.0.1", port)))
        return {f"w{pid}" for pid in running.workers} <= seen

    until(both, "answers of both workers")
    running.end()
    running.no_alerts()


def test_reload_moves_the_pid_file(running: Running, port: int) -> None:
    configure(running, port)
    running.start()
    pid = running.pid
    running.configure("daemon off;", f"127.0.0.1:{port}", pid="other.pid")
    running.send(signal.SIGHUP)
    until(lambda: not (running.folder / "nginx.pid").exists(), "the old pid file's end")
    assert int((running.folder / "other.pid").read_text()) == pid
    (running.folder / "other.pid").rename(running.folder / "nginx.pid")
    running.remember()
    os.kill(pid, signal.SIGTERM)
    assert running.process is not None
    assert running.process.wait(10) == 0


def test_graceful_end_finishes_what_is_in_flight(trivial: Running, port: int) -> None:
    configure(trivial, port)
    trivial.start()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
        until(lambda: fetch(("127.0.0.1", port)), "another answer")
        trivial.send(signal.SIGQUIT)
        until(lambda: "gracefully shutting down" in trivial.log, "the signal's arrival")
        with pytest.raises(ConnectionRefusedError):
            fetch(("127.0.0.1", port))
        data = connection.recv(4096)
        assert data.endswith(b"hello")
        assert connection.recv(4096) == b""
    assert trivial.process is not None
    assert trivial.process.wait(10) == 0
    trivial.no_alerts()


def test_worker_shutdown_timeout(trivial: Running, port: int) -> None:
    configure(trivial, port, more="daemon off; worker_shutdown_timeout 50ms;")
    trivial.start()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
        until(lambda: fetch(("127.0.0.1", port)), "another answer")
        begun = time.monotonic()
        trivial.end(signal.SIGQUIT)
        assert time.monotonic() - begun < 5
        assert connection.recv(4096) == b""


def test_reopen(running: Running, port: int) -> None:
    configure(running, port)
    running.start()
    (running.folder / "error.log").rename(running.folder / "error.log.1")
    running.send(signal.SIGUSR1)
    until(lambda: (running.folder / "error.log").exists(), "the new file")
    (worker,) = running.workers
    until(lambda: f"{worker}#{worker}: reopening logs" in (running.folder / "error.log.1").read_text(), "the worker")
    running.end()
    assert "gracefully shutting down" in running.log
    assert "gracefully" not in (running.folder / "error.log.1").read_text()


def test_workers_end_with_a_killed_master(running: Running, port: int) -> None:
    configure(running, port, more="daemon off; worker_processes 2;")
    process = running.start()
    until(lambda: len(running.workers) == 2, "two workers")
    workers = running.workers
    running.remember()
    process.kill()
    process.wait()
    until(lambda: not any(alive(pid) for pid in workers), "the workers' end")
    with pytest.raises(ConnectionRefusedError):
        fetch(("127.0.0.1", port))


def test_single_process(running: Running, port: int) -> None:
    configure(running, port, answer="one", more="daemon off; master_process off;")
    running.start(wait=False)
    address = ("127.0.0.1", port)

    def answers(text: str) -> bool:
        try:
            return fetch(address) == text
        except ConnectionRefusedError:
            return False

    until(lambda: answers("one"), "the answer")
    assert children(running.pid) == []
    configure(running, port, answer="two", more="daemon off; master_process off;")
    running.send(signal.SIGHUP)
    until(lambda: answers("two"), "the new answer")
    running.end(signal.SIGTERM)


def test_fatal_code_is_not_respawned(trivial: Running, port: int) -> None:
    trivial.raises = True
    trivial.environment["TRIVIAL_CRASH"] = "1"
    configure(trivial, port, more="daemon off; env TRIVIAL_CRASH;")
    trivial.start(wait=False)
    until(lambda: trivial.log.count("exited with fatal code 2 and cannot be respawned") == 1, "the end of the worker")
    assert "RuntimeError: crash as asked" in trivial.log
    pid = trivial.pid
    os.kill(pid, signal.SIGQUIT)
    assert trivial.process is not None
    assert trivial.process.wait(10) == 0


def test_environment(trivial: Running, port: int) -> None:
    trivial.environment |= {"SECRET": "x", "WANTED": "y", "TZ": "UTC"}
    configure(trivial, port, more="daemon off; env WANTED; env MADE=here;")
    trivial.start()
    # What os.environ became: the process prints it on request.
    assert fetch(("127.0.0.1", port), "/env") == "MADE=here TZ=UTC WANTED=y"
    trivial.end()
