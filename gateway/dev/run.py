"""gateway run: an application in its app server, behind gateway, in the foreground, with one command."""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.config import units
from gateway.config.parser import Source
from gateway.dev import app_commands, browser_reload, run_conf, start_block
from gateway.dev.app_finder import Application, NoApplication, find
from gateway.dev.app_server import AppServer, DoesNotLoad
from gateway.dev.child import Child
from gateway.dev.foreground import CannotRun, Foreground, Stopped, add_options, place
from gateway.dev.janitor import Janitor
from gateway.dev.probe import NoAnswer, ask_connection
from gateway.dev.terminal import Terminal
from gateway.dev.watcher import Watcher

_EXAMPLES: Final = """\
examples:
  gateway run                                     the application in app.py, wsgi.py, main.py, asgi.py or a package
  gateway run app:app --static /static=static     files below /static/ without the application
  gateway run main:app --https                    https://localhost:8443/, FastAPI too
  gateway run app:app --print-conf > nginx.conf   the configuration, for gateway -c or nginx -c
  gateway run app:app -c nginx.conf               with your own; the app listens on its uwsgi_pass unix:…
"""


def command_line() -> argparse.ArgumentParser:
    """The command line of the verb."""
    made = argparse.ArgumentParser(
        prog="gateway run",
        description="Start a WSGI or ASGI application in its app server and serve it with gateway until Ctrl-C.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("app", nargs="?", metavar="APP", help="module:callable, module, or file.py")
    made.add_argument("--static", action="append", default=[], metavar="/URL=DIR", help="serve DIR at /URL/")
    made.add_argument("--processes", type=_positive, default=1, metavar="N", help="of the application (%(default)s)")
    made.add_argument("-c", dest="conf", type=Path, metavar="FILE", help="serve with this nginx.conf")
    made.add_argument("--bodies", type=_size, default=0, metavar="SIZE",
                      help="of requests' bodies, so much is kept for the pages (64k; none without)")  # fmt: skip
    add_options(made)
    return made


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it takes at least 1")
    return number


def _size(text: str) -> int:
    try:
        size = units.parse_size(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is no size, such as 64k') from None
    if size > 1 << 20:
        raise argparse.ArgumentTypeError("no more than 1m of a body can be kept")
    return size


def main(argv: Sequence[str]) -> int:
    """Exit codes: 0 stopped by the user, 1 could not run, 2 wrong use."""
    options = command_line().parse_args(argv)
    terminal = Terminal()
    try:
        application = find(options.app, Path.cwd())
        static = [run_conf.static_location(spec, Path.cwd()) for spec in options.static]
        if options.reload and options.conf:
            raise CannotRun("--reload changes pages by a configuration of its own; with -c it has none")
        if options.bodies and options.conf:
            raise CannotRun("--bodies changes a configuration of its own; with -c request_history has its body=SIZE")
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
    name = application.module.replace(".", "-")
    folder = os.environ.get("XDG_RUNTIME_DIR") or f"/run/{name}"
    where = place(options, take=False)
    return run_conf.configuration(
        application, f"{folder}/{name}.sock", place=where, static=static, processes=options.processes
    )


class Run(Foreground):
    """The application beside the server."""

    def __init__(
        self, options: argparse.Namespace, application: Application, static: list[tuple[str, Path]], terminal: Terminal
    ) -> None:
        super().__init__(options, terminal, conf=options.conf)
        self._application = application
        self._static = static
        self.stop_words = "Ctrl-C stops both; a change of the code starts the application again"

    def main(self) -> int:
        """Serve until a signal says stop."""
        kind = app_commands.available(self._application)
        if not kind:
            raise CannotRun(app_commands.wanted(self._application))
        self.title = f"{self.server_name()}, {self._application.spec} in {kind}"
        return super().main()

    def text(self, folder: Path) -> str:
        where = place(self.options)
        if not self.options.server:
            scheme = "https" if where.certificate is not None else "http"
            shown = f"what happens: {scheme}://localhost:{where.port}{run_conf.DASHBOARD}"
            self.stop_words = f"{shown}\n{self.stop_words}"
        return run_conf.configuration(
            self._application, str(folder / "app.sock"), place=where, static=self._static,
            processes=self.options.processes,
            history="" if self.options.server else str(folder / "requests.ring"), bodies=self.options.bodies,
            more=browser_reload.location(folder) if self.options.reload else "",
        )  # fmt: skip

    def before(self, source: Source, janitor: Janitor, stack: contextlib.ExitStack) -> None:
        path = self._socket(source, janitor)
        server = self._app_server = AppServer(
            self._application, path, processes=self.options.processes, janitor=janitor,
            say=self.terminal.complain, go_on=lambda: not self.stopping,
        )  # fmt: skip
        stack.callback(server.close)
        try:
            server.listen()
        except OSError as error:
            raise CannotRun(f"cannot listen on {path}: {error.strerror or error}") from None
        _hand_over(source, janitor.folder, path)
        self._watcher = Watcher(self._application.folder)
        if self.options.reload:
            folders = [self._application.folder, *(path for _, path in self._static)]
            self.watch_for_browsers(janitor.folder, folders, stack)

    def behind(self) -> None:
        server = self._app_server
        try:
            server.start()
        except NoAnswer:
            raise Stopped from None
        except DoesNotLoad as why:
            said = f"{self._application.spec} does not load in {server.kind}\n{why}"
            if not sys.stdin.isatty():
                raise CannotRun(said) from None
            # Somebody sits there and will mend it.
            self.terminal.complain(f"gateway run: {said}\ngateway run: waiting for a change")
            server.fail(str(why))

    def _socket(self, source: Source, janitor: Janitor) -> Path:
        """Where the application has to listen: the first uwsgi_pass, of ASGI proxy_pass, to a unix socket."""
        protocol = "proxy" if self._application.asgi else "uwsgi"
        for peer in start_block.peers(source):
            if peer.protocol == protocol and isinstance(peer.address, str):
                path = janitor.folder / peer.address
                break
        else:
            form = "proxy_pass http://unix:…" if self._application.asgi else "uwsgi_pass to a unix socket"
            raise CannotRun(f"{self.options.conf} has no {form} for the application to listen on")
        if path.parent != janitor.folder:
            with contextlib.suppress(NoAnswer):
                ask_connection(str(path), 1)
                raise CannotRun(f"{path}: something listens there already")
            path.unlink(missing_ok=True)
            janitor.remove(path)
        return path

    def look(self, server: Child) -> None:
        super().look(server)
        application = self._app_server
        if application.ended:
            text = f"{application.kind} {application.ended}"
            self.terminal.complain(f"gateway run: {text}; it starts again when the code changes")
            application.stop()
            application.fail(text)
        if changed := self._watcher.changed():
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            with contextlib.suppress(ValueError):
                changed[0] = changed[0].relative_to(self._application.folder)
            self._restart(f"{changed[0]}{more} changed, starting the application again")

    def again(self, server: Child) -> None:
        self._restart("starting the application again")

    def _restart(self, why: str) -> None:
        application = self._app_server
        self.terminal.say(why)
        begin = time.monotonic()
        application.stop()
        try:
            application.start()
        except NoAnswer:
            raise Stopped from None
        except DoesNotLoad as reason:
            self.terminal.complain(
                f"{reason}\ngateway run: {self._application.spec} does not load; waiting for a change"
            )
            application.fail(str(reason))
        else:
            self.terminal.say(f"the application is ready after {(time.monotonic() - begin) * 1e3:.0f} ms")
        self.tell_browsers([])


def _hand_over(source: Source, folder: Path, path: Path) -> None:
    """Workers that give up root for a user of the configuration have to reach the socket."""
    names = [s.args[0] for s in source.statements if s.name == "user" and s.args]
    if names and os.geteuid() == 0:
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(names[0]).pw_uid
            os.chown(folder, user, -1)
            os.chown(path, user, -1)
