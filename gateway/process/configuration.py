"""What the processes need of a loaded configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gateway.core.listening import ListenAddress, Listener
from gateway.core.logs import Log
from gateway.core.open_files import OpenFiles
from gateway.core.temp_files import TempPath
from gateway.process.options import Options


class CoreSettings(Protocol):
    """The directives of the main context; gateway.modules.core has them."""

    daemon: bool
    master_process: bool
    pid: str
    worker_processes: int
    user: int | None  # None: keep who we are
    group: int | None
    username: str
    env: Sequence[str]  # NAME or NAME=value
    worker_rlimit_nofile: int | None
    worker_rlimit_core: int | None
    worker_priority: int
    worker_shutdown_timeout: float  # seconds, 0 for none
    working_directory: str | None

    def cpu_affinity(self, worker: int) -> set[int] | None: ...


class Serving(Protocol):
    """What runs in a worker: connections on the worker's listening sockets."""

    @property
    def active(self) -> int:
        """Connections that are open, idle ones too."""

    def close_listeners(self) -> None:
        """Accept no more; the sockets themselves are closed by the caller."""

    def close_idle(self) -> None:
        """Close connections between two requests, and let the others end with their request."""

    def abort(self) -> None:
        """Close what is left; worker_shutdown_timeout is over."""


class Configuration(Protocol):
    """A loaded configuration."""

    core: Any  # CoreSettings
    log: Log  # main error_log; empty when there is none
    files: OpenFiles

    @property
    def uses_stderr(self) -> bool:
        """Whether some error_log goes to stderr, which then must stay what it is."""

    @property
    def active(self) -> int:
        """Connections that are open in all workers."""

    @property
    def listens(self) -> Sequence[ListenAddress]:
        """What to listen on."""

    @property
    def paths(self) -> Sequence[TempPath]:
        """Folders to make, owned by the workers' user."""

    def dump(self) -> bytes:
        """All files as -T prints them."""

    def share(self, old: Any) -> None:
        """Map shared zones; those that are equal in the old configuration are taken over."""

    def reopen(self, user: int | None) -> None:
        """Open the log files anew; the master gives them to the workers' user."""

    def preload(self) -> None:
        """Import, before the fork, what this configuration's workers need and the master does not."""

    def buried(self, pid: int, respawn: bool) -> None:
        """Told to the master's copy when a worker has died, and whether another one takes its place."""

    def lane(self) -> Any:
        """The lane of a worker, made inside Trio."""

    def serve(self, worker: int, lane: Any, nursery: Any, listeners: Sequence[Listener]) -> Serving:
        """Begin to accept; called in the worker, inside Trio."""


class Load(Protocol):
    """Reading a configuration; ConfigError when it is refused. Warnings go to the log."""

    def __call__(self, options: Options, log: Log) -> Configuration: ...
