"""http: the block itself, its servers, and the merging of settings from outer to inner blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.conf import Conf
from gateway.config.directive import HTTP, MAIN, NOARGS, SERVER, Command, Directive
from gateway.config.loader import Loader, Scope
from gateway.http.cycle import HttpCycle
from gateway.http.locations import Location
from gateway.http.module import HttpModule
from gateway.http.servers import Server
from gateway.http.setters import default_folder, to_be_made
from gateway.http.settings import EngineSettings
from gateway.modules.http import core as http_core
from gateway.modules.http import file_access, types
from gateway.modules.http import listen as http_listen
from gateway.serving.block import read_block

if TYPE_CHECKING:
    from collections.abc import Sequence

# They have a folder for temporary files, which is made at the start even where nothing uses them.
_WITH_FOLDERS = ("proxy", "fastcgi", "uwsgi", "scgi")


def http_block(modules: Sequence[HttpModule]) -> Any:
    """The setter of `http { }` for these modules."""

    def set_http(conf: Any, command: Command) -> None:
        loader = command.loader
        cycle = HttpCycle(modules, loader.prefix)
        read_block(cycle, command, HTTP, lambda: _merge(cycle, loader))
        names = {module.name for module in modules}
        for name in _WITH_FOLDERS:
            if name not in names:
                to_be_made(loader, default_folder(loader, f"{name}_temp"))

    return set_http


def set_server(conf: Any, command: Command) -> None:
    scope = Scope(SERVER, command.scope, level="server")
    server = Server(scope)
    server.where = command.where
    server.root = Location(b"", server, scope)
    scope.owner = server
    http: HttpCycle = command.scope.owner
    http.servers.append(server)
    command.loader.walk(command.block, scope)
    if not scope.conf(http_listen.module, "server").listens:
        http_listen.default_listen(server, command)


def _merge(cycle: HttpCycle, loader: Loader) -> None:
    """Settings of locations, from the outside in: the http block's own, each server's, those of the locations in it."""
    outer: dict[Any, Conf] = {}
    for module in cycle.modules:
        if module.location is not None:
            conf = outer[module] = cycle.scope.conf(module, "location")
            conf.merge(None)
    merger = _Merger()
    for server in cycle.servers:
        server.core = server.confs[http_core.module]
        server.limits = server.core.limits
        server.header_timeout = server.core.client_header_timeout
        merger.location(server.root, outer)
    for module, conf in outer.items():
        if any(server.root.confs[module] is conf for server in cycle.servers):
            conf.check_together()  # the others were checked when they were merged
    if cycle.late:
        raise cycle.late[0]
    http_listen.settle(cycle, loader)


class _Merger:
    """One pass over all servers and locations."""

    def __init__(self) -> None:
        self.not_shared: dict[int, list[Any]] = {}
        self.engine: dict[tuple[int, ...], EngineSettings] = {}
        self.kept: list[Any] = []  # keeps the objects whose id is a key above

    def location(self, location: Location, outer: dict[Any, Conf]) -> None:
        """Merge one location and those inside it. A module that it does not mention shares the outer block's object."""
        confs = location.confs = outer.copy()
        own = {module: conf for (module, level), conf in location.scope.confs.items() if level == "location"}
        if not location.nameless:
            for module in self._not_shared(outer):
                if module not in own:
                    own[module] = module.location()
        for module, conf in own.items():
            conf.merge(outer[module], location.nameless)
            confs[module] = conf
        location.core = self._engine_settings(confs)
        location.internal = location.core.internal
        for inner in location.children:
            self.location(inner, confs)

    def _engine_settings(self, confs: dict[Any, Conf]) -> EngineSettings:
        """The compiled copy of what is in nginx's core module; locations that share all of it share the copy."""
        parts: tuple[Any, ...] = confs[http_core.module], confs[types.module], confs[file_access.module]
        key = tuple(map(id, parts))
        found = self.engine.get(key)
        if found is None:
            core, media, files = parts
            found = self.engine[key] = EngineSettings(core, media.types, media.default, files.plain)
            self.kept += parts
        return found

    def _not_shared(self, outer: dict[Any, Conf]) -> list[Any]:
        """The modules of which each block inside needs an object of its own, although it does not mention them."""
        key = id(outer)
        found = self.not_shared.get(key)
        if found is None:
            found = self.not_shared[key] = [module for module, conf in outer.items() if not conf.shareable()]
            self.kept.append(outer)
        return found


def directives(modules: Sequence[HttpModule]) -> tuple[Directive, ...]:
    """The directives that make the http block and its servers."""
    return (
        Directive("http", MAIN, NOARGS, http_block(modules), block=True),
        Directive("server", HTTP, NOARGS, set_server, block=True),
    )
