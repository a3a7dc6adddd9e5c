"""Locations of a server, and nginx's choice among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway._fast.cut import first

if TYPE_CHECKING:
    from gateway.config.loader import Scope
    from gateway.core.regex import Regex
    from gateway.http.plan import Plan
    from gateway.http.request import Request
    from gateway.http.settings import EngineSettings


class Location:
    """One location block (or a server's own top level, or an `if`): its merged settings and, once used, its plan."""

    def __init__(self, name: bytes, server: Any, scope: Scope, parent: Location | None = None) -> None:
        self.name = name
        self.server = server
        self.scope = scope
        self.parent = parent
        self.exact = False  # location = /x
        self.no_regex = False  # location ^~ /x
        self.named = False  # location @x
        self.nameless = False  # an `if` or `limit_except` block of its parent
        self.regex: Regex | None = None  # location ~ x
        self.internal = False
        self.auto_redirect = False  # /x is redirected to /x/ (proxied locations that end in a slash)
        self.inner = LocationTable()
        self.children: list[Location] = []  # all blocks directly inside, `if` and limit_except too
        self.confs: dict[Any, Any] = {}  # module -> its merged location settings
        # http_core's settings, the ones that the engine itself reads
        self.core: EngineSettings = None  # type: ignore[assignment]
        self.content: Any = None  # the settings of the module that answers here: of the last such directive
        self.plan: Plan | None = None
        self.http2_chunk_size: int = 8192  # the most in one DATA frame
        self.output_buffer: int = 32768  # what of a file goes through body filters at once
        self.output_room: int = 65536  # and what of it may be under way

    def __repr__(self) -> str:
        return f"Location({self.name!r})"


class LocationTable:
    """The locations on one level, arranged for look-up."""

    def __init__(self) -> None:
        self.exact: dict[bytes, Location] = {}
        self.prefixes: dict[bytes, Location] = {}
        self.lengths: tuple[int, ...] = ()  # of the prefixes, longest first
        self.regexes: list[Location] = []
        self.named: dict[bytes, Location] = {}
        self.used = False  # there is a location besides the named ones
        self.final = False  # of the last find()

    def add(self, location: Location) -> bool:
        """Add a location of this level; False if there is one of the same kind and name."""
        self.used = self.used or not location.named
        if location.regex is not None:
            self.regexes.append(location)
            return True
        table = self.named if location.named else self.exact if location.exact else self.prefixes
        if location.name in table:
            return False
        table[location.name] = location
        if table is self.prefixes:
            self.lengths = tuple(sorted({*self.lengths, len(location.name)}, reverse=True))
        return True

    def find(self, request: Request, uri: bytes) -> Location | None:
        """nginx's choice: exact, then the longest prefix (and inside it), then regular expressions in their order.

        `final` tells afterwards whether the choice rules out regular expressions of an outer level. A location with
        `auto_redirect` that is the URI and a slash is given back as it is: the caller redirects.
        """
        self.final = True
        exact = self.exact.get(uri) if self.exact else None
        if exact is not None:
            return exact
        found = self._longest_prefix(uri)
        if found is not None:
            if len(found.name) > len(uri):
                return found  # with auto_redirect
            inner = found.inner
            if inner.used:
                deeper = inner.find(request, uri)
                if inner.final:
                    return deeper
                if found.no_regex:
                    self.final = False
                    return deeper or found
                found = deeper or found
            elif found.no_regex:
                self.final = False
                return found
        for location in self.regexes:
            captures = location.regex.search(uri)  # type: ignore[union-attr]
            if captures is not None:
                request.matched(captures)
                return (location.inner.find(request, uri) if location.inner.used else None) or location
        self.final = False
        return found

    def _longest_prefix(self, uri: bytes) -> Location | None:
        """The longest prefix of the URI; or the URI and a slash, where that is to be redirected to."""
        end = len(uri)
        prefixes = self.prefixes
        if self.exact:
            slashed = self.exact.get(uri + b"/")
            if slashed is not None and uri not in prefixes:
                if not slashed.auto_redirect:
                    twin = prefixes.get(slashed.name)
                    slashed.auto_redirect = twin is not None and twin.auto_redirect  # to nginx they are one node
                if slashed.auto_redirect:
                    return slashed
        for length in self.lengths:
            if length > end:
                if length == end + 1:
                    slashed = prefixes.get(uri + b"/")
                    if slashed is not None and slashed.auto_redirect and uri not in prefixes:
                        return slashed
                continue
            found = prefixes.get(uri if length == end else first(uri, length))
            if found is not None:
                return found
        return None
