"""A server in the foreground until Ctrl-C: the private folder, the process, the keys, and the loop."""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import shlex
import signal
import socket
import sys
import time
import webbrowser
from pathlib import Path
from typing import Final

import gateway
from gateway.config.parser import Source, load
from gateway.dev import browser_reload, start_block
from gateway.dev.child import Child
from gateway.dev.failure_page import ENVIRONMENT
from gateway.dev.janitor import Janitor
from gateway.dev.keys import Keys
from gateway.dev.probe import NoAnswer, ask_connection
from gateway.dev.run_conf import Place
from gateway.dev.terminal import Terminal
from gateway.dev.watcher import Watcher

_PORT: Final = 8080
_TLS_PORT: Final = 8443
_PRIVILEGED: Final = 1024
# How far a free port is looked for.
_FURTHER: Final = 20

KEYS: Final = (
    "keys: r start again, o open in the browser, i where it listens, l what went wrong last, c clear, ? this, q quit"
)


class Stopped(Exception):
    """Somebody wants it to end while it starts."""


class CannotRun(Exception):
    """The reason, for the user."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What all verbs that serve in the foreground take."""
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDR", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, metavar="N", help=f"({_PORT}; with --https {_TLS_PORT}; the next free one)")
    parser.add_argument("--strict-port", action="store_true", help="do not look for another port when it is taken")
    parser.add_argument("--https", action="store_true", help="HTTPS with a certificate of your own local authority")
    parser.add_argument("--reload", action="store_true", help="browsers load changed pages again")
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument("--print-conf", action="store_true", help="print the configuration and end")
    parser.add_argument("--json", action="store_true", help="the start block as one line of JSON")
    parser.add_argument("--server", metavar="COMMAND", help="what serves instead of gateway, for example nginx")
    parser.add_argument("--while-parent", action="store_true", help="end when the process that started this one ends")


def place(options: argparse.Namespace, *, take: bool = True) -> Place:
    """Where to listen; `take`: a port that is free now. Errors: CannotRun."""
    port = _wanted(options)
    if take:
        port = free_port(options.host, port, strict=options.strict_port)
    names = "localhost" if options.host in ("127.0.0.1", "::1", "localhost") else "_"
    return Place(options.host, port, names, _certificate(options.host) if options.https else None)


def _wanted(options: argparse.Namespace) -> int:
    if options.port is not None:
        port: int = options.port
        return port
    return _TLS_PORT if options.https else _PORT


def elsewhere(options: argparse.Namespace, address: str) -> str:
    """That it listens on another port than the one that was meant, in a line; nothing where it does not."""
    wanted, found = _wanted(options), address.rpartition(":")[2]
    return "" if found == str(wanted) or not wanted else f"port {wanted} is taken by somebody else: this is {found}\n"


def _certificate(host: str) -> tuple[Path, Path]:
    from gateway.dev.authority import Authority, NoAuthority

    try:
        hosts = ["localhost", "127.0.0.1", "::1"]
        return Authority.of_user().certificate(hosts if host in hosts or host in ("0.0.0.0", "::") else [host, *hosts])
    except NoAuthority as why:
        raise CannotRun(str(why)) from None


def unbelieved(options: argparse.Namespace) -> str:
    """What a browser's first page with --https needs to be told, in a line; nothing where that is done."""
    if not options.https:
        return ""
    from gateway.dev.authority import Authority

    authority = Authority.of_user()
    return "" if authority.believed else f"browsers warn until: gateway trust  (curl --cacert {authority.file})\n"


def free_port(host: str, port: int, *, strict: bool = False) -> int:
    """This port, or the next one that nobody listens on. Errors: CannotRun."""
    for candidate in range(port, port + (1 if strict else _FURTHER)):
        try:
            return _try_port(host, candidate)
        except OSError as error:
            taken = error.strerror
    raise CannotRun(f"port {port}: {taken}; try --port {port + 1}")


def _try_port(host: str, port: int) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((host, port))
        except PermissionError:
            raise CannotRun(
                f"port {port} needs root (ports below {_PRIVILEGED} do); try --port {port + 8000}"
            ) from None
        except OverflowError:
            raise CannotRun(f"{port} is no port") from None
        except socket.gaierror as error:
            raise CannotRun(f"--host {host}: {error.strerror}") from None
        found: int = s.getsockname()[1]
        return found


class Foreground:
    """One server with one configuration; `gateway run` puts an application behind it."""

    def __init__(self, options: argparse.Namespace, terminal: Terminal, *, conf: Path | None = None) -> None:
        self.options = options
        self.terminal = terminal
        self.conf = conf  # the user's own; None: text() is served
        self.title = ""
        self.stop_words = "Ctrl-C stops it"
        self._parent = os.getppid()
        self._stop = False
        self._again = False  # the key r
        self._browsers: browser_reload.Browsers | None = None
        self._page_watchers: list[Watcher] = []
        self._begin = time.monotonic()

    # -- what a verb says of itself; text() is abstract, each verb has its own

    def text(self, folder: Path) -> str:
        """The configuration, when it is not the user's own; `folder` is private, and gone at the end."""
        raise NotImplementedError  # abstract: each verb has its own

    def before(self, source: Source, janitor: Janitor, stack: contextlib.ExitStack) -> None:
        """Something that has to be there when the server starts."""

    def behind(self) -> None:
        """Something that starts while the server does."""

    def look(self, server: Child) -> None:
        """Once a second."""
        changed = [file for each in self._page_watchers for file in each.changed()]
        if changed:
            self.tell_browsers(changed)

    def watch_for_browsers(self, folder: Path, watched: list[Path], stack: contextlib.ExitStack) -> None:
        """--reload: who has a page open hears of changes below these folders."""
        self._browsers = browsers = browser_reload.Browsers(folder)
        stack.callback(browsers.close)
        outer = [each for each in watched if not any(other != each and other in each.parents for other in watched)]
        self._page_watchers = [Watcher(each, suffixes=browser_reload.SUFFIXES) for each in dict.fromkeys(outer)]

    def tell_browsers(self, changed: list[Path]) -> None:
        """Pages are to be loaded again; without files it is the application that is another one."""
        if self._browsers is None:
            return
        open_ones = self._browsers.changed(changed)
        if changed and open_ones:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            self.terminal.say(f"{changed[0].name}{more} changed, browsers load it again")

    def again(self, server: Child) -> None:
        """The key r."""
        server.send(signal.SIGHUP)
        self.terminal.say("the configuration is read again")

    # -- the run

    def main(self) -> int:
        """Serve until a signal says stop; whatever happens, clean up."""
        try:
            janitor = Janitor()
        except OSError as error:
            raise CannotRun(f"{error.strerror}; TMPDIR names a folder that can be written to") from None
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

    @property
    def stopping(self) -> bool:
        return self._stop

    def _run(self, janitor: Janitor, stack: contextlib.ExitStack) -> int:
        file, source = self._configuration(janitor.folder)
        self.before(source, janitor, stack)
        server = self._server(file, source, janitor)
        stack.callback(server.stop)
        self.behind()
        self._await_server(source, server)
        keys = stack.enter_context(Keys(self.terminal))
        self._keys = keys

        def block() -> str:
            if self.options.json:
                return start_block.as_json(
                    source, title=self.title, ready_ms=ready_ms, file=str(file), folder=janitor.folder
                )
            return start_block.start_block(
                source,
                title=self.title,
                ready_ms=ready_ms,
                file=str(file),
                folder=janitor.folder,
                stop=("" if self.conf else elsewhere(self.options, address) + unbelieved(self.options))
                + self.stop_words
                + ("; ? lists the keys" if keys.active else ""),
                style=self.terminal.style,
                unicode=self.terminal.unicode,
            )

        ready_ms = (time.monotonic() - self._begin) * 1e3
        self._block = block
        first = next(iter(start_block.listens(source)), None)
        address, self._url = (first.address, start_block.url(first)) if first is not None else ("", "")
        self.terminal.say(block())
        if self.options.open:
            self._open()
        return self._look_after(server)

    def _configuration(self, folder: Path) -> tuple[Path, Source]:
        """The file to serve, and what is in it; made in the private folder unless it is the user's own."""
        if self.conf is None:
            file = folder / "nginx.conf"
            file.write_text(self.text(folder))
        else:
            file = self.conf.resolve()
            if not file.is_file():
                raise CannotRun(f"there is no file {file}")
            # The private folder is the server's prefix, so that what it writes stays out of the user's folder; what
            # stands beside the configuration is found there under the same names.
            for beside in file.parent.iterdir():
                (folder / beside.name).symlink_to(beside)
        source = load(str(file))
        if source.error is not None and self.conf is None:
            raise CannotRun(str(source.error))
        return file, source

    def _server(self, file: Path, source: Source, janitor: Janitor) -> Child:
        given = {s.name for s in source.statements}
        words = {"daemon": "off", "pid": f"{janitor.folder}/server.pid"}
        if os.geteuid() == 0:
            words["user"] = "root"  # the private folder is for nobody else
        extra = " ".join(f"{name} {word};" for name, word in words.items() if name not in given)
        command = [sys.executable, "-P", "-m", "gateway"]
        environment = {ENVIRONMENT: str(janitor.folder)}  # causes stand on the pages, for this machine
        if self.options.server:
            command = shlex.split(self.options.server)
        else:
            root = Path(gateway.__file__).parent.parent
            if root.name != "site-packages":  # from a checkout
                environment["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
        return Child(
            [*command, "-p", f"{janitor.folder}/", "-c", str(file), "-e", "stderr", "-g", extra],
            folder=janitor.folder,
            janitor=janitor,
            line=self.terminal.server_line,
            environment=environment,
        )

    def _await_server(self, source: Source, server: Child) -> None:
        addresses = [reachable(listen.address) for listen in start_block.listens(source)]
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

    def _pause(self, seconds: float) -> None:
        """Sleep; a signal ends the sleep and everything, a key the sleep."""
        keys = getattr(self, "_keys", None)
        watched = [self._wakeup, *(keys.watched if keys is not None else [])]
        ready = [] if self._stop else select.select(watched, [], [], seconds)[0]
        if self._wakeup in ready:
            os.read(self._wakeup, 512)
        elif ready and keys is not None:
            self._key(keys.read())
        if self._stop or (self.options.while_parent and os.getppid() != self._parent):
            raise Stopped

    def _key(self, key: str) -> None:
        if key == "q":
            raise Stopped
        if key == "r":
            self._again = True
        elif key == "o":
            self._open()
        elif key == "i":
            self.terminal.say(self._block())
        elif key == "l":
            self.terminal.say(self.terminal.last_complaint or "nothing has gone wrong so far")
        elif key == "c":
            self.terminal.clear()
        elif key in ("?", "h"):
            self.terminal.say(KEYS)

    def _open(self) -> None:
        if self._url and not webbrowser.open(self._url):
            self.terminal.say(f"no browser was found; it is {self._url}")

    def _look_after(self, server: Child) -> int:
        files = (self.conf.resolve(),) if self.conf is not None else ()
        watcher = Watcher(files[0].parent, files, suffixes=()) if files else None
        while True:
            self._pause(1.0)
            if not server.running:
                server.finished()
                raise CannotRun(f"the server {server.ending}")
            for file in watcher.changed() if watcher is not None else ():
                self.terminal.say(f"{file.name} changed, reloading it")
                server.send(signal.SIGHUP)
            if self._again:
                self._again = False
                self.again(server)
            self.look(server)

    def server_name(self) -> str:
        return shlex.split(self.options.server)[0] if self.options.server else f"gateway {gateway.__version__}"


def reachable(address: str) -> str | tuple[str, int] | None:
    """Where a listening address can be connected to from here."""
    if address.startswith("unix:"):
        return address[5:]
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return None
    return {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]")), int(port)
