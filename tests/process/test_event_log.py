"""The event log of a gateway that runs: reloads that went well and did not, workers that died, over all workers."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import re
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from tests.process.running import Running, fetch, free_port, pid_in, until

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


CHECKED = """
daemon off; pid nginx.pid; error_log error.log info; worker_processes 2; events { }
http {
    access_log off;
    upstream app { zone app 64k; server 127.0.0.1:%d; }
    server {
        listen 127.0.0.1:%d;
        location /api/ { api write=on; }
        location / { proxy_pass http://app; health_check interval=50ms fails=2 passes=2 uri=/health; }
    }
}
"""


class _Application(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(type(self).status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_what_health_checks_find_and_what_the_api_changes(tmp_path: Path) -> None:
    port = free_port()
    tmp_path.chmod(0o755)

    class Application(_Application):
        pass

    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application) as application,
        Running(tmp_path, (sys.executable, "-m", "gateway")) as running,
    ):
        peer = application.server_address[1]
        threading.Thread(target=application.serve_forever, daemon=True).start()
        (tmp_path / "nginx.conf").write_text(CHECKED % (peer, port))

        def events(query: str = "") -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = json.loads(fetch(("127.0.0.1", port), f"/api/9/events?{query}"))
            return found

        running.start()
        until(lambda: len(running.workers) == 2, "both workers")
        for status, word in ((500, "unhealthy"), (200, "healthy")):
            Application.status = status
            until(lambda word=word: events() and f"is {word}, says" in events()[0]["text"], word)
        well, ill = events("kind=peer")[:2]
        assert well["object"] == ill["object"] == f"app 127.0.0.1:{peer}"
        assert (ill["level"], well["level"]) == ("warn", "notice")
        assert "500" in ill["cause"] and well["cause"] == ""
        assert len(events(f"after={ill['id']}")) == 1  # a change is told once, whichever worker checks

        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("PATCH", "/api/9/http/upstreams/app/servers/0", b'{"drain": true}')
        assert connection.getresponse().status == 200
        connection.close()
        for _ in range(8):  # whichever worker is asked
            (changed,) = events(f"after={well['id']}")
            assert (changed["text"], changed["cause"]) == ("is drained", "by the API, client: 127.0.0.1")
        application.shutdown()
        running.end()


def test_a_binary_that_takes_over(tmp_path: Path) -> None:
    port = free_port()
    tmp_path.chmod(0o755)
    text = (CONF % port).replace("daemon off;", "daemon on;")
    (tmp_path / "nginx.conf").write_text(text)

    def events() -> list[dict[str, Any]]:
        """Of binaries, in the logs of both masters: whichever worker answers."""
        found: dict[str, dict[str, Any]] = {}
        for _ in range(20):
            for each in json.loads(fetch(("127.0.0.1", port), "/api/9/events?kind=binary")):
                found[each["text"]] = each
        return list(found.values())

    with Running(tmp_path, (sys.executable, "-m", "gateway")) as running:
        assert running.start(wait=False).wait(15) == 0
        until(lambda: len(running.workers) == 2, "both workers")
        old, pid = running.pid, tmp_path / "nginx.pid"
        for _ in range(2):
            running.send(signal.SIGUSR2)
            until(lambda: pid_in(pid) not in (0, old), "the new master", 30)
            until(lambda: len(running.workers) == 2, "its workers", 30)
            new = running.pid
            until(lambda new=new: f"has taken over beside the old one, pid {old}" in _texts(events()), "its event")
            assert f"the new one is started, pid {new}" in _texts(events())
            running.remember()
            os.kill(new, signal.SIGQUIT)
            until(lambda: pid_in(pid) == old, "the old one's return", 30)
            until(lambda: "the new one ended; this one goes on" in _texts(events()), "the end")
        assert {each["level"] for each in events()} == {"notice", "error"}
        running.end()


def _texts(found: list[dict[str, Any]]) -> list[str]:
    return [each["text"] for each in found]
