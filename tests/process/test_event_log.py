"""The event log of a gateway that runs: reloads that went well and did not, workers that died, over all workers."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from tests.process.running import Running, fetch, free_port, until

CONF = """
daemon off; pid nginx.pid; error_log error.log info; worker_processes 2; events { }
http {
    access_log off;
    upstream app { zone app 64k; server 127.0.0.1:1 max_fails=1; server 127.0.0.1:2 max_fails=1; }
    server {
        listen 127.0.0.1:%d; server_name x;
        location /gw/ { dashboard; }
        location /api/ { api; }
        location /app { proxy_pass http://app; }
    }
}
"""


def test_what_happens_to_a_server(tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "nginx.conf"
    file.write_text(CONF % port)
    tmp_path.chmod(0o755)

    def events(kind: str = "") -> list[dict[str, Any]]:
        answer = fetch(("127.0.0.1", port), "/api/9/events")
        found: list[dict[str, Any]] = json.loads(re.split(r"\r?\n\r?\n", answer)[-1])
        return [each for each in found if not kind or each["kind"] == kind]

    with Running(tmp_path, (sys.executable, "-m", "gateway")) as running:
        running.start()
        until(lambda: len(running.workers) == 2, "both workers")
        assert events() == []
        fetch(("127.0.0.1", port), "/app")
        for _ in range(8):  # whichever worker is asked
            assert [each["object"] for each in events("peer")] == ["app 127.0.0.1:2", "app 127.0.0.1:1"]

        victim = running.workers[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: events("worker"), "the event")
        (died,) = events("worker")
        assert died["object"].endswith(f"pid {victim}") and died["text"] == "died, and was replaced"
        assert died["cause"] == "exited on signal 9 (Killed)" and died["level"] == "alert"

        file.write_text(CONF % port + "nonsense;")
        running.send(signal.SIGHUP)
        until(lambda: events("configuration"), "the event")
        (failed,) = events("configuration")
        assert failed["level"] == "emerg" and failed["text"] == "was not loaded anew; the old one goes on"
        assert 'unknown directive "nonsense"' in failed["cause"] and str(file) in failed["object"]

        file.write_text(CONF % port)
        running.send(signal.SIGHUP)
        until(lambda: len(events("configuration")) == 2, "the event")
        assert events()[0]["text"] == "was loaded anew"
        assert len(events("peer")) == 2  # what was before the reload is kept
        page = fetch(("127.0.0.1", port), "/gw/")
        for words in ("died, and was replaced", "▼ emerg", "was loaded anew"):
            assert words in page
        running.end()
