"""gateway run with real processes: the application in uWSGI, and a server in front of it."""

from __future__ import annotations

import contextlib
import html
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from gateway.dev.run_conf import DASHBOARD
from tests.ports import free_port

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
pytest.importorskip("pyuwsgi")

APP = """\
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"one " + environ["PATH_INFO"].encode()]
"""


@pytest.fixture(params=["gateway", "nginx"])
def server(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "gateway":
        return []
    if NGINX is None:
        pytest.skip("nginx is missing")
    return ["--server", NGINX]


class Started:
    def __init__(self, folder: Path, *arguments: str, verb: str = "run", stdin: int = subprocess.DEVNULL) -> None:
        self.port = free_port()
        # Not below pytest's folders: the path of a unix socket has at most 107 bytes.
        self.temp = Path(tempfile.mkdtemp(prefix="gateway-test-"))
        self.log = self.temp.with_suffix(".log")
        environment = {**os.environ, "TMPDIR": str(self.temp), "PYTHONUNBUFFERED": "1"}
        environment["XDG_DATA_HOME"] = str(folder.parent / "data")
        root = str(Path(__file__).parents[2])
        hidden = folder.parent / "hidden"  # what is to be imported at start, if a test made it
        environment["PYTHONPATH"] = os.pathsep.join([str(hidden), root] if hidden.exists() else [root])
        self.environment = environment
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", verb, "--port", str(self.port), *arguments],
                cwd=folder, stdin=stdin, stdout=out, stderr=out, env=environment,
            )  # fmt: skip

    def said(self) -> str:
        return self.log.read_text()

    def until(self, condition: Callable[[], object], seconds: float = 15) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.said()
            time.sleep(0.02)

    def until_ready(self) -> None:
        self.until(lambda: "Ctrl-C stops " in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()

    def get(self, path: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def mine(self) -> list[int]:
        """All processes that have the private folder in their environment: this run's."""
        found = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdigit() and os.fsencode(self.temp) in Path(f"/proc/{name}/environ").read_bytes():
                    found.append(int(name))
        return found

    def nothing_left(self) -> bool:
        return not self.mine() and not list(self.temp.iterdir())

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        self.until(self.nothing_left)
        self.temp.rmdir()
        self.log.unlink()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    running: list[Started] = []
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text(APP)

    def begin(*arguments: str, **more: Any) -> Started:
        running.append(Started(folder, *arguments, **more))
        return running[-1]

    yield begin
    for each in running:
        each.end()


def test_serves_and_leaves_nothing_behind(start: Callable[..., Started], server: list[str], tmp_path: Path) -> None:
    (tmp_path / "project" / "files").mkdir()
    (tmp_path / "project" / "files" / "a.txt").write_text("a file")
    run = start(*server, "--static", "/static=files")
    run.until_ready()
    assert run.get("/x") == (200, "one /x")
    assert run.get("/static/a.txt") == (200, "a file")
    assert run.get("/static/b.txt")[0] == 404
    run.until(lambda: "GET /x 200" in run.said())
    assert "✓ answers uwsgi" in run.said()
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(20) == 0
    assert run.nothing_left()


def test_its_requests_are_explained(start: Callable[..., Started]) -> None:
    """The words that a request's page has are enough, though the configuration is of gateway run's own making."""
    run = start()
    run.until_ready()
    assert run.get("/x?y=1") == (200, "one /x")
    (id,) = set(re.findall(r"/requests/([0-9a-f]{32})", run.get(f"{DASHBOARD}requests")[1]))
    page = run.get(f"{DASHBOARD}requests/{id}")[1]
    words = shlex.split(html.unescape(re.findall(r'<pre id="explain">(.*?)</pre>', page)[0]))
    assert words[:2] == ["gateway", "explain"] and words[-2:] == ["--id", id]
    command = [sys.executable, "-m", *words]
    said = subprocess.run(command, capture_output=True, text=True, env=run.environment, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(f"GET http://127.0.0.1:{run.port}/x?y=1\n")
    assert "took place" in said.stdout and "uwsgi_pass unix:" in said.stdout and "differs" not in said.stdout


def test_sigkill_leaves_nothing_behind(start: Callable[..., Started], server: list[str]) -> None:
    run = start(*server)
    run.until_ready()
    run.process.kill()
    run.process.wait()
    run.until(run.nothing_left)


def test_starts_again_when_the_code_changes(start: Callable[..., Started], server: list[str], tmp_path: Path) -> None:
    file = tmp_path / "project" / "app.py"
    run = start(*server)
    run.until_ready()
    file.write_text(APP.replace("one", "number two"))
    run.until(lambda: "is ready after" in run.said())
    assert run.get("/x") == (200, "number two /x")
    file.write_text("import nothing_of_that_name\n")
    run.until(lambda: "does not load; waiting" in run.said())
    assert "ModuleNotFoundError" in run.said()
    status, page = run.get("/x")
    assert status == 500
    assert "nothing_of_that_name" in page
    file.write_text(APP)
    run.until(lambda: run.said().count("is ready after") == 2)
    assert run.get("/x") == (200, "one /x")


def test_shows_the_traceback_of_an_app_that_does_not_load(start: Callable[..., Started], tmp_path: Path) -> None:
    (tmp_path / "project" / "app.py").write_text("import nothing_of_that_name\napp = 1\n")
    run = start()
    assert run.process.wait(30) == 1
    assert "app:app does not load in uWSGI" in run.said()
    assert 'app.py", line 1' in run.said()
    assert "nothing_of_that_name" in run.said()
    run.until(run.nothing_left)


def test_gunicorn_where_there_is_no_uwsgi(start: Callable[..., Started], tmp_path: Path) -> None:
    pytest.importorskip("gunicorn")
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(
        'import shutil, sys\nsys.modules["pyuwsgi"] = None\nshutil.which = lambda *_, **__: None\n'
    )
    file = tmp_path / "project" / "app.py"
    run = start("--processes", "2")
    run.until_ready()
    assert " in gunicorn " in run.said()
    assert run.get("/x") == (200, "one /x")
    file.write_text(APP.replace("one", "number two"))
    run.until(lambda: "is ready after" in run.said())
    assert run.get("/x") == (200, "number two /x")
    file.write_text("import nothing_of_that_name\n")
    run.until(lambda: "does not load; waiting" in run.said())
    assert "nothing_of_that_name" in run.get("/x")[1]
    file.write_text(APP)
    run.until(lambda: run.said().count("is ready after") == 2)
    assert run.get("/x") == (200, "one /x")


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed to ask")
def test_nginx_takes_what_print_conf_prints(start: Callable[..., Started], tmp_path: Path) -> None:
    (tmp_path / "project" / "files").mkdir()
    run = start("--print-conf", "--static", "/static=files")
    assert run.process.wait(20) == 0
    conf = tmp_path / "printed.conf"
    conf.write_text(run.said())
    where = ["-p", f"{tmp_path}/", "-e", f"{tmp_path}/log", "-g", f"pid {tmp_path}/pid;"]
    command = [str(NGINX), "-t", *where, "-c", str(conf)]
    tried = subprocess.run(command, capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr


def test_own_configuration(start: Callable[..., Started], server: list[str], tmp_path: Path) -> None:
    conf = tmp_path / "project" / "site.conf"
    (tmp_path / "project" / "static").mkdir()
    (tmp_path / "project" / "static" / "a.txt").write_text("a file")
    run = start(*server, "--print-conf")
    run.process.wait(20)
    text = run.said()
    port = free_port()
    path = text[text.index("uwsgi_pass unix:") + 16 :].partition(";")[0]
    text = text.replace(path, "relative.sock").replace(f":{run.port}", f":{port}")
    conf.write_text(text.replace("location / {", "location /static/ { root .; }\nlocation / {"))
    second = Started(tmp_path / "project" / "static", *server, "../app.py", "-c", str(conf))
    try:
        second.until_ready()
        second.port = port
        assert second.get("/x") == (200, "one /x")
        assert second.get("/static/a.txt") == (200, "a file")
    finally:
        second.end()
    assert {p.name for p in (tmp_path / "project").iterdir()} - {"__pycache__"} == {"app.py", "site.conf", "static"}


def test_port_in_use(start: Callable[..., Started]) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        run = start("--port", str(port), "--strict-port")
        assert run.process.wait(20) == 1
        assert "in use; try --port" in run.said()
        other = start("--port", str(port))
        other.until_ready()
        found = re.search(r"http://127.0.0.1:(\d+)/", other.said())
        assert found is not None
        assert int(found[1]) > port


def test_the_cause_stands_on_the_page(start: Callable[..., Started], tmp_path: Path) -> None:
    """Of a file, and of an application that died, with what it wrote last; with one's own configuration, too."""
    (tmp_path / "project" / "files").mkdir()
    (tmp_path / "project" / "files" / "style.css").write_text("")
    (tmp_path / "project" / "app.py").write_text(
        "import os, sys\n"
        "def application(environ, start_response):\n"
        "    if environ['PATH_INFO'] == '/die':\n"
        "        print('these are its last words', file=sys.stderr, flush=True)\n"
        "        os._exit(1)\n"
        "    start_response('200 OK', [])\n"
        "    return [b'there']\n"
    )
    run = start("--static", "/static=files")
    run.until_ready()
    status, page = run.get("/static/styles.css")
    assert (status, "has no styles.css, but style.css" in page) == (404, True), page
    # The server's error log and the application's words come by different pipes: the page may be first.
    run.until(lambda: "these are its last words" in run.get("/die")[1], 30)
    status, page = run.get("/die")
    assert status == 502
    assert "upstream prematurely closed connection while reading response header from upstream" in page
    assert "\ncause: connected in " in page


def test_the_cause_stands_on_the_page_of_ones_own_configuration(start: Callable[..., Started], tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "project" / "nginx.conf").write_text(
        f"events {{ }} http {{ server {{ listen 127.0.0.1:{port};\n"
        "location / { uwsgi_pass unix:app.sock; }\nlocation /x { deny all; } } }"
    )
    run = start("-c", "nginx.conf")
    run.until_ready()
    run.port = port
    status, page = run.get("/x")
    assert status == 403
    assert "cause: deny all" in page and "nginx.conf:3" in page
