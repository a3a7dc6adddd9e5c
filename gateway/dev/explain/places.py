"""Which server and which location, and why: the engine's own tables, with what else was looked at on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.dev.explain.findings import show

if TYPE_CHECKING:
    from gateway.http.locations import Location, LocationTable
    from gateway.http.servers import AddressServers, Server


def name_of(location: Location) -> str:
    """A location as its line in the configuration has it."""
    if location is location.server.root:
        return "the server itself"
    kind = "=" if location.exact else "^~" if location.no_regex else "~" if location.regex is not None else ""
    text = location.regex.pattern if location.regex is not None else show(location.name)
    return f"location {kind} {text}" if kind else f"location {text}"


def why_server(servers: AddressServers, server: Server, host: bytes) -> str:
    """By which rule of nginx's this server answers for the host."""
    if host and servers.exact.get(host) is server:
        return f'its server_name is "{show(host)}"'
    at = host
    while b"." in at:
        at = at.partition(b".")[2]
        if servers.leading.get(at) is server:
            return f'"{show(host)}" matches its server_name "*.{show(at)}"'
    at = host
    while b"." in at:
        at = at.rpartition(b".")[0]
        if servers.trailing.get(at) is server:
            return f'"{show(host)}" matches its server_name "{show(at)}.*"'
    for name in servers.regexes:
        if name.server is server and name.regex is not None and name.regex.search(host) is not None:
            return f'"{show(host)}" matches its server_name {show(name.name)}'
    explicit = any(
        line.name == "listen" and ("default_server" in line.args or "default" in line.args)
        for line in server.scope.statements
    )
    reason = "it is the default server" if explicit else "it is the first server of this address, and so the default"
    if len(servers.servers) == 1:
        return "no other server listens on this address"
    return f'no server_name matches "{show(host)}"; {reason}' if host else f"its Host is not looked at; {reason}"


def other_servers(servers: AddressServers, server: Server) -> list[str]:
    """The servers of the same address that did not match, by their names."""
    lines = []
    for other in servers.servers:
        if other is server:
            continue
        names = " ".join(show(name.name) for name in other.names) or "(no server_name)"
        lines.append(f"not {names} ({other.where})")
    return lines


def tried(table: LocationTable, uri: bytes) -> list[str]:
    """The locations that the choice met on its way, in nginx's order, with what came of each."""
    lines: list[str] = []
    _try(table, uri, lines)
    return lines


def _try(table: LocationTable, uri: bytes, lines: list[str]) -> bool:
    """One level; True when the choice is made and regular expressions of an outer level are not asked."""
    exact = table.exact.get(uri)
    if exact is not None:
        lines.append(f"{name_of(exact)}: equal, which ends the search")
        return True
    prefixes = sorted((name for name in table.prefixes if uri.startswith(name)), key=len, reverse=True)
    redirect = table.exact.get(uri + b"/") or table.prefixes.get(uri + b"/")
    if redirect is not None and redirect.auto_redirect and uri not in table.prefixes:
        lines.append(f"{name_of(redirect)}: the URI without its slash, which is redirected to")
        return True
    stop = False
    for rank, name in enumerate(prefixes):
        location = table.prefixes[name]
        lines.append(f"{name_of(location)}: {'the longest prefix' if rank == 0 else 'a shorter prefix'}")
        if rank == 0:
            if location.inner.used and _try(location.inner, uri, lines):
                return True
            stop = location.no_regex
    if stop:
        lines.append("regular expressions are not asked, because of its ^~")
        return False
    for location in table.regexes:
        assert location.regex is not None
        if location.regex.search(uri) is None:
            lines.append(f"{name_of(location)}: does not match")
            continue
        lines.append(f"{name_of(location)}: matches, which is preferred to a prefix")
        if location.inner.used:
            _try(location.inner, uri, lines)
        return True
    return False
