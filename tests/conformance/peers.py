"""Real application servers that both sides ask: PHP over FastCGI, uWSGI over FastCGI and SCGI, memcached."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_SYSTEM = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"

PHP = next(
    (found for name in ("php-fpm", "php-fpm8.4", "php-fpm8.3", "php-fpm8.2", "php-fpm8.1", "php-fpm7.4")
     if (found := shutil.which(name, path=_SYSTEM))), None
)  # fmt: skip
MEMCACHED = shutil.which("memcached", path=_SYSTEM)
UWSGI = importlib.util.find_spec("pyuwsgi") is not None


@contextlib.contextmanager
def _running(command: list[str], path: Path) -> Iterator[None]:
    """A peer that listens on this unix socket, until the block is left."""
    with open(path.with_suffix(".log"), "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(path))
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(path.with_suffix(".log").read_text())
            time.sleep(0.02)
        yield
    finally:
        # php-fpm's children outlive a master that is killed, so it gets the time to end them.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def php(folder: Path) -> Iterator[Path]:
    """PHP's FastCGI; the socket's path. A child for each connection, since kept ones hold theirs."""
    path = folder / "php.sock"
    conf = folder / "php-fpm.conf"
    conf.write_text(
        f"[global]\nerror_log = {folder}/php-error.log\ndaemonize = no\n"
        f"[www]\nlisten = {path}\npm = ondemand\npm.max_children = 16\nclear_env = yes\n"
        "php_admin_value[log_errors] = on\nphp_admin_value[display_errors] = off\nphp_admin_value[html_errors] = off\n"
        "php_admin_value[error_reporting] = 32767\n"
    )
    root = ["-R"] if os.geteuid() == 0 else []
    with _running([str(PHP), "-F", "-n", *root, "-y", str(conf)], path):
        yield path


@contextlib.contextmanager
def uwsgi(folder: Path, protocol: str, script: str = "wsgi_echo.py") -> Iterator[Path]:
    """uWSGI with an application of this folder over "fastcgi", "scgi" or "uwsgi"; the socket's path."""
    path = folder / f"{protocol}.sock"
    beside = Path(sys.executable).with_name("pyuwsgi")
    run = [str(beside)] if beside.exists() else [sys.executable, "-c", "import pyuwsgi; pyuwsgi.run()"]
    application = Path(__file__).with_name(script)
    options = [f"--{protocol}-socket", str(path), "--wsgi-file", str(application), "--need-app", "--single-interpreter"]
    with _running([*run, *options, "--processes", "2", "--master", "--die-on-term"], path):
        yield path


@contextlib.contextmanager
def memcached(folder: Path) -> Iterator[Path]:
    """memcached; the socket's path."""
    path = folder / "memcached.sock"
    user = ["-u", "root"] if os.geteuid() == 0 else []
    with _running([str(MEMCACHED), "-s", str(path), "-U", "0", *user], path):
        yield path


def store(path: Path, key: str, value: bytes, flags: int = 0) -> None:
    """Put a value into memcached."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"set %b %d 0 %d\r\n%b\r\n" % (key.encode(), flags, len(value), value))
        assert connection.recv(100) == b"STORED\r\n"
