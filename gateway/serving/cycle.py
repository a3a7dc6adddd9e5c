"""What a block that serves clients is to the processes: its servers, its sockets, and what its modules hook in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gateway.config.parts import Part
from gateway.core.variables import Registry

if TYPE_CHECKING:
    from gateway._fast.stream import Stream
    from gateway.core.listening import ListenAddress
    from gateway.serving.listening import Listening
    from gateway.serving.worker import Spare, Worker


class BlockCycle:
    """One block of one loaded configuration; HttpCycle, StreamCycle and MailCycle add what is theirs."""

    name: str  # the block's

    def __init__(self, modules: Sequence[Any], prefix: str) -> None:
        self.modules = tuple(modules)
        self.prefix = prefix.encode("utf-8", "surrogateescape")
        self.variables = Registry()
        self.servers: list[Any] = []
        self.listenings: list[Any] = []
        self.listens_of: dict[Any, list[Any]] = {}  # `listen` directives by their socket, while they are read
        self.scope: Any = None  # the block's scope: modules find their main settings there
        self.upstreams: Any = None  # the table of the block's `upstream` blocks
        self.worker: Worker | None = None  # in a worker that serves this
        self.late: list[Exception] = []  # what is wrong of the text, but found when all of it was read
        self.on_worker_start: list[Callable[[Worker], None]] = []  # of modules: health checks, resolvers, flush timers
        self.on_worker_stop: list[Callable[[], None]] = []
        self.on_worker_death: list[Callable[[int], None]] = []  # in the master, with the dead worker's pid
        # Of modules: whether what a first request needs is there; a worker waits a moment for it before it accepts.
        self.ready: list[Callable[[], bool]] = []
        # Of modules: what they hold open and could do without when worker_connections run short.
        self.spares: list[Callable[[], Iterable[Spare]]] = []
        self.on_reopen: list[Callable[[], None]] = []
        # The workers' uid and groups, for who asks what they may read (explain) without being one of them.
        self.user: tuple[int, set[int]] | None = None

    @property
    def listens(self) -> list[ListenAddress]:
        return [listening.address for listening in self.listenings]

    def accept(self, worker: Worker, fd: int, peer: bytes, listening: Listening) -> None:
        """A client has connected to this socket; from here on the descriptor is the connection's."""
        raise NotImplementedError

    def take_over(
        self, worker: Worker, stream: Stream, data: bytes, peer: bytes, listening: Listening, passes: int
    ) -> None:
        """A connection of another socket goes on as one of this socket, with what was received and not used."""
        raise NotImplementedError

    def receive(self, worker: Worker, fd: int, listening: Listening, exclusive: bool) -> Any:
        """Take what comes to this socket of datagrams; what is given back can be closed."""
        raise NotImplementedError


BLOCKS: Part[dict[str, BlockCycle]] = Part("blocks", dict)  # those of the configuration, by their names
# Modules that a worker may need for its clients: they are imported before the fork.
LATE_IMPORTS: Part[set[str]] = Part("late imports", set)
# The file that the command line names, absolute; in a configuration of tests there may be none.
CONF_FILE: Part[str] = Part("file of the configuration", str)
# Whether some `*_bind … transparent` needs a right that workers have to keep.
TRANSPARENT: Part[bool] = Part("transparent", bool)
