"""What a stream module declares: settings, directives, variables, and its part in a server's plan."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import Conf
from gateway.config.directive import Directive

if TYPE_CHECKING:
    from gateway.config.loader import Loader, Scope
    from gateway.core.variables import PrefixVariable, Variable
    from gateway.stream.servers import Server
    from gateway.stream.session import Session


class Phase(enum.IntEnum):
    """nginx's phases of a session, in the order in which they run."""

    POST_ACCEPT = 0
    PREACCESS = 1
    ACCESS = 2
    SSL = 3
    PREREAD = 4
    CONTENT = 5
    LOG = 6


OK: Final = 0  # this phase is satisfied, the next one's turn
# What a step of a relay came to, where it is no status.
FAILED: Final = -1  # a try that leads to the next one
WAIT: Final = -2  # something has to happen first
CONNECTED: Final = -3  # bytes may pass
DONE: Final = 1  # of a content: it goes on by itself, and ends the session

# nginx's statuses of a session, as $status shows them.
SUCCESS: Final = 200
BAD_REQUEST: Final = 400
FORBIDDEN: Final = 403
INTERNAL_ERROR: Final = 500
BAD_GATEWAY: Final = 502
UNAVAILABLE: Final = 503

# None: declined, the next handler's turn. An int of 200 and more ends the session with this status.
Result = int | None
Handler = Callable[["Session"], "Result | Awaitable[Result]"]
Content = Callable[["Session"], "int | Awaitable[int]"]


@dataclass(slots=True)
class Contribution:
    """What one module adds to one server's plan."""

    handlers: Mapping[Phase, Handler] = field(default_factory=dict)
    content: Content | None = None


NOTHING: Final = Contribution()


@dataclass(frozen=True, eq=False, slots=True)
class StreamModule:
    """One module; `plan` is asked once for each server, `prepare` once for each cycle."""

    name: str
    directives: tuple[Directive, ...] = ()
    main: type[Conf] | None = None
    server: type[Conf] | None = None
    variables: tuple[Variable | PrefixVariable, ...] = ()
    # (settings, server) -> Contribution; `settings` are the server's, already merged
    plan: Callable[[Any, Server], Contribution] | None = None
    # before the stream block is read: (stream scope, loader)
    preconfigure: Callable[[Scope, Loader], None] | None = None
    # when the block is read, before settings are merged: (stream scope, loader)
    settle: Callable[[Scope, Loader], None] | None = None
    # after all settings are merged: (stream scope, loader)
    prepare: Callable[[Scope, Loader], None] | None = None
