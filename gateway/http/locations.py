"""Locations of a server, and nginx's choice among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.config.loader import Scope
    from gateway.core.regex import Regex
    from gateway.http.plan import Plan
    from gateway.http.request import Request


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
        self.core: Any = None  # http_core's settings, the ones that the engine itself reads
        self.plan: Plan | None = None

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

    def add(self, location: Location) -> bool:
        """Add a location of this level; False if there is one of the same kind and name."""
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

    def __bool__(self) -> bool:
        return bool(self.exact or self.prefixes or self.regexes)

    def find(self, request: Request, uri: bytes) -> Location | None:
        """nginx's choice: exact, then the longest prefix (and inside it), then regular expressions in their order.

        A location with `auto_redirect` that is the URI and a slash is given back as it is: the caller redirects.
        """
        return self._find(request, uri)[0]

    def _find(self, request: Request, uri: bytes) -> tuple[Location | None, bool]:
        """The location, and whether the choice is final (no regular expression of an outer level is tried)."""
        found = self.exact.get(uri)
        if found is not None:
            return found, True
        no_regex = False
        end = len(uri)
        prefixes = self.prefixes
        for length in self.lengths:
            if length > end:
                if length == end + 1:
                    slashed = prefixes.get(uri + b"/")
                    if slashed is not None and slashed.auto_redirect and uri not in prefixes:
                        return slashed, True
                continue
            found = prefixes.get(uri if length == end else uri[:length])
            if found is not None:
                no_regex = found.no_regex
                if found.inner:
                    inner, final = found.inner._find(request, uri)
                    if final:
                        return inner, True
                    found = inner or found
                break
        if not no_regex:
            for location in self.regexes:
                assert location.regex is not None
                captures = location.regex.search(uri)
                if captures is not None:
                    request.matched(captures)
                    return (location.inner._find(request, uri)[0] if location.inner else None) or location, True
        return found, False
