"""A gateway command whose configuration serves one fixed answer: the process code without the http engine."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from dataclasses import dataclass, field
from typing import Any

from gateway.cli import serve
from gateway.config import parser
from gateway.config.errors import ConfigError
from gateway.config.units import parse_time_ms
from gateway.core.listening import ListenAddress
from gateway.core.logs import FileSink, Log, level_of
from gateway.core.open_files import OpenFiles
from gateway.process.options import Options


class TrivialLane:
    async def run(self) -> None:
        import trio

        await trio.sleep_forever()


class Connections:
    """Answers every request line with the text of `answer`; `slow` in it answers after a second."""

    def __init__(self, answer: str, nursery: Any, listeners: Any) -> None:
        import trio

        self.answer = answer
        self.nursery = nursery
        self.idle: set[Any] = set()
        self.streams: set[Any] = set()
        self.accepting: list[Any] = []
        self.closing = False
        for listener in listeners:
            scope = trio.CancelScope()
            self.accepting.append(scope)
            nursery.start_soon(self.accept, trio.socket.from_stdlib_socket(listener.socket.dup()), scope)

    @property
    def active(self) -> int:
        return len(self.streams)

    async def accept(self, server: Any, scope: Any) -> None:

        with server, scope:
            while True:
                try:
                    peer, _ = await server.accept()
                except OSError:
                    continue
                self.streams.add(peer)
                self.nursery.start_soon(self.talk, peer)

    async def talk(self, peer: Any) -> None:
        try:
            first = True  # a client that has just connected is owed an answer
            while first or not self.closing:
                if not first:
                    self.idle.add(peer)
                first = False
                data = await peer.recv(4096)
                self.idle.discard(peer)
                if not data:
                    return
                if b"slow" in data:
                    import trio

                    await trio.sleep(1)
                body = self.answer.encode()
                if b"GET /env" in data:
                    body = " ".join(sorted(f"{name}={value}" for name, value in os.environ.items())).encode()
                await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        except OSError:
            pass
        finally:
            self.idle.discard(peer)
            self.streams.discard(peer)
            peer.close()

    def close_listeners(self) -> None:
        for scope in self.accepting:
            scope.cancel()

    def close_idle(self) -> None:
        self.closing = True
        for peer in self.idle:
            peer.shutdown(socket.SHUT_RDWR)

    def abort(self) -> None:
        for peer in self.streams:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)


@dataclass
class Core:
    daemon: bool = True
    master_process: bool = True
    pid: str = ""
    worker_processes: int = 1
    user: int | None = None
    group: int | None = None
    username: str = ""
    env: list[str] = field(default_factory=list)
    worker_rlimit_nofile: int | None = None
    worker_rlimit_core: int | None = None
    worker_priority: int = 0
    worker_shutdown_timeout: float = 0.0
    working_directory: str | None = None

    def cpu_affinity(self, worker: int) -> set[int] | None:
        return None


class Trivial:
    def __init__(self, options: Options, log: Log) -> None:
        self.core = Core(pid=options.default_pid)
        self.files = OpenFiles()
        self.log = Log()
        self.uses_stderr = False
        self.listens: list[ListenAddress] = []
        self.paths: list[Any] = []
        self.answer = "hello"
        source = parser.load(options.conf_file, globals_text=options.globals_text)
        for statement in source.statements:
            self.set(statement.name, statement.args, statement.where, options)
        if source.error is not None:
            raise source.error
        self._dump = source.dump()

    def set(self, name: str, args: list[str], where: Any, options: Options) -> None:
        core = self.core
        if name == "error_log":
            self.log.add(FileSink(self.files.add(options.full_name(args[0])), level_of(args[1:])))
        elif name == "listen":
            options_of = dict(word.partition("=")[::2] for word in args[1:])
            if args[0].startswith("unix:"):
                address = ListenAddress(socket.AF_UNIX, args[0][5:], args[0])
            else:
                host, _, port = args[0].rpartition(":")
                address = ListenAddress(socket.AF_INET, (host, int(port)), args[0])
            address.reuseport = "reuseport" in options_of
            address.backlog = int(options_of.get("backlog", "511"))
            self.listens.append(address)
        elif name in ("daemon", "master_process"):
            setattr(core, name, args[0] == "on")
        elif name == "worker_processes":
            core.worker_processes = int(args[0])
        elif name == "worker_shutdown_timeout":
            core.worker_shutdown_timeout = parse_time_ms(args[0]) / 1000
        elif name == "pid":
            core.pid = options.full_name(args[0])
        elif name == "env":
            core.env.append(args[0])
        elif name == "answer":
            self.answer = args[0]
        else:
            raise ConfigError(f'unknown directive "{name}"', where)

    active = 0  # not counted here

    def dump(self) -> bytes:
        return self._dump

    def share(self, old: Any) -> None:
        pass

    def reopen(self, user: int | None) -> None:
        self.files.reopen(user, self.log.emerg)

    def preload(self) -> None:
        pass

    def buried(self, pid: int, respawn: bool) -> None:
        pass

    def lane(self) -> Any:
        return TrivialLane()

    def serve(self, worker: int, lane: Any, nursery: Any, listeners: Any) -> Connections:
        if "TRIVIAL_CRASH" in os.environ:
            raise RuntimeError("crash as asked")
        return Connections(self.answer.replace("$pid", str(os.getpid())), nursery, listeners)


if __name__ == "__main__":
    raise SystemExit(serve(sys.argv, Trivial))
