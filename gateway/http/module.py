"""What an HTTP module declares: settings, directives, variables, and its part in a location's plan."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from gateway.config.conf import Conf
from gateway.config.directive import Directive

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.core.pieces import Piece
    from gateway.core.variables import PrefixVariable, Variable
    from gateway.http.locations import Location
    from gateway.http.request import Request


class Phase(enum.IntEnum):
    """nginx's phases, in the order in which they run; FIND_CONFIG and the post phases are the engine's own."""

    POST_READ = 0
    SERVER_REWRITE = 1
    REWRITE = 2
    PREACCESS = 3
    ACCESS = 4
    PRECONTENT = 5
    CONTENT = 6
    LOG = 7


OK: Final = 0  # the phase is satisfied (access), or the response is complete (content)
RESTART: Final = -1  # an internal redirect took place: the request has a new plan
ERROR: Final = -2  # the response cannot go on: the connection ends, and the log has the status as far as there is one
DONE: Final = -4  # the request's end is in other hands (upgraded, or finished already)


class FilterFinalize(Exception):
    """Raised by a head filter: the request ends with this status instead (304's relatives 412 and 416).

    `keeps`: what the response has so far goes on with whatever answers then, as nginx does it with a 416's fields.
    """

    def __init__(self, status: int, *, keeps: bool = False) -> None:
        super().__init__(status)
        self.status = status
        self.keeps = keeps


Status = int  # a status to finish with, or one of the three above; C's long where a file is compiled
Count = int  # C's long long where a file is compiled
Result = int | None
# None: declined, the next handler's turn. An int of 200 and more: finish with this status.
Handler = Callable[["Request"], "Result | Awaitable[Result]"]


class BodyFilter(Protocol):
    """What a head filter returns where something is to be done with the response's body.

    A filter is given files in parts of `output_buffers`, as the output has room for what it makes of them (feed.py).
    """

    __slots__ = ()
    first: bool = False  # before all others, whose offsets are not those of the unchanged body any more
    passes_files: bool = False  # it does not read what goes by
    room: int = 0  # the size of its own buffers in all, where it has some

    def __call__(self, pieces: list[Piece], last: bool, flush: bool) -> list[Piece] | None:
        """What goes on of it; runs synchronously, keeps what it must in itself.

        None: it has to wait before anything more may pass, `last` included, and goes on with Request.pass_on().
        """


HeadFilter = Callable[["Request"], "BodyFilter | None"]


@dataclass(slots=True)
class Contribution:
    """What one module adds to one location's plan."""

    handlers: Mapping[Phase, Handler | Sequence[Handler]] = field(default_factory=dict)
    content: Handler | None = None  # takes the location over: no other content handler is asked
    head_filter: HeadFilter | None = None


NOTHING: Final = Contribution()


@dataclass(frozen=True, eq=False, slots=True)
class HttpModule:
    """One module; `plan` is asked once for each location when its plan is made, `prepare` once for each cycle."""

    name: str
    directives: tuple[Directive, ...] = ()
    main: type[Conf] | None = None
    server: type[Conf] | None = None
    location: type[Conf] | None = None
    variables: tuple[Variable | PrefixVariable, ...] = ()
    # (settings, location) -> Contribution; `settings` are the location's, already merged
    plan: Callable[[Any, Location], Contribution] | None = None
    # a *_pass: a limit_except that says nothing itself has it of the location around it
    passes: bool = False
    # the server's own rewrite phase: (settings, server's location) -> handler
    server_plan: Callable[[Any, Location], Handler | None] | None = None
    # before the http block is read: (http scope, loader); for what directives of other modules need to find
    preconfigure: Callable[[Scope, Loader], None] | None = None
    # when the block is read, before settings are merged: (http scope, loader); for defaults that need the prefix
    settle: Callable[[Scope, Loader], None] | None = None
    # after all settings are merged: (http scope, loader); for zones, upstreams, checks across blocks
    prepare: Callable[[Scope, Loader], None] | None = None
