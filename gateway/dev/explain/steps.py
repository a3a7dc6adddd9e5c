"""The modules of a configuration as they are, but telling what they do: each plan is made of these."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway.config.directive import LIF
from gateway.core.temp_files import TempPath
from gateway.dev.explain import accel, script
from gateway.dev.explain.access import TELLERS
from gateway.dev.explain.filters import state_of, tell_filter
from gateway.dev.explain.findings import Findings, show
from gateway.dev.explain.places import name_of, tried
from gateway.dev.explain.script import sub
from gateway.http.locations import LocationTable
from gateway.http.module import NOTHING, Contribution, FilterFinalize, Handler, HeadFilter, HttpModule, Phase, Result

if TYPE_CHECKING:
    from gateway.dev.explain.witness import Witness
    from gateway.http.cycle import HttpCycle
    from gateway.http.locations import Location
    from gateway.http.request import Request

# Whose content handler asks an upstream, with the directive that says which.
PASSES: Final = {
    "proxy": "proxy_pass",
    "uwsgi": "uwsgi_pass",
    "fastcgi": "fastcgi_pass",
    "scgi": "scgi_pass",
    "memcached": "memcached_pass",
    "grpc": "grpc_pass",
    "tunnel": "tunnel_pass",
}
# Of these, whose answers may have X-Accel-* fields.
SPEAK_ACCEL: Final = frozenset({"proxy", "uwsgi", "fastcgi", "scgi", "grpc"})
# Others whose directive has another name than the module.
_CONTENTS: Final = {**PASSES, "py": "py_content"}
# Modules that change something when they run: for these it is told what they would do.
_CHANGES: Final = frozenset({"dav", "post_action", "py"})


def keep_apart(settings: Any, folder: str) -> None:
    """What the witness answers must not get into the server's cache or store, nor come from one.

    Caches are empty ones below `folder`: `$upstream_cache_status` is what the first request for a page would see.
    """
    if hasattr(settings, "temp_path"):
        settings.temp_path = TempPath(folder)
    use = getattr(settings, "cache", None)
    if use is not None:
        for cache in use.caches:
            cache.path = TempPath(f"{folder}/cache{id(cache)}")
            os.makedirs(cache.path.name, 0o700, exist_ok=True)  # use_temp_path=off writes into it at once
        settings.cache_purge = ()  # a question purges nothing
    if getattr(settings, "hot", None) is not None:
        settings.hot.stores = False


class Told:
    """One module in the place of itself: what is kept by the module is found under this one too."""

    def __init__(self, module: HttpModule, teller: Teller) -> None:
        self.module = module
        self.teller = teller
        self.plan = self._plan if module.plan is not None else None
        self.server_plan = self._server_plan if module.server_plan is not None else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)  # whatever else plans ask of a module

    def __hash__(self) -> int:
        return hash(self.module)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self.module

    def _plan(self, settings: Any, location: Location) -> Contribution:
        assert self.module.plan is not None
        if self.name == "rewrite":
            self.teller.tell_script(settings, location)
        if self.name in PASSES:
            keep_apart(settings, self.teller.folder)
            if self.teller.cut and getattr(settings, "hot", None) is not None:
                settings.hot.request_buffering = False  # the head that is sent is the same
        if self.name == "mirror" and self.teller.cut:
            settings.request_body = False
        part = self.module.plan(settings, location)
        if part is NOTHING and self.name != "log":
            return part
        return self.teller.told(self.name, part, settings, location)

    def _server_plan(self, settings: Any, location: Location) -> Handler | None:
        assert self.module.server_plan is not None
        if self.name == "rewrite":
            self.teller.tell_script(settings, location)
        return self.module.server_plan(settings, location)


class Teller:
    """Wraps what modules contribute, and finds words for it."""

    def __init__(
        self,
        findings: Findings,
        witness: Witness,
        ended: Callable[[Request], None],
        folder: str,
        *,
        cut: bool,
        answer: accel.Fields = (),
    ) -> None:
        self.findings = findings
        self.witness = witness
        self.ended = ended
        self.folder = folder  # for what a server would keep in files
        self.cut = cut  # not all of the body comes: nobody may wait for its end
        self.answer = answer  # what the application answers with
        self.given: accel.Given | None = None  # once it was given
        self.marks: dict[int, Location] = {}  # what was told last, by the request's id
        self._scripts: set[int] = set()

    def install(self, cycle: HttpCycle) -> None:
        """Make this cycle's plans of modules that tell."""
        for server in cycle.servers:
            server.locations = _Choice(server.locations, self)
        modules: list[Any] = [_Marks(self), *(Told(module, self) for module in cycle.modules)]
        cycle.modules = tuple(modules)

    def tell_script(self, settings: Any, location: Location) -> None:
        if settings.steps and id(settings.steps) not in self._scripts:
            settings.steps = script.told(list(settings.steps), location.scope.statements, self.findings)
            self._scripts.add(id(settings.steps))

    def told(self, name: str, part: Contribution, settings: Any, location: Location) -> Contribution:
        handlers: dict[Phase, list[Handler]] = {}
        for phase, given in part.handlers.items():
            each: Sequence[Handler] = [given] if callable(given) else given
            if phase is Phase.LOG:
                continue  # nothing is written; the logs are told below
            if name == "rewrite":
                handlers[phase] = list(each)
            else:
                handlers[phase] = [self._handler(name, handler, settings) for handler in each]
        if name == "log":
            handlers[Phase.LOG] = [self._log(settings)]
        content = part.content
        if content is not None:
            content = self._content(name, content, settings)
        head_filter = part.head_filter
        if head_filter is not None:
            head_filter = self._filter(name, head_filter, settings)
        return dataclasses.replace(part, handlers=handlers, content=content, head_filter=head_filter)

    def entered(self, request: Request) -> None:
        """A location was chosen, or the block of an `if` or a `limit_except` in it was entered."""
        location = request.location
        before = self.marks.get(id(request))
        outer = location.parent
        inside = location.nameless and (before is None or before.parent is not outer)
        if inside and outer is not None and not outer.nameless and outer is not before:
            self._tell_entered(request, outer)  # a limit_except is entered before any phase of its location
        self.marks[id(request)] = location
        self._tell_entered(request, location)

    def refused(self, request: Request, location: Location) -> None:
        """A location was chosen, and the request is answered before any phase of it."""
        self.marks[id(request)] = location
        self._tell_entered(request, location)

    def _tell_entered(self, request: Request, location: Location) -> None:
        self.answered(request)
        details: list[str] = []
        if location.nameless:
            text = "the block of this if" if location.scope.context is LIF else "limit_except: its settings hold"
        elif location is location.server.root:
            text = "no location matches: the server's own settings hold"
            details = tried(request.server.locations, request.uri)
        elif location.named:
            text = name_of(location)
        else:
            text = f'{name_of(location)}, for "{show(request.uri)}"'
            details = tried(request.server.locations, request.uri)
        data: dict[str, Any] = {}
        if location.internal and not request.internal:
            text += ": internal, so 404 for a request from outside"
            data["refused"] = "internal"
        elif too_large(request, location):
            text += f": a body of {request.body_length()} bytes is above client_max_body_size, so 413"
        kind = "block" if location.nameless else "location"
        where = location.scope.where()
        self.findings.tell(kind, text, where, details, sub(request), location=name_of(location), **data)

    # -- what is wrapped -----------------------------------------------------------------------------------------

    def _handler(self, name: str, handler: Handler, settings: Any) -> Handler:
        tell = TELLERS.get(name)

        def run(request: Request) -> Result | Awaitable[Result]:
            before = tell.before(request, settings, self.findings) if tell is not None else None
            try:
                result = handler(request)
            except FilterFinalize as instead:  # a filter answers in its place
                self._after(name, request, settings, before, instead.status)
                raise
            if result is None or isinstance(result, int):
                self._after(name, request, settings, before, result)
                return result
            return self._wait(name, request, settings, before, result)

        return run

    async def _wait(
        self, name: str, request: Request, settings: Any, before: Any, pending: Awaitable[Result]
    ) -> Result:
        result = await pending
        self._after(name, request, settings, before, result)
        return result

    def _after(self, name: str, request: Request, settings: Any, before: Any, result: Result) -> None:
        tell = TELLERS.get(name)
        if tell is not None:
            tell.after(request, settings, before, result, self.findings)

    def _content(self, name: str, content: Handler, settings: Any) -> Handler:
        directive = _CONTENTS.get(name, name)

        def run(request: Request) -> Result | Awaitable[Result]:
            statement = request.location.scope.set_by(directive)
            words = " ".join([directive, *(statement.args if statement is not None else [])])
            where = statement.where if statement is not None else None
            if name in _CHANGES and request.method not in (b"GET", b"HEAD", b"OPTIONS"):
                self.findings.tell("content", f"{words} would carry out {show(request.method)}", where)
                return 204
            self.findings.tell("content", words, where, subrequest=sub(request))
            if name in PASSES:
                self.witness.expected.add(name)
                self._tell_cache(request, name)
                if request.parent is None and name in SPEAK_ACCEL:
                    self._give_answer(name, settings, request)
            return content(request)

        return run

    def _give_answer(self, name: str, settings: Any, request: Request) -> None:
        """The main request's upstream: its first answer has the fields that the question gives it."""
        answer, self.answer = self.answer, ()
        if answer:
            self.witness.answer.extend(answer)
            self.given = accel.Given(request.location, name, settings, answer)
        elif not request.internal:
            accel.tell_where_to(request, self.findings)

    def answered(self, request: Request) -> None:
        """What has become of that answer can be seen: another location is entered, or the request ends."""
        given = self.given
        if given is not None and request.parent is None:
            self.given = None
            accel.tell_answer(request, given, self.findings)

    def _tell_cache(self, request: Request, name: str) -> None:
        statement = request.location.scope.set_by(f"{name}_cache")
        if statement is not None and statement.args != ["off"]:
            text = f"zone {statement.args[0]}: what it holds is not looked at here, it is taken for empty"
            self.findings.tell("cache", text, statement.where, subrequest=sub(request))

    def _filter(self, name: str, head_filter: HeadFilter, settings: Any) -> HeadFilter:
        def run(request: Request) -> Any:
            before = state_of(request)
            body_filter = head_filter(request)
            if request.parent is None:
                tell_filter(name, request, settings, before, body_filter is not None, self.findings)
            return body_filter

        return run

    def _log(self, settings: Any) -> Handler:
        def run(request: Request) -> Result:
            self._tell_logs(request, settings)
            return None

        return run

    def _tell_logs(self, request: Request, settings: Any) -> None:
        if request.parent is not None:
            return
        statement = request.location.scope.set_by("access_log")
        where = statement.where if statement is not None else None
        for log in settings.logs or ():
            path = show(log.path(request)) if log.path is not None else _destination(log.writer)
            if log.condition is not None and not log.condition(request):
                self.findings.tell("log", f"no line in {path}: its condition is not met", where)
                continue
            self.findings.tell("log", f"a line in {path}, format {log.format.name}", where)
        if not settings.logs:
            self.findings.tell("log", "no access log", where)


def _destination(writer: Any) -> str:
    file = getattr(writer, "file", None)
    name = getattr(file, "name", None)
    return os.fspath(name) if name else type(writer).__name__


def too_large(request: Request, location: Location) -> bool:
    """Whether the body is above the limit of a location that the URI leads to."""
    limit = location.core.client_max_body_size
    chosen = not location.named and not location.nameless
    return chosen and 0 < limit < request.body_length() and not request.discarding


class _Choice(LocationTable):
    """A server's table of locations, which tells of one that is refused at once: an error_page may lead elsewhere."""

    def __init__(self, table: LocationTable, teller: Teller) -> None:
        LocationTable.__init__(self)
        self.teller = teller
        for name in ("exact", "prefixes", "lengths", "regexes", "named", "used", "final"):
            setattr(self, name, getattr(table, name))

    def find(self, request: Request, uri: bytes) -> Location | None:
        found = LocationTable.find(self, request, uri)
        location = found if found is not None else request.server.root
        if (location.internal and not request.internal) or too_large(request, location):
            self.teller.refused(request, location)
        return found


class _Marks:
    """A module of explain's own, before all others: it sees each location that is entered, and the end."""

    name = "explain"
    passes = False

    def __init__(self, teller: Teller) -> None:
        self.teller = teller
        self.server_plan = None

    def plan(self, settings: Any, location: Location) -> Contribution:
        return Contribution(
            handlers={Phase.REWRITE: self._chosen, Phase.PREACCESS: self._go_on, Phase.LOG: self._ended}
        )

    def _chosen(self, request: Request) -> Result:
        self.teller.entered(request)
        return None

    def _go_on(self, request: Request) -> Result:
        if self.teller.marks.get(id(request)) is not request.location:
            self.teller.entered(request)  # a block without a name, where no rewrite phase runs
        return None

    def _ended(self, request: Request) -> Result:
        location = request.location
        if not location.nameless and location is not location.server.root:
            self._go_on(request)  # one whose plan did not run: it redirects to itself and a slash
        self.teller.answered(request)
        self.teller.ended(request)
        return None
