"""gateway --watch with a real server: a change is taken, a mistake is told, and the process beside it ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.process.running import ROOT, alive, fetch, free_port, until


def beside(folder: Path) -> list[int]:
    """The processes that look at this folder's configuration."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"gateway.dev.watch" in words and os.fsencode(folder / "nginx.conf") in words:
                found.append(int(name))
    return found


def test_a_change_is_taken_and_a_mistake_is_told(tmp_path: Path) -> None:
    port = free_port()
    user = "user root; " * (os.geteuid() == 0)
    site = tmp_path / "site.conf"

    def answer(text: str) -> None:
        site.write_text(f"server {{ listen 127.0.0.1:{port}; return 200 {text}; }}\n")

    answer("first")
    (tmp_path / "nginx.conf").write_text(
        f"{user} pid nginx.pid; error_log error.log; events {{ }} http {{ include site.conf; }}"
    )
    log = tmp_path / "said"
    command = [sys.executable, "-m", "gateway", "--watch", "-p", f"{tmp_path}/", "-c", "nginx.conf"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
    try:
        address = ("127.0.0.1", port)

        def says(text: str) -> bool:
            try:
                return fetch(address) == text
            except OSError:
                return False

        until(lambda: says("first"), "the first answer", 60)
        (watcher,) = until(lambda: beside(tmp_path), "the process beside it", 60)
        answer("second")
        until(lambda: says("second"), "the second answer", 60)
        assert f"gateway: {site} changed, the configuration is read again" in log.read_text()
        site.write_text("server { lisen 1; }\n")
        until(lambda: "and the server goes on as it was" in log.read_text(), "what is wrong", 60)
        assert 'unknown directive "lisen"' in log.read_text()
        assert says("second")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        until(lambda: not alive(watcher), "its end", 60)
        assert not beside(tmp_path)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
