"""gateway run: an application in uWSGI or gunicorn, behind gateway, in the foreground, with one command."""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import select
import shlex
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import gateway
from gateway.config.parser import Source, load
from gateway.dev import app_server, run_conf, start_block
from gateway.dev.app_finder import Application, NoApplication, find
from gateway.dev.app_server import AppServer, DoesNotLoad
from gateway.dev.child import Child
from gateway.dev.janitor import Janitor
from gateway.dev.probe import NoAnswer, ask_connection
from gateway.dev.terminal import Terminal
from gateway.dev.watcher import Watcher

_EXAMPLES: Final = """\
examples:
  gateway run                                     the application in app.py, wsgi.py or main.py
  gateway run app:app --static /static=static     files below /static/ without the application
  gateway run site.wsgi:application --port 9000
  gateway run app:app --print-conf > nginx.conf   the configuration, for gateway -c or nginx -c
  gateway run app:app -c nginx.conf               with your own; the app listens on its uwsgi_pass unix:…
"""


class Stopped(Exception):
    """Somebody wants `gateway run` to end while it starts."""


class CannotRun(Exception):
    """The reason, for the user."""


def command_line() -> argparse.ArgumentParser:
    """The command line of the verb."""
    made = argparse.ArgumentParser(
        prog="gateway run",
        description="Start a WSGI application in uWSGI (or gunicorn) and serve it with gateway until Ctrl-C.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("app", nargs="?", metavar="APP", help="module:callable, module, or file.py")
    made.add_argument("--static", action="append", default=[], metavar="/URL=DIR", help="serve DIR at /URL/")
    made.add_argument("--port", type=int, default=8080, help="on 127.0.0.1 (%(default)s)")
    made.add_argument("--processes", type=int, default=1, metavar="N", help="of the application (%(default)s)")
    made.add_argument("-c", dest="conf", type=Path, metavar="FILE", help="serve with this nginx.conf")
    made.add_argument("--print-conf", action="store_true", help="print the configuration and end")
    made.add_argument("--server", metavar="COMMAND", help="what serves instead of gateway, for example nginx")
    made.add_argument("--while-parent", action="store_true", help="end when the process that started this one ends")
    return made


def main(argv: Sequence[str]) -> int:
    """Exit codes: 0 stopped by the user, 1 could not run, 2 wrong use."""
    options = command_line().parse_args(argv)
    terminal = Terminal()
    try:
        application = find(options.app, Path.cwd())
        static = [run_conf.static_location(spec, Path.cwd()) for spec in options.static]
        if options.print_conf:
            print(_printed(options, application, static), end="")
            return 0
        return Run(options, application, static, terminal).main()
    except (NoApplication, CannotRun, ValueError) as why:
        terminal.complain(f"gateway run: {why}")
        return 1


def _printed(options: argparse.Namespace, application: Application, static: list[tuple[str, Path]]) -> str:
    if options.conf:
        return str(options.conf.read_text())
    folder = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"
    path = f"{folder}/{application.module.replace('.', '-')}.sock"
    return run_conf.configuration(application, path, port=options.port, static=static, processes=options.processes)


class Run:
    """One run: the private folder, the application, the server, and the loop that looks after them."""

    def __init__(
        self, options: argparse.Namespace, application: Application, static: list[tuple[str, Path]], terminal: Terminal
    ) -> None:
        self._options = options
        self._application = application
        self._static = static
        self._terminal = terminal
        self._parent = os.getppid()
        self._stop = False
        self._begin = time.monotonic()

    def main(self) -> int:
        """Serve until a signal says stop; whatever happens, clean up."""
        if not app_server.available():
            raise CannotRun("neither pyuwsgi nor gunicorn is installed beside this Python: pip install pyuwsgi")
        if self._options.conf is None:
            _check_port(self._options.port)
        janitor = Janitor()
        wakeup, to_wakeup = os.pipe()
        os.set_blocking(to_wakeup, False)
        self._wakeup = wakeup
        signal.set_wakeup_fd(to_wakeup)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        with contextlib.ExitStack() as stack:
            stack.callback(janitor.close)
            try:
                return self._run(janitor, stack)
            except Stopped:
                return 0

    def _on_signal(self, number: int, frame: object) -> None:
        self._stop = True

    def _run(self, janitor: Janitor, stack: contextlib.ExitStack) -> int:
        terminal = self._terminal
        file, source = self._configuration(janitor.folder)
        path = self._socket(source, janitor)
        application = AppServer(
            self._application, path, processes=self._options.processes, janitor=janitor,
            say=terminal.complain, go_on=lambda: not self._stop,
        )  # fmt: skip
        stack.callback(application.close)
        try:
            application.listen()
        except OSError as error:
            raise CannotRun(f"cannot listen on {path}: {error.strerror or error}") from None
        self._hand_over(source, janitor.folder, path)
        server = self._server(file, source, janitor)
        stack.callback(server.stop)
        try:
            application.start()
        except NoAnswer:
            raise Stopped from None
        except DoesNotLoad as why:
            raise CannotRun(f"{self._application.spec} does not load in {application.kind}\n{why}") from None
        self._await_server(source, server)
        terminal.say(
            start_block.start_block(
                source,
                title=self._title(application),
                ready_ms=(time.monotonic() - self._begin) * 1e3,
                file=str(file),
                folder=janitor.folder,
                stop="Ctrl-C stops both; a change of the code starts the application again",
                style=terminal.style,
                unicode=terminal.unicode,
            )
        )
        return self._look_after(application, server)

    def _configuration(self, folder: Path) -> tuple[Path, Source]:
        """The file to serve, and what is in it; made in the private folder unless it is the user's own."""
        if self._options.conf is None:
            file = folder / "nginx.conf"
            socket_path = folder / "app.sock"
            file.write_text(
                run_conf.configuration(
                    self._application, str(socket_path), port=self._options.port, static=self._static,
                    processes=self._options.processes,
                )
            )  # fmt: skip
        else:
            file = self._options.conf.resolve()
            if not file.is_file():
                raise CannotRun(f"there is no file {file}")
            # The private folder is the server's prefix, so that what it writes stays out of the user's folder; what
            # stands beside the configuration is found there under the same names.
            for beside in file.parent.iterdir():
                (folder / beside.name).symlink_to(beside)
        source = load(str(file))
        if source.error is not None and self._options.conf is None:
            raise CannotRun(str(source.error))
        return file, source

    def _socket(self, source: Source, janitor: Janitor) -> Path:
        """Where the application has to listen: the first uwsgi_pass to a unix socket."""
        for peer in start_block.peers(source):
            if peer.protocol == "uwsgi" and isinstance(peer.address, str):
                path = janitor.folder / peer.address
                break
        else:
            raise CannotRun(f"{self._options.conf} has no uwsgi_pass to a unix socket for the application to listen on")
        if path.parent != janitor.folder:
            with contextlib.suppress(NoAnswer):
                ask_connection(str(path), 1)
                raise CannotRun(f"{path}: something listens there already")
            path.unlink(missing_ok=True)
            janitor.remove(path)
        return path

    def _hand_over(self, source: Source, folder: Path, path: Path) -> None:
        """Workers that give up root for a user of the configuration have to reach the socket."""
        names = [s.args[0] for s in source.statements if s.name == "user" and s.args]
        if names and os.geteuid() == 0:
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(names[0]).pw_uid
                os.chown(folder, user, -1)
                os.chown(path, user, -1)

    def _server(self, file: Path, source: Source, janitor: Janitor) -> Child:
        given = {s.name for s in source.statements}
        words = {"daemon": "off", "pid": f"{janitor.folder}/server.pid"}
        if os.geteuid() == 0:
            words["user"] = "root"  # the private folder is for nobody else
        extra = " ".join(f"{name} {word};" for name, word in words.items() if name not in given)
        command = [sys.executable, "-P", "-m", "gateway"]
        environment = {}
        if self._options.server:
            command = shlex.split(self._options.server)
        else:
            root = Path(gateway.__file__).parent.parent
            if root.name != "site-packages":  # from a checkout
                environment["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
        return Child(
            [*command, "-p", f"{janitor.folder}/", "-c", str(file), "-e", "stderr", "-g", extra],
            folder=janitor.folder,
            janitor=janitor,
            line=self._terminal.server_line,
            environment=environment,
        )

    def _await_server(self, source: Source, server: Child) -> None:
        addresses = [_reachable(listen.address) for listen in start_block.listens(source)]
        waiting = [address for address in addresses if address is not None]
        while waiting:
            if not server.running:
                server.finished()
                raise CannotRun(f"the server {server.ending}")
            try:
                ask_connection(waiting[0], 1)
                waiting.pop(0)
            except NoAnswer:
                self._pause(0.005)

    def _title(self, application: AppServer) -> str:
        what = shlex.split(self._options.server)[0] if self._options.server else f"gateway {gateway.__version__}"
        return f"{what}, {self._application.spec} in {application.kind}"

    def _pause(self, seconds: float) -> None:
        """Sleep; a signal ends the sleep and everything."""
        if not self._stop and select.select([self._wakeup], [], [], seconds)[0]:
            os.read(self._wakeup, 512)
        if self._stop or (self._options.while_parent and os.getppid() != self._parent):
            raise Stopped

    def _look_after(self, application: AppServer, server: Child) -> int:
        files = (self._options.conf.resolve(),) if self._options.conf else ()
        watcher = Watcher(self._application.folder, files)
        while True:
            self._pause(1.0)
            if not server.running:
                server.finished()
                raise CannotRun(f"the server {server.ending}")
            if application.ended:
                text = f"{application.kind} {application.ended}"
                self._terminal.complain(f"gateway run: {text}; it starts again when the code changes")
                application.stop()
                application.fail(text)
            changed = watcher.changed()
            for file in files:
                if file not in changed:
                    continue
                self._terminal.say(f"{file.name} changed, reloading it")
                server.send(signal.SIGHUP)
            if code := [file for file in changed if file not in files]:
                self._restart(application, code)

    def _restart(self, application: AppServer, changed: list[Path]) -> None:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        with contextlib.suppress(ValueError):
            changed[0] = changed[0].relative_to(self._application.folder)
        self._terminal.say(f"{changed[0]}{more} changed, starting the application again")
        begin = time.monotonic()
        application.stop()
        try:
            application.start()
        except NoAnswer:
            raise Stopped from None
        except DoesNotLoad as why:
            self._terminal.complain(f"{why}\ngateway run: {self._application.spec} does not load; waiting for a change")
            application.fail(str(why))
        else:
            self._terminal.say(f"the application is ready after {(time.monotonic() - begin) * 1e3:.0f} ms")


def _check_port(port: int) -> None:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except PermissionError:
            raise CannotRun(f"port {port} needs root (ports below 1024 do); try --port {port + 8000}") from None
        except OverflowError:
            raise CannotRun(f"{port} is no port") from None
        except OSError as error:
            raise CannotRun(f"port {port}: {error.strerror}; try --port {port + 1}") from None


def _reachable(address: str) -> str | tuple[str, int] | None:
    """Where a listening address can be connected to from here."""
    if address.startswith("unix:"):
        return address[5:]
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return None
    return {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]")), int(port)
