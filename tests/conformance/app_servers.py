"""A WSGI application that shows what it was asked, in the real uWSGI and in gunicorn."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.dev.probe import NoAnswer, ask_uwsgi

APPLICATION = '''
import json
from urllib.parse import parse_qsl

PRIVATE = ("wsgi.", "uwsgi.", "x-wsgiorg", "gunicorn.", "REMOTE_PORT", "SERVER_SOFTWARE", "RAW_URI", "UWSGI_")


def shown(environ):
    found = {k: v for k, v in environ.items() if isinstance(v, str) and not k.startswith(PRIVATE)}
    return json.dumps(found, sort_keys=True, indent=0).encode()


def application(environ, start_response):
    path = environ["PATH_INFO"].rpartition("/")[2]
    query = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    status, fields = "200 OK", [("Content-Type", "text/plain")]
    for name, value in query:
        if name == "status":
            status = value
        elif name == "no-type":
            fields = []
        elif not name.startswith("_"):
            fields.append((name, value))
    given = dict(query)
    body = b"body"
    if path == "environ":
        body = shown(environ)
    elif path == "read":
        data = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = b"%d %d %r" % (len(data), sum(data), data[:50]) + b" " + environ.get("CONTENT_LENGTH", "").encode()
    elif path == "ignore":
        body = b"body not read"
    elif path == "large":
        body = b"0123456789abcdef" * (int(given.get("_n", 100000)) // 16)
    elif path == "raise":
        raise ValueError("on purpose")
    elif path == "late":
        start_response(status, fields)
        def fail():
            yield b"first"
            raise ValueError("on purpose, late")
        return fail()
    elif path == "stream":
        start_response(status, fields)
        return (b"part %d\\n" % n * 100 for n in range(int(given.get("_n", 50))))
    elif path == "empty":
        start_response(status, fields)
        return []
    elif path == "plain":
        start_response(status, fields)
        return [body]
    if "_nolength" not in given:
        fields.append(("Content-Length", given.get("_length") or str(len(body))))
    start_response(status, fields)
    return [body]
'''


@contextlib.contextmanager
def app_server(kind: str) -> Iterator[str]:
    """The socket of a server of this kind ("uwsgi" or "gunicorn") that has the application and answers."""
    with tempfile.TemporaryDirectory(prefix="gateway-test-") as folder:  # short: a socket's path has 107 bytes
        (Path(folder) / "shown_app.py").write_text(APPLICATION)
        path = f"{folder}/s"
        if kind == "uwsgi":
            beside = Path(sys.executable).with_name("pyuwsgi")
            run = [str(beside)] if beside.exists() else [sys.executable, "-c", "import pyuwsgi; pyuwsgi.run()"]
            command = [
                *run, "--socket", path, "--wsgi", "shown_app:application", "--need-app", "--die-on-term", "--master",
                "--processes", "2", "--threads", "8", "--buffer-size", "65535", "--disable-logging", "--listen", "100",
            ]  # fmt: skip
        else:
            command = [
                sys.executable, "-m", "gunicorn", "--bind", f"unix:{path}", "--protocol", "uwsgi", "--workers", "2",
                "--threads", "8", "--log-level", "critical", "--no-control-socket", "shown_app:application",
            ]  # fmt: skip
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _wait(process, path, Path(folder) / "log")
            yield path
        finally:
            process.terminate()
            process.wait(20)


def _wait(process: subprocess.Popen[bytes], path: str, log: Path) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        if Path(path).exists():
            with contextlib.suppress(NoAnswer):
                ask_uwsgi(path, 20)
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text())
