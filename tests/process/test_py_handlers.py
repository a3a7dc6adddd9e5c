"""Handlers in Python with real workers: a reload reads the file anew, and a broken one leaves the old ones serving."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.process.running import GATEWAY, Running, fetch, free_port, until


def test_a_reload_reads_the_file_anew(tmp_path: Path) -> None:
    port = free_port()
    user = "user root; " * (os.geteuid() == 0)
    handlers = tmp_path / "handlers.py"
    with Running(tmp_path, GATEWAY) as running:
        handlers.write_text("def content(r): return 'first'\n")
        (tmp_path / "nginx.conf").write_text(
            f"""{user} pid nginx.pid; error_log error.log; worker_processes 2; daemon off; events {{ }} http {{
            py_import handlers;
            server {{ listen 127.0.0.1:{port}; location / {{ py_content handlers.content; }} }} }}"""
        )
        running.start()
        until(lambda: len(running.workers) == 2, "two workers")
        assert fetch(("127.0.0.1", port)) == "first"
        handlers.write_text("import trio\nasync def content(r):\n    await trio.sleep(0)\n    return 'later'\n")
        os.kill(running.pid, signal.SIGHUP)
        until(lambda: fetch(("127.0.0.1", port)) == "later", "the new code", 60)
        workers = set(running.workers)
        handlers.write_text("def content(r) return 'broken'\n")
        os.kill(running.pid, signal.SIGHUP)
        until(lambda: 'py_import "handlers" failed: SyntaxError' in (tmp_path / "error.log").read_text(), "a line", 60)
        assert fetch(("127.0.0.1", port)) == "later"
        assert set(running.workers) <= workers
        os.kill(running.pid, signal.SIGTERM)
        assert running.process is not None
        assert running.process.wait(30) == 0
    assert not list(tmp_path.rglob("__pycache__"))
