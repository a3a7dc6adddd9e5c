"""A location's plan: the handlers and filters that this location uses, in the order in which they run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from gateway.config.directive import LIMIT_EXCEPT
from gateway.http import part as parts  # under way to its first import, where that comes by its types
from gateway.http.delay import wait_until
from gateway.http.module import OK, Contribution, Handler, HeadFilter, HttpModule, Phase, Result

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.part import Part
    from gateway.http.request import Request
    from gateway.http.servers import Server

_CHALLENGES: Final = (401, 407)
_REFUSALS: Final = (401, 403, 407)

LogHandler = Callable[["Request"], None]


class Plan:
    """`steps` run one after the other until one of them answers; the first, None, is Request.enter_location."""

    def __init__(
        self,
        steps: Iterable[Handler | None],
        head_filters: Iterable[HeadFilter],
        logs: Iterable[LogHandler],
    ) -> None:
        self.steps: tuple[Part | None, ...] = tuple([None if step is None else parts.part_of(step) for step in steps])
        self.head_filters: tuple[Part, ...] = tuple([parts.part_of(head_filter) for head_filter in head_filters])
        self.log: Part | None = parts.log_phase([parts.part_of(log) for log in logs])


def make_plan(location: Location, modules: Sequence[HttpModule], handler: str | None = None) -> Plan:
    """Ask every module for its part in this location; `handler`: the one that an earlier `if` has set."""
    contributed: list[tuple[HttpModule, Contribution]] = []
    for module in modules:
        if module.plan is not None:
            contributed.append((module, module.plan(location.confs.get(module), location)))
    by_phase: dict[Phase, list[Handler]] = {phase: [] for phase in Phase}
    contents: dict[str, Handler] = {}
    passes: list[Handler] = []
    filters: list[HeadFilter] = []
    for module, part in contributed:
        for phase, handlers in part.handlers.items():
            by_phase[phase].extend([handlers] if callable(handlers) else handlers)
        if part.content is not None:
            contents[module.name] = part.content
            if module.passes:
                passes.append(part.content)
        if part.head_filter is not None:
            filters.append(part.head_filter)
    content = _content(location, contents, passes, handler)
    # An `if` block's plan goes on where its location's rewrite phase switched to it.
    steps: list[Handler | None] = [] if location.nameless else [*by_phase[Phase.REWRITE]]
    if steps or location.nameless:
        steps.append(_post_rewrite)
    steps += by_phase[Phase.PREACCESS]
    steps += _delayed(_access(by_phase[Phase.ACCESS], location.core.satisfy_any), location.core.auth_delay)
    steps += by_phase[Phase.PRECONTENT]
    steps.insert(0, None)
    if content is not None:
        steps.append(content)
    # also behind a handler of its own: one that has nothing for this URI leaves it to files
    steps += by_phase[Phase.CONTENT]
    steps.append(_nothing_to_serve)
    logs: list[LogHandler] = by_phase[Phase.LOG]  # type: ignore[assignment]
    return Plan(steps, filters, logs)


def _content(
    location: Location, contents: dict[str, Handler], passes: Sequence[Handler], name: str | None
) -> Handler | None:
    """The one handler that nginx has: of the block's own last directive, else of what stands around an `if`."""
    around = location
    while name is None:
        name = own_handler(around)
        if not around.nameless or around.parent is None or around.scope.context == LIMIT_EXCEPT:
            break
        around = around.parent
    if name is not None:
        # The handler of another `if`, for which there is nothing in this one.
        return contents.get(name, _no_upstream)
    if around.scope.context == LIMIT_EXCEPT and passes:
        return passes[0]  # whichever stood last: each *_pass in turn looks whether there is one already
    return None


def own_handler(location: Location) -> str | None:
    """The module that answers in this block, of those that are mentioned in itself."""
    content = location.content
    if content is None:
        return None
    names: list[str] = [module.name for module, conf in location.confs.items() if conf is content]
    return names[0]


def _no_upstream(request: Request) -> Result:
    request.log("alert", b"no upstream configuration")
    return 500


def _post_rewrite(request: Request) -> Result:
    """nginx's post-rewrite phase: a changed URI is looked up again, ten times at most."""
    if not request.uri_changed:
        return None
    request.uri_changed = False
    if request.count_uri_change():
        return request.find_location()
    request.log("error", b'rewrite or internal redirection cycle while processing "%s"' % request.uri)
    return 500


def _nothing_to_serve(request: Request) -> Result:
    if request.uri.endswith(b"/"):
        request.log("error", b'directory index of "%s" is forbidden' % request.map_uri_to_path(request.uri))
        return 403
    request.log("error", b"no handler found")
    return 404


def _access(handlers: list[Handler], satisfy_any: bool) -> list[Handler]:
    """The access phase. A handler allows by OK, refuses by a status, has no opinion by None.

    `satisfy all`: none may refuse. `satisfy any`: the first that allows is enough; if all that have an opinion refuse,
    a challenge (401, 407) stands before 403.
    """
    if not handlers:
        return []
    if not satisfy_any:
        return [parts.MainOnly(handler) for handler in handlers]
    return [_satisfy_any(handlers)]


def _delayed(checks: list[Handler], delay_s: float) -> list[Handler]:
    """auth_delay: who guesses passwords has to wait for each answer."""
    if not delay_s:
        return checks

    def delayed(check: Handler) -> Handler:
        async def settle(request: Request, waiting: Awaitable[Result]) -> Result:
            result = await waiting
            return await refuse(request, result) if result in _CHALLENGES else result

        def refuse(request: Request, result: Result) -> Awaitable[Result]:
            request.log("info", b"delaying unauthorized request")
            return wait_until(request, request.connection.lane.now + delay_s, result)

        def checked(request: Request) -> Result | Awaitable[Result]:
            result = check(request)
            if result is None or isinstance(result, int):
                return refuse(request, result) if result in _CHALLENGES else result
            return settle(request, result)

        return checked

    return [delayed(check) for check in checks]


def _satisfy_any(handlers: list[Handler]) -> Handler:
    async def rest(request: Request, i: int, refused: int | None, pending: Awaitable[Result]) -> Result:
        result: Result | Awaitable[Result] = await pending
        while True:
            if result == OK:
                request.satisfied()
                return None
            if result is not None:
                if result not in _REFUSALS:
                    return result  # type: ignore[return-value]
                refused = refused if refused in _CHALLENGES else result
            if i == len(handlers):
                return _refused(request, refused)
            result = handlers[i](request)
            i += 1
            if result is not None and not isinstance(result, int):
                result = await result

    def check(request: Request) -> Result | Awaitable[Result]:
        if request.parent is not None:
            return None
        refused: int | None = None
        for i, handler in enumerate(handlers, 1):
            result = handler(request)
            if result is None:
                continue
            if not isinstance(result, int):
                return rest(request, i, refused, result)
            if result == OK:
                request.satisfied()
                return None
            if result not in _REFUSALS:
                return result
            refused = refused if refused in _CHALLENGES else result
        return _refused(request, refused)

    return check


def _refused(request: Request, status: int | None) -> int | None:
    """None of them has allowed it: what a rule forbids is said here, since each of them alone did not decide."""
    if status == 403:
        request.log("error", b"access forbidden by rule")
    return status


def server_handlers(server: Server, modules: Sequence[HttpModule]) -> tuple[tuple[Part, ...], ...]:
    """POST_READ and SERVER_REWRITE of a server, made on first use; empty where there is neither."""
    early: list[Handler] = []
    late: list[Handler] = []
    for module in modules:
        if module.plan is not None:
            part = module.plan(server.root.confs.get(module), server.root)
            handlers = part.handlers.get(Phase.POST_READ)
            if handlers is not None:
                early.extend([handlers] if callable(handlers) else handlers)
        if module.server_plan is not None:
            handler = module.server_plan(server.root.confs.get(module), server.root)
            if handler is not None:
                late.append(handler)
    return (tuple(map(parts.part_of, early)), tuple(map(parts.part_of, late))) if early or late else ()
