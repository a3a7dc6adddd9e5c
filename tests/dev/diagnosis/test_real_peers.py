"""Causes as a user meets them: a real gateway in front of a real uWSGI, gunicorn and http.server, wired up wrongly."""

from __future__ import annotations

import contextlib
import grp
import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import certificates
from tests.dev.diagnosis.asking import open_folder
from tests.process.running import GATEWAY, Running, free_port, until

pytest.importorskip("pyuwsgi")
pytest.importorskip("gunicorn")

APP = """\
import os
def after():
    yield b"a" * 100
    raise ValueError("y")
def app(environ, start_response):
    path = environ.get("PATH_INFO", "/")
    environ["REQUEST_METHOD"]
    if path == "/dies":
        os._exit(1)
    if path == "/raises":
        raise ValueError("x")
    if path == "/after":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1000")])
        return after()
    if path == "/large":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "30000000")])
        return [b"x" * 1000000] * 30
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok\\n"]
"""
NOBODYS_GROUP = grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name
BIN = Path(sys.executable).parent


def takes(address: str | tuple[str, int]) -> bool:
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as s:
        try:
            s.connect(address)
        except OSError:
            return False
    return True


@contextlib.contextmanager
def started(folder: Path, address: str | tuple[str, int], *command: str) -> Iterator[None]:
    """A server that listens on this address by now; its process group ends with it."""
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        until(lambda: takes(address), f"{command} on {address}")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        (path / "app.py").write_text(APP)
        yield path


@pytest.fixture
def uwsgi(folder: Path) -> Iterator[str]:
    port = free_port()
    arguments = ("--master", "--die-on-term", "--wsgi-file", "app.py", "--callable", "app")
    with started(folder, ("127.0.0.1", port), str(BIN / "uwsgi"), "--socket", f"127.0.0.1:{port}", *arguments):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def gunicorn(folder: Path) -> Iterator[str]:
    port = free_port()
    with started(folder, ("127.0.0.1", port), str(BIN / "gunicorn"), "-w", "2", "-b", f"127.0.0.1:{port}", "app:app"):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def gunicorn_uwsgi(folder: Path) -> Iterator[str]:
    path = str(folder / "gunicorn.sock")
    with started(folder, path, str(BIN / "gunicorn"), "-b", f"unix:{path}", "--protocol", "uwsgi", "app:app"):
        yield f"unix:{path}"


@pytest.fixture
def http_server(folder: Path) -> Iterator[str]:
    port = free_port()
    with started(folder, ("127.0.0.1", port), sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)):
        yield f"127.0.0.1:{port}"


class Front:
    """A gateway with one location, and what it said."""

    def __init__(self, running: Running, port: int) -> None:
        self.running = running
        self.port = port

    def get(self, headers: dict[str, str] | None = None, path: str = "/", body: bytes | None = None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers or {})
            answer = connection.getresponse()
            with contextlib.suppress(http.client.IncompleteRead, ConnectionError):
                answer.read()
            return answer.status
        finally:
            connection.close()

    def cause(self) -> str:
        """The line that names the cause, once it is there."""
        return str(until(lambda: self.running.logged(r"\] \d+#\d+: \*\d+ .*?cause: (.*)"), "a cause")[0])


Serve = Callable[[str], Front]


@pytest.fixture
def serve(folder: Path) -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:

        def start(location: str, user: str = "") -> Front:
            port = free_port()
            home = folder / "gateway"
            home.mkdir()
            home.chmod(0o777)
            running = stack.enter_context(Running(home, GATEWAY))
            (home / "nginx.conf").write_text(
                f"pid nginx.pid; error_log error.log; {user or ('user root;' if os.geteuid() == 0 else '')}\n"
                "events { }\nhttp { server {\n"
                f"listen 127.0.0.1:{port}; large_client_header_buffers 4 64k;\n"
                f"location / {{ {location} }} }} }}\n"
            )
            running.start()
            stack.callback(running.end)
            return Front(running, port)

        yield start


PARAMS = "uwsgi_param REQUEST_METHOD $request_method; uwsgi_param PATH_INFO $uri;"


def test_a_right_one_names_no_cause(serve: Serve, uwsgi: str) -> None:
    front = serve(f"uwsgi_pass {uwsgi}; {PARAMS}")
    assert front.get() == 200
    assert "cause:" not in front.running.log


def test_http_to_uwsgi(serve: Serve, uwsgi: str, folder: Path) -> None:
    front = serve(f"proxy_pass http://{uwsgi};")
    assert front.get() == 502
    assert front.cause().startswith(f"{uwsgi} speaks uwsgi, not HTTP (asked just now): either uwsgi_pass {uwsgi};")
    assert "invalid request block size: 21573" in (folder / "server.log").read_text()


def test_http_to_gunicorns_uwsgi_mode(serve: Serve, gunicorn_uwsgi: str) -> None:
    front = serve(f"proxy_pass http://{gunicorn_uwsgi};")
    assert front.get() == 500
    assert front.cause().startswith(f"{gunicorn_uwsgi} speaks uwsgi, not HTTP")


def test_uwsgi_to_gunicorn(serve: Serve, gunicorn: str) -> None:
    front = serve(f"uwsgi_pass {gunicorn}; uwsgi_read_timeout 1s; {PARAMS}")
    assert front.get() == 504
    assert front.cause().startswith(f"{gunicorn} speaks HTTP, not uwsgi (asked just now): either proxy_pass http://")


def test_a_large_uwsgi_request_to_gunicorn(serve: Serve, gunicorn: str) -> None:
    front = serve(f"uwsgi_pass {gunicorn}; {PARAMS}")
    assert front.get({"Cookie": "c" * 6000}) == 414
    assert "speaks HTTP" in front.cause()


def test_uwsgi_to_http_server(serve: Serve, http_server: str) -> None:
    front = serve(f"uwsgi_pass {http_server}; uwsgi_read_timeout 1s; {PARAMS}")
    assert front.get() == 504
    assert front.cause().startswith(f"{http_server} speaks HTTP, not uwsgi")


def test_uwsgis_buffer(serve: Serve, uwsgi: str, folder: Path) -> None:
    front = serve(f"uwsgi_pass {uwsgi}; {PARAMS}")
    assert front.get({"Cookie": "c" * 6000}) == 502
    (size,) = {
        line.split()[4] for line in (folder / "server.log").read_text().splitlines() if "invalid request block" in line
    }
    assert f"raise uWSGI's buffer-size to at least {size} " in front.cause()


def test_the_buffer_size_that_was_named_is_enough(serve: Serve, uwsgi: str, folder: Path) -> None:
    front = serve(f"uwsgi_pass {uwsgi}; {PARAMS}")
    assert front.get({"Cookie": "c" * 6000}) == 502
    named = front.cause().partition("to at least ")[2].partition(" ")[0]
    port = free_port()
    arguments = ("--master", "--wsgi-file", "app.py", "--callable", "app", "--buffer-size", named)
    with started(folder, ("127.0.0.1", port), str(BIN / "uwsgi"), "--socket", f"127.0.0.1:{port}", *arguments):
        conf = front.running.folder / "nginx.conf"
        conf.write_text(conf.read_text().replace(uwsgi, f"127.0.0.1:{port}"))
        assert front.running.run("-s", "reload").returncode == 0
        assert front.get({"Cookie": "c" * 6000}) == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_a_socket_that_www_data_may_not_reach(serve: Callable[..., Front], folder: Path) -> None:
    home = folder / "home"
    home.mkdir(0o700)
    path = str(home / "app.sock")
    arguments = ("--master", "--wsgi-file", "app.py", "--callable", "app", "--chmod-socket=666")
    with started(folder, path, str(BIN / "uwsgi"), "--socket", path, *arguments):
        front = serve(f"uwsgi_pass unix:{path}; {PARAMS}", user=f"user nobody {NOBODYS_GROUP};")
        assert front.get() == 502
        assert front.cause().startswith(f"uid 65534 (nobody) may not pass {home} (drwx------ root root 700): x ")
        home.chmod(0o701)  # the narrow fix
        assert front.get() == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_a_file_that_www_data_may_not_read(serve: Callable[..., Front], folder: Path) -> None:
    (folder / "site").mkdir(0o700)
    (folder / "site" / "index.html").write_text("x")
    front = serve(f"root {folder}/site;", user=f"user nobody {NOBODYS_GROUP};")
    assert front.get() == 403
    assert f"uid 65534 (nobody) may not pass {folder}/site (drwx------" in front.cause()


def test_an_application_that_dies_is_no_uwsgi_socket(serve: Serve, folder: Path) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    with started(folder, ("127.0.0.1", port), str(BIN / "gunicorn"), "-w", "1", "-b", address, "app:app"):
        front = serve(f"proxy_pass http://{address};")
        for _ in range(3):
            assert front.get() == 200
        assert front.get(path="/dies") == 502
        cause = front.cause()
    assert "Likely: 1) the process that had the request died" in cause
    assert "is a uwsgi socket" not in cause


def test_an_exception_in_uwsgi_is_not_out_of_memory(serve: Serve, uwsgi: str, folder: Path) -> None:
    front = serve(f"uwsgi_pass {uwsgi}; {PARAMS}")
    assert front.get(path="/raises") == 502
    cause = front.cause()
    assert cause.index("the application raised an exception") < cause.index("out of memory")
    assert "ValueError" in (folder / "server.log").read_text()


def test_without_uwsgi_params(serve: Serve, uwsgi: str) -> None:
    front = serve(f"uwsgi_pass {uwsgi};")
    assert front.get() == 502
    assert "has no REQUEST_METHOD" in front.cause() and "include uwsgi_params;" in front.cause()


def test_uwsgi_without_an_application(serve: Serve, folder: Path) -> None:
    port = free_port()
    with started(folder, ("127.0.0.1", port), str(BIN / "uwsgi"), "--socket", f"127.0.0.1:{port}", "--master"):
        front = serve(f"uwsgi_pass 127.0.0.1:{port}; {PARAMS}")
        assert front.get() == 500
        assert "no python application found" in front.cause()
    assert "no python application found" in (folder / "server.log").read_text()


def test_a_body_that_uwsgi_leaves_unread(serve: Serve, uwsgi: str) -> None:
    front = serve(f"uwsgi_pass {uwsgi}; client_max_body_size 0; {PARAMS} uwsgi_param CONTENT_LENGTH $content_length;")
    with contextlib.suppress(http.client.HTTPException, ConnectionError):
        front.get(path="/large", body=b"x" * 3_000_000)
    cause = front.cause()
    assert "without having read the request's body (3000000 bytes)" in cause
    assert "ended in the middle" not in cause


def test_tls_to_a_plain_port(serve: Serve, gunicorn: str, http_server: str) -> None:
    front = serve(f"proxy_pass https://{gunicorn};")
    assert front.get() == 502
    assert f"write proxy_pass http://{gunicorn};" in front.cause()


def test_plain_http_to_a_port_of_tls(serve: Serve, folder: Path) -> None:
    port = free_port()
    chain, key = certificates.write(folder)
    arguments = ("-w", "1", "--certfile", str(chain), "--keyfile", str(key), "app:app")
    with started(folder, ("127.0.0.1", port), str(BIN / "gunicorn"), "-b", f"127.0.0.1:{port}", *arguments):
        front = serve(f"proxy_pass http://127.0.0.1:{port};")
        assert front.get() in (400, 502)
        assert f"proxy_pass https://127.0.0.1:{port};" in front.cause()


def test_another_cause_within_the_minute(serve: Serve, uwsgi: str, folder: Path) -> None:
    """The first was put right, and the next one shows: that one is named at once, too."""
    front = serve(f"uwsgi_pass {uwsgi};")
    assert front.get() == 502
    assert "has no REQUEST_METHOD" in front.cause()
    conf = front.running.folder / "nginx.conf"
    conf.write_text(conf.read_text().replace(f"uwsgi_pass {uwsgi};", f"uwsgi_pass {uwsgi}; {PARAMS}"))
    assert front.running.run("-s", "reload").returncode == 0
    assert front.get() == 200
    assert front.get(path="/raises") == 502
    until(lambda: "the application raised an exception before" in front.running.log, "the second cause")


@contextlib.contextmanager
def php(folder: Path) -> Iterator[str]:
    program = next((found for name in ("php-fpm", "php-fpm8.2", "php-fpm8.4") if (found := shutil.which(name))), "")
    if not program:
        pytest.skip("no php-fpm here")
    path = folder / "php.sock"
    (folder / "ok.php").write_text("<?php echo 'ok';")
    (folder / "php.conf").write_text(
        f"[global]\nerror_log = {folder}/php.log\ndaemonize = no\n[www]\nuser = nobody\ngroup = {NOBODYS_GROUP}\n"
        f"listen = {path}\nlisten.mode = 0666\npm = static\npm.max_children = 1\n"
    )
    with started(folder, str(path), program, "-n", "-F", "-R", "-y", str(folder / "php.conf")):
        yield f"unix:{path}"


def test_a_script_that_php_does_not_find(serve: Serve, folder: Path) -> None:
    with php(folder) as address:
        params = "fastcgi_param REQUEST_METHOD $request_method;"
        front = serve(f"root {folder}; fastcgi_pass {address}; {params} fastcgi_param SCRIPT_FILENAME /no$uri;")
        assert front.get(path="/ok.php") == 404
        assert front.cause().startswith("SCRIPT_FILENAME was /no/ok.php: / has no no (")


def test_php_without_the_name_of_a_script(serve: Serve, folder: Path) -> None:
    with php(folder) as address:
        front = serve(f"fastcgi_pass {address}; fastcgi_param REQUEST_METHOD $request_method;")
        assert front.get(path="/ok.php") == 404
        assert front.cause().startswith("the request has no SCRIPT_FILENAME")


@pytest.mark.parametrize("directive", ["proxy_pass http://{}:;", "uwsgi_pass {};"])
def test_php_asked_in_another_protocol(serve: Serve, folder: Path, directive: str) -> None:
    with php(folder) as address:
        front = serve(directive.format(address))
        assert front.get() == 502
        assert f"{address} speaks FastCGI, not " in front.cause() and f"fastcgi_pass {address};" in front.cause()


@pytest.mark.parametrize("directive", ["grpc_pass {};", "proxy_http_version 2; proxy_pass http://{};"])
def test_http2_to_a_server_of_http1(serve: Serve, gunicorn: str, directive: str) -> None:
    front = serve(directive.format(gunicorn))
    assert front.get() == 502
    assert front.cause().startswith(f"{gunicorn} answered in HTTP/1.1")


@contextlib.contextmanager
def over_tls(folder: Path, *arguments: str) -> Iterator[str]:
    port = free_port()
    chain, key = certificates.write(folder)
    command = (str(BIN / "gunicorn"), "-w", "1", "--certfile", str(chain), "--keyfile", str(key), *arguments)
    with started(folder, ("127.0.0.1", port), *command, "-b", f"127.0.0.1:{port}", "app:app"):
        yield f"127.0.0.1:{port}"


def test_a_certificate_that_nobody_trusts(serve: Serve, folder: Path) -> None:
    with over_tls(folder) as address:
        other = folder / "other"
        other.mkdir()
        trusted, _ = certificates.write(other)
        front = serve(f"proxy_pass https://{address}; proxy_ssl_verify on; proxy_ssl_trusted_certificate {trusted};")
        assert front.get() == 502
        cause = front.cause()
        assert f"proxy_ssl_trusted_certificate {trusted} (" in cause and "proxy_ssl_verify off" not in cause


def test_a_client_certificate_that_is_missing(serve: Serve, folder: Path) -> None:
    """With TLS 1.3 the refusal comes after the handshake."""
    other = folder / "other"
    other.mkdir()
    trusted, _ = certificates.write(other)
    with over_tls(folder, "--ca-certs", str(trusted), "--cert-reqs", "2") as address:
        front = serve(f"proxy_pass https://{address};")
        assert front.get() == 502
        cause = front.cause()
        assert "write proxy_ssl_certificate and proxy_ssl_certificate_key" in cause and "asked just now" not in cause


def test_an_application_that_raises_in_the_middle(serve: Serve, uwsgi: str) -> None:
    front = serve(f"uwsgi_pass {uwsgi}; {PARAMS}")
    with contextlib.suppress(http.client.IncompleteRead):
        front.get(path="/after")
    cause = front.cause()
    assert "100 bytes of the body had come of 1000" in cause
    assert "1) the application raised an exception after its answer had begun" in cause


def test_a_limit_of_gunicorn(serve: Serve, gunicorn: str) -> None:
    front = serve(f"proxy_pass http://{gunicorn};")
    assert front.get(path="/" + "a" * 5000) == 414
    line = until(lambda: front.running.logged(r"cause: (the limit is one of .*)"), "a cause")[0]
    assert "not of this server: gunicorn: --limit-request-line" in line


def test_a_name_without_a_resolver(serve: Serve, folder: Path) -> None:
    front = serve("set $u http://nosuch.test; proxy_pass $u;")
    assert front.get() == 502
    assert front.cause().startswith("proxy_pass $u (") and "write resolver " in front.cause()


def test_a_target_that_is_empty(serve: Serve) -> None:
    front = serve("proxy_pass http://$arg_nothing;")
    assert front.get() == 500
    assert "names no host once its variables are put in: $arg_nothing is ''" in front.cause()


def test_a_file_of_passwords_is_not_below_root(serve: Serve, folder: Path) -> None:
    front = serve(f"auth_basic x; auth_basic_user_file {folder}/nosuch; root {folder};")
    assert front.get({"Authorization": "Basic YTpi"}) == 403
    assert front.cause().startswith(f"auth_basic_user_file {folder}/nosuch (")


def test_try_files_that_lead_to_themselves(serve: Serve, folder: Path) -> None:
    front = serve(f"root {folder}/none; try_files $uri /index.html;")
    assert front.get(path="/x") == 500
    assert "its last parameter, /index.html, leads to a location where the same is tried again" in front.cause()
