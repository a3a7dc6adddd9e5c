"""Rules about requests that come back to where they were: asked of the engine itself, as explain does.

The requests are those that lead to a block with a redirect or a rewrite in it. What depends on who asks (a cookie, a
field that a proxy in front may set, an address) is not reported, nor what leads to hosts or ports that are others'.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from gateway.config.errors import ConfigError
from gateway.core.logs import Log
from gateway.dev.check import patterns, values
from gateway.dev.check.block import Block
from gateway.dev.check.edits import quoted, replaced
from gateway.dev.check.files import try_files_loop
from gateway.dev.check.routing import https_loop
from gateway.dev.check.rule import Problem, rule
from gateway.dev.explain.findings import Finding, Findings
from gateway.dev.explain.question import Question

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.parser import Statement
    from gateway.process.options import Options

Ask = Callable[[str], Awaitable[list[Finding]]]

# Rules that load the configuration again and ask it: who has just done that, or does it at each key, leaves them out.
ASKING: Final = ("GW421", "GW422")
_MOST_HOPS: Final = 21  # browsers give up at 20
_MOST_QUESTIONS: Final = 60
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_CYCLE: Final = "rewrite or internal redirection cycle"
_RUN_CODE: Final = ("py_", "load_module")  # what such lines bring would be run
_PORTS: Final = {"http": 80, "https": 443}
_FILE_TEST: Final = re.compile(r"\(!?-[fdex]\s")
_NOWHERE: Final = "gateway-check-asks"
# A request for the same URL has these again, whoever sends it.
_OF_URL: Final = frozenset({
    "args", "document_root", "document_uri", "host", "hostname", "http_host", "https", "is_args", "query_string",
    "realpath_root", "request_filename", "request_method", "request_uri", "scheme", "server_addr", "server_name",
    "server_port", "server_protocol", "uri",
})  # fmt: skip


@dataclass(slots=True)
class _Trip:
    """URLs that were asked for one after the other, with what was found out about each."""

    inside: bool  # the last one is led in a circle within the server
    steps: list[tuple[str, list[Finding]]] = field(default_factory=list)

    def findings(self) -> Iterator[Finding]:
        for _, found in self.steps:
            yield from found


@rule("GW421", "redirect-circle", "error")
def redirect_circle(config: Block) -> Iterator[Problem]:
    """A redirect to where the request was already, by itself or by way of others (from www to the bare name and back):
    browsers give up after twenty. Found by asking the configuration and following what it answers."""
    told = {problem.where for problem in https_loop(config)}
    lines = _lines(config)
    for trip in _trips(config):
        wheres = [each.where for each in trip.findings() if each.where in lines and _redirects(each)]
        wheres = wheres or _by_error_page(config, trip)
        if trip.inside or not wheres or told & set(wheres):
            continue
        if not _for_everybody(config, trip) or not _files_are_known(config, trip):
            continue
        told |= {where for where in wheres if where is not None}
        urls = [url for url, _ in trip.steps]
        way = " -> ".join([*urls[:4], "…"] if len(urls) > 4 else [*urls, urls[0]])
        where = wheres[-1]
        assert where is not None
        yield Problem(where, f"redirects without end: {way}")


def _by_error_page(config: Block, trip: _Trip) -> list[Where]:
    """The error_page that sends to another URL, of files that are looked for in folders that are here."""
    wheres: list[Where] = []
    for _, findings in trip.steps:
        entered = _entered(config, findings)
        pages = [each for each in entered[-1].effective("error_page") if "://" in each.args[-1]] if entered else []
        root = next(iter(entered[-1].effective("root")), None) if entered else None
        if len(pages) != 1 or root is None or not _is_folder(root.args[0]):
            return []
        wheres.append(pages[0].where)
    return wheres


@rule("GW422", "rewrite-circle", "error")
def rewrite_circle(config: Block) -> Iterator[Problem]:
    """A rewrite, `try_files`, `index` or `error_page` that leads to where the request was already: after ten turns it
    ends as 500, "rewrite or internal redirection cycle". `break` in the place of `last` stays in the location."""
    told = {problem.where for problem in try_files_loop(config)}
    lines = _lines(config)
    for trip in _trips(config):
        if not trip.inside or not _for_everybody(config, trip) or not _files_are_known(config, trip):
            continue
        url, findings = trip.steps[-1]
        entered = _entered(config, findings)
        if any(each.where in told for block in entered for each in block.all("try_files")):
            continue
        statement = _leader(entered, findings, lines)
        if statement is not None and statement.where not in told:
            told.add(statement.where)
            text = f"{urlsplit(url).path} comes back here again and again, and ends as 500: {_words(statement)}"
            yield Problem(statement.where, text, _stays(statement, entered))


def _words(statement: Statement) -> str:
    return " ".join([statement.name, *map(quoted, statement.args)])


def _leader(
    entered: list[Block], findings: list[Finding], lines: dict[Where, tuple[Block, Statement]]
) -> Statement | None:
    """Whose doing it is: the last rewrite where those go round, else what the last location has."""
    message = next(each.text for each in findings if each.kind == "error_log" and _CYCLE in each.text)
    if "while processing" in message:
        done = [each.where for each in findings if each.kind == "rewrite" and each.data.get("became")]
        return lines[done[-1]][1] if done and done[-1] in lines else None
    for name in ("try_files", "error_page", "index"):
        found = [each for block in entered[-2:] for each in block.effective(name)]
        if found:
            return found[-1]
    return None


def _stays(statement: Statement, entered: list[Block]) -> tuple[Any, ...]:
    """With `break`, where the rewrite always makes one URI, and its location is the only one on the way."""
    args = statement.args
    location = entered[-1] if entered else None
    if statement.name != "rewrite" or "$" in args[1] or location is None or len({id(each) for each in entered}) > 1:
        return ()
    if statement not in location.statements or args[2:] not in ([], ["last"]):
        return ()
    return (replaced(statement, "rewrite", quoted(args[0]), quoted(args[1]), "break"),)


def _files_are_known(config: Block, trip: _Trip) -> bool:
    """Whether it takes no files to decide, or the folders that they would be in exist here: elsewhere they may be
    there, too."""
    found = list(trip.findings())
    tests = any(each.kind == "if" and _FILE_TEST.search(each.text) for each in found)
    if not tests and not any(_CYCLE in each.text and "while processing" not in each.text for each in found):
        return True
    folders = [block.one("alias") or next(iter(block.effective("root")), None) for block in _entered(config, found)]
    return bool(folders) and all(each is not None and _is_folder(each.args[0]) for each in folders)


def _is_folder(path: str) -> bool:
    return path.startswith("/") and "$" not in path and Path(path).is_dir()


def _entered(config: Block, findings: list[Finding]) -> list[Block]:
    """The locations, as they were entered; the server where none of them has a line in it."""
    blocks = {block.where: block for block in config.walk("location", "server")}
    wheres = [each.where for each in findings if each.kind == "location" and each.where is not None]
    wheres = wheres or [each.where for each in findings if each.kind == "server" and each.where is not None]
    return [blocks[where] for where in wheres if where in blocks]


def _redirects(finding: Finding) -> bool:
    status = finding.data.get("status", 0)
    by_rewrite = finding.kind == "rewrite" and finding.data.get("matches") and "became" not in finding.data
    return bool(by_rewrite) or (finding.kind == "return" and status in _REDIRECTS)


def _lines(config: Block) -> dict[Where, tuple[Block, Statement]]:
    return {statement.where: (block, statement) for block in config.walk() for statement in block.statements}


def _for_everybody(config: Block, trip: _Trip) -> bool:
    """Whether nothing on the way depends on more than the URL."""
    lines = _lines(config)
    known = set(_OF_URL)
    for block in config.walk("map"):
        if len(block.args) == 2 and set(values.names_in(block.args[0])) <= known:
            inner = {name for line in block.statements for arg in line.args for name in values.names_in(arg)}
            if all(name in known or name.isdigit() for name in inner):
                known |= set(values.names_in(block.args[1]))
    for finding in trip.findings():
        if finding.kind == "access" or finding.kind.startswith("auth"):
            return False
        if finding.where not in lines or finding.kind not in ("if", "set", "return", "rewrite", "location"):
            continue
        block, statement = lines[finding.where]
        used = list(statement.args[1:] if statement.name == "set" else statement.args)
        if finding.kind == "location":
            inner_block = next((each for each in block.inner if each.opener is statement), None)
            used = [arg for each in (inner_block.all("try_files") if inner_block else ()) for arg in each.args]
        names = {name for text in used for name in values.names_in(text)}
        if not all(name in known or name.isdigit() or name.startswith("arg_") for name in names):
            return False
        if statement.name == "set":
            known |= set(values.names_in(statement.args[0]))
    return True


# -- what is asked ---------------------------------------------------------------------------------------------------


def _urls(config: Block) -> list[str]:
    """Those that lead to a block with something in it that may lead on."""
    found: dict[str, None] = {}
    for server in config.walk("server"):
        if server.around("http") is None or server.outer is None or server.outer.name != "http":
            continue
        places = list(_places(server))
        if server in places:  # what stands there leads on from each location
            places += [each for each in server.walk("location") if each not in places]
        for place in places:
            for path in _paths(server, place):
                for url in _of_server(server):
                    found.setdefault(url + path)
    return list(found)[:_MOST_QUESTIONS]


def _places(server: Block) -> Iterator[Block]:
    for block in server.walk("server", "location", "if"):
        leads = any(
            each.name in ("rewrite", "try_files", "error_page", "index")
            or (each.name == "return" and each.args[0] in ("301", "302", "303", "307", "308"))
            or (each.name == "return" and len(each.args) == 1 and "/" in each.args[0])
            for each in block.statements
        )
        if leads:
            yield block.around("location") or server if block.name == "if" else block


def _paths(server: Block, place: Block) -> list[str]:
    if place is server:
        return ["/", f"/{_NOWHERE}"]
    path = place.path
    if place.is_regex:
        texts = [text for text, _ in patterns.samples(path)][:4]
        return [text if text.startswith("/") else f"/{text}" for text in texts if text.isascii() and text.isprintable()]
    if not path.startswith("/") or not (path.isascii() and path.isprintable()) or " " in path:
        return []
    inside = path.rstrip("/")
    return [path] if place.modifier == "=" else list(dict.fromkeys([path, f"{inside}/", f"{inside}/{_NOWHERE}"]))


def _of_server(server: Block) -> list[str]:
    """Scheme, host and port of a server: of two sockets, with up to four names."""
    names = [name for each in server.all("server_name") for name in each.args]
    plain = [f"www{name[1:]}" if name.startswith("*.") else name.removeprefix(".") for name in names]
    hosts = [name for name in plain if name and name != "_" and all(c.isalnum() or c in "-." for c in name)][:4]
    if names and not hosts and not {"_", ""} & set(names):
        return []
    found: dict[str, None] = {}
    listens = [each.args for each in server.all("listen")] or [["80"]]
    for args in listens:
        last = args[0].rpartition(":")[2]
        if args[0].startswith("unix:") or "quic" in args or server.value("ssl_reject_handshake") == "on":
            continue
        port = int(last) if last.isdigit() and len(last) < 6 else 80
        scheme = "https" if "ssl" in args else "http"
        end = "" if port == _PORTS[scheme] else f":{port}"
        for host in hosts or ["localhost"]:
            found.setdefault(f"{scheme}://{host}{end}")
    return list(found)[:8]


@functools.lru_cache(maxsize=1)
def _trips(config: Block) -> list[_Trip]:
    """Those that come back; both rules look at them."""
    names = {statement.name for block in config.walk() for statement in block.statements}
    urls = _urls(config) if config.options is not None else []
    if not urls or any(name.startswith(_RUN_CODE) for name in names):
        return []
    assert config.options is not None
    return _Asker(config, config.options).trips(urls)


class _Asker:
    """The configuration, loaded once more, and what it answers."""

    def __init__(self, config: Block, options: Options) -> None:
        self._options = options
        self._names = {
            name.lower() for each in config.walk("server") for s in each.all("server_name") for name in s.args
        }
        self._sockets: dict[int, set[str]] = {}

    def trips(self, urls: list[str]) -> list[_Trip]:
        import trio

        from gateway.dev.explain.command import prepare
        from gateway.dev.explain.engine import Engine
        from gateway.process.load import load

        try:
            loaded = load(self._options, Log())
            if loaded.http is None:
                return []
            prepare(loaded)
        except ConfigError:
            return []
        for listening in loaded.http.listenings:
            if isinstance(listening.address.address, tuple):
                host, port = listening.address.address[:2]
                self._sockets.setdefault(int(port), set()).add(str(host))
        engine = Engine(loaded.http, loaded.log, Findings())
        found: list[_Trip] = []

        async def lead(ask: Callable[[Question], Awaitable[list[Finding]]]) -> None:
            async def asked(url: str) -> list[Finding]:
                return await ask(_question(url))

            for url in urls:
                trip = await self._follow(asked, url)
                if trip is not None:
                    found.append(trip)

        trio.run(engine.answers, lead)
        return found

    async def _follow(self, ask: Ask, url: str) -> _Trip | None:
        steps: list[tuple[str, list[Finding]]] = []
        while len(steps) < _MOST_HOPS:
            seen = [at for at, (earlier, _) in enumerate(steps) if earlier == url]
            if seen:
                return _Trip(inside=False, steps=steps[seen[0] :])
            findings = await ask(url)
            steps.append((url, findings))
            if any(each.kind == "error_log" and _CYCLE in each.text for each in findings):
                return _Trip(inside=True, steps=steps[-1:])
            target = _location(findings)
            if target is None:
                return None
            before, url = url, urljoin(url, target).partition("#")[0]
            if not self._is_ours(before, url):
                return None
        return _Trip(inside=False, steps=steps)

    def _is_ours(self, before: str, url: str) -> bool:
        """Whether who follows comes to this configuration: to a socket of it that is the only one, by a name of it."""
        try:
            parts, earlier = urlsplit(url), urlsplit(before)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            return False
        host = parts.hostname or ""
        sockets = self._sockets.get(port, set())
        if not sockets or (len(sockets) > 1 and not sockets <= {"0.0.0.0", "::"}):
            return False
        if host == earlier.hostname or host in self._names or f".{host}" in self._names:
            return True
        above = host.partition(".")[2]
        return bool(above) and (f"*.{above}" in self._names or f".{above}" in self._names)


def _location(findings: list[Finding]) -> str | None:
    """Where the answer sends a browser; None for one that stays, or that gives it something to remember."""
    answers = [each for each in findings if each.kind == "answer"]
    if not answers or any(each.kind in ("tls", "upstream") for each in findings):
        return None
    fields = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in answers[-1].details)}
    if answers[-1].data.get("status") not in _REDIRECTS or "set-cookie" in fields:
        return None
    return fields.get("location") or None


def _question(url: str) -> Question:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    fields = (("User-Agent", agent), ("Accept", "text/html,*/*;q=0.8"), ("Connection", "close"))
    port = parts.port or _PORTS[parts.scheme]
    return Question("GET", parts.scheme, parts.hostname or "", port, target, fields, "203.0.113.7", http="1.1")
