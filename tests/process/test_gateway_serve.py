"""ASGI applications, HTTPS, keys, folders and other servers in the foreground, with real processes."""

from __future__ import annotations

import importlib.util
import os
import pty
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPSConnection
from pathlib import Path

import pytest
import trio
from trio_websocket import open_websocket_url

from tests.process.test_gateway_run import NGINX, Started

ASGI = """\
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": "heard " + message["text"]})
        return
    host = dict(scope["headers"])[b"host"].decode()
    text = f"{scope['scheme']} {scope['path']} {host}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})

def create_app() -> "FastAPI":
    return app
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    return made


@pytest.fixture
def begin(folder: Path) -> Iterator[Callable[..., Started]]:
    running: list[Started] = []

    def start(verb: str, *arguments: str, stdin: int = subprocess.DEVNULL) -> Started:
        running.append(Started(folder, *arguments, verb=verb, stdin=stdin))
        return running[-1]

    yield start
    for each in running:
        each.end()


@pytest.mark.parametrize("kind", ["uvicorn", "hypercorn", "granian", "gunicorn"])
@pytest.mark.parametrize("spec", ["main:app", "main:create_app"])
def test_asgi(begin: Callable[..., Started], folder: Path, tmp_path: Path, kind: str, spec: str) -> None:
    if importlib.util.find_spec(kind) is None:
        pytest.skip(f"{kind} is not installed")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    others = {"uvicorn", "hypercorn", "granian", "gunicorn"} - {kind}
    lines = "".join(f"sys.modules[{name!r}] = None\n" for name in others)
    # gateway itself must not find them, and an app server may well need one of them
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util, sys\n"
        "if '-m' in sys.orig_argv and 'gateway' in sys.orig_argv:\n"
        + "".join(f"    {line}\n" for line in lines.splitlines())
    )
    (folder / "main.py").write_text(ASGI)
    run = begin("run", spec)
    run.until_ready()
    assert f" in {kind} " in run.said()
    assert run.get("/x")[1] == f"http /x 127.0.0.1:{run.port}"
    (folder / "main.py").write_text(ASGI.replace("{scope['path']}", "{scope['path']} again"))
    run.until(lambda: "is ready after" in run.said())
    assert run.get("/x")[1] == f"http /x again 127.0.0.1:{run.port}"


@pytest.mark.parametrize("server", [[], ["--server", str(NGINX)]], ids=["gateway", "nginx"])
async def test_websockets(begin: Callable[..., Started], folder: Path, server: list[str]) -> None:
    pytest.importorskip("uvicorn")
    if server and NGINX is None:
        pytest.skip("nginx is missing")
    (folder / "main.py").write_text(ASGI)
    run = begin("run", *server)
    await trio.to_thread.run_sync(run.until_ready)
    with trio.fail_after(20):
        async with open_websocket_url(f"ws://127.0.0.1:{run.port}/x") as connection:
            await connection.send_message("this")
            assert await connection.get_message() == "heard this"


def test_https(begin: Callable[..., Started], folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    (folder / "main.py").write_text(ASGI)
    run = begin("run", "--https")
    run.until_ready()
    context = ssl.create_default_context(cafile=tmp_path / "data" / "gateway" / "authority.pem")
    context.set_alpn_protocols(["http/1.1"])
    connection = HTTPSConnection("localhost", run.port, timeout=10, context=context)
    connection.request("GET", "/x")
    assert connection.getresponse().read().decode() == f"https /x localhost:{run.port}"
    connection.close()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("localhost", run.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        assert tls.selected_alpn_protocol() == "h2"
    assert run.get("/x")[0] == 301  # http:// on the port of https://


def test_a_folder(begin: Callable[..., Started], folder: Path) -> None:
    (folder / "index.html").write_text("the first page")
    (folder / "a.css").write_text("p {}")
    run = begin("serve", "--spa")
    run.until_ready()
    assert run.get("/") == (200, "the first page")
    assert run.get("/a.css") == (200, "p {}")
    assert run.get("/of/the/router") == (200, "the first page")
    run.until(lambda: "GET /a.css 200" in run.said())
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(20) == 0


def test_a_list(begin: Callable[..., Started], folder: Path) -> None:
    (folder / "below").mkdir()
    run = begin("serve", "--browse")
    run.until_ready()
    assert 'href="below/"' in run.get("/")[1]


def test_another_server(begin: Callable[..., Started], folder: Path) -> None:
    (folder / "index.html").write_text("of the other one")
    other = begin("serve")
    other.until_ready()
    run = begin("proxy", "--to", str(other.port))
    run.until_ready()
    assert run.get("/") == (200, "of the other one")
    assert "✓ answers HTTP" in run.said()


class _Terminal:
    """Somebody who types; the child is in the foreground of this terminal."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.text = b""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(folder)
            root = str(Path(__file__).parents[2])
            os.environ.update(PYTHONPATH=root, XDG_DATA_HOME=str(folder), TERM="dumb")
            import sys

            os.execv(sys.executable, [sys.executable, "-m", "gateway", *arguments])
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while data := os.read(self.fd, 4096):
                self.text += data
        except OSError:
            pass  # the other side of the terminal is closed

    def until(self, words: bytes, times: int = 1) -> None:
        import time

        end = time.monotonic() + 20
        while self.text.count(words) < times:
            assert time.monotonic() < end, self.text.decode()
            time.sleep(0.02)

    def close(self) -> int:
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._thread.join(5)
        os.close(self.fd)
        return code


def test_the_start_block_of_a_server_in_the_foreground(folder: Path) -> None:
    site = "listen unix:s; server_name a.example; location / { proxy_pass http://unix:none; }"
    text = f"events {{}} http {{ server {{ {site} }} }}"
    (folder / "nginx.conf").write_text(text)
    terminal = _Terminal(folder, "-p", ".", "-g", "daemon off; error_log error.log;")
    terminal.until(b"Ctrl-C stops it")  # stderr is the error log by then
    assert "ready in" not in (folder / "error.log").read_text()
    assert b"a.example (default)" in terminal.text
    assert b"proxy  unix:none  " in terminal.text
    os.kill(terminal.pid, signal.SIGINT)
    assert terminal.close() == 0
    assert b"unknown process" not in terminal.text


def test_keys(folder: Path) -> None:
    terminal = _Terminal(folder, "serve", "--port", "0")
    terminal.until(b"? lists the keys")
    os.write(terminal.fd, b"?")
    terminal.until(b"q quit")
    os.write(terminal.fd, b"i")
    terminal.until(b"ready in", 2)
    os.write(terminal.fd, b"r")
    terminal.until(b"the configuration is read again")
    os.write(terminal.fd, b"q")
    assert terminal.close() == 0


def test_the_first_wrong_start_waits_for_a_change(folder: Path) -> None:
    pytest.importorskip("pyuwsgi")
    (folder / "app.py").write_text("import nothing_of_that_name\napp = 1\n")
    terminal = _Terminal(folder, "run", "--port", "0")
    terminal.until(b"waiting for a change")
    assert b"nothing_of_that_name" in terminal.text
    (folder / "app.py").write_text("def app(environ, start):\n    start('200 OK', [])\n    return [b'x']\n")
    terminal.until(b"is ready after")
    os.write(terminal.fd, b"q")
    assert terminal.close() == 0
