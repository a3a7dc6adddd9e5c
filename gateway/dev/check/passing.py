"""Rules about passing requests on: what the application gets, and what goes wrong on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.config import known, units
from gateway.dev.check import patterns, values
from gateway.dev.check.block import PASSES, Block
from gateway.dev.check.edits import Edit, added_behind, beside_pass, quoted, removed, replaced
from gateway.dev.check.rule import Problem, rule

if TYPE_CHECKING:
    from gateway.config.parser import Statement

_TIMEOUT: Final = re.compile(r"(proxy|uwsgi|fastcgi|scgi|grpc|memcached)_(?:connect|send|read)_timeout")
# What says how requests are passed on; zones of caches and names of files may be others' as well.
_OF_FAMILY: Final = re.compile(
    r"(proxy|uwsgi|fastcgi|scgi|grpc|memcached)_((?:connect|send|read)_timeout|set_header|(?:request_)?buffering|"
    r"buffers|buffer_size|busy_buffers_size|next_upstream\w*|intercept_errors|hide_header|pass_header|ignore_headers|"
    r"max_temp_file_size|cache|cache_valid|cache_bypass|no_cache)"
)
# Which parameter tells that the usual set is there.
_NEEDED: Final = {"uwsgi": "REQUEST_METHOD", "fastcgi": "REQUEST_METHOD", "scgi": "REQUEST_METHOD"}


@rule("GW301", "ssrf", "error")
def ssrf(config: Block) -> Iterator[Problem]:
    """A `proxy_pass` whose host comes from the request lets everybody ask any server that this one can reach, those
    behind the firewall too. Followed through `set`, `map` and the groups of patterns."""
    for block, statement in config.everywhere(*PASSES):
        host = _said_by_client(statement.args[0], block, statement)
        if host:
            text = f'the request says which host is asked ("{host}"): choose it by a map of those that may be'
            yield Problem(statement.where, text)


def _said_by_client(target: str, block: Block, statement: Statement, steps: int = 4) -> str:
    """The scheme and host of a target, if a client may write other ones into them."""
    if "$" not in target or _is_internal(block):
        return ""
    host = ""
    parts = values.pieces(target.replace("://", "\0"))
    for number, (is_variable, words) in enumerate(parts):
        if not is_variable:
            before, slash, _ = words.partition("/")
            host += before.replace("\0", "://")
            if slash:
                return ""
            continue
        value = values.variable(words, block, statement)
        if value.slash and (not value.empty or number == len(parts) - 1):
            return ""  # what follows is the path
        given = values.assigned(words, block)
        if given and steps:
            rest = "".join(
                f"${{{each}}}" if variable else each.replace("\0", "://") for variable, each in parts[number + 1 :]
            )
            found = [_said_by_client(host + text + rest, place, setter, steps - 1) for text, place, setter in given]
            return next(filter(None, found), "")
        host += f"${words}"
        if value.free and not (words == "host" and _names_are_fixed(block)):
            return host
    return ""


def _is_internal(block: Block) -> bool:
    location = block.around("location")
    return location is not None and bool(location.all("internal"))


def _names_are_fixed(block: Block) -> bool:
    server = block.around("server")
    names = [name for line in server.all("server_name") for name in line.args] if server is not None else []
    return bool(names) and not any(name.startswith("~") or "*" in name or name == "_" for name in names)


@rule("GW302", "host-not-passed", "warn")
def host_not_passed(config: Block) -> Iterator[Problem]:
    """Without `proxy_set_header Host` the application sees the upstream's name: its links and redirects lead there, and
    Django answers 400 (ALLOWED_HOSTS)."""
    for block, statement in config.everywhere("proxy_pass"):
        target = statement.args[0].partition("://")[2]
        if not _to_own_application(config, target):
            continue
        fields = {each.args[0].lower() for each in block.effective("proxy_set_header")}
        if "host" not in fields:
            fixes = (
                ()
                if block.effective("proxy_set_header") and not block.all("proxy_set_header")
                else beside_pass(block, statement, "proxy_set_header Host $host;")
            )
            yield Problem(
                statement.where, "the application gets the upstream's name as Host: proxy_set_header Host $host;", fixes
            )


def _to_own_application(config: Block, target: str) -> bool:
    """Whether it is a server of this machine or of an upstream block: others want their own name."""
    host = target.split("/")[0].partition(":")[0]
    if target.startswith("unix:") or host in ("127.0.0.1", "localhost", "[", "[::1]"):
        return True
    return any(block.args[:1] == [host] for block in config.walk("upstream"))


@rule("GW303", "scheme-not-passed", "note")
def scheme_not_passed(config: Block) -> Iterator[Problem]:
    """Behind TLS the application has to be told that the client used https, or it redirects to http, marks cookies
    wrongly, and loops."""
    for block, statement in config.everywhere("proxy_pass"):
        server = block.around("server")
        if server is None or not any("ssl" in line.args for line in server.all("listen")):
            continue
        if not _to_own_application(config, statement.args[0].partition("://")[2]):
            continue
        fields = {each.args[0].lower() for each in block.effective("proxy_set_header")}
        if not fields & {
            "x-forwarded-proto",
            "x-forwarded-ssl",
            "forwarded",
            "x-forwarded-scheme",
            "x-scheme",
        }:
            better = "proxy_set_header X-Forwarded-Proto $scheme;"
            fields_set = block.effective("proxy_set_header")
            edits = (added_behind(fields_set[-1], better),) if fields_set else beside_pass(block, statement, better)
            yield Problem(statement.where, f"the application is not told that the client used https: {better}", edits)


@rule("GW304", "params-missing", "error")
def params_missing(config: Block) -> Iterator[Problem]:
    """`uwsgi_pass` and its kin send only what `*_param` names: without `include uwsgi_params;` the application gets no
    REQUEST_METHOD and fails on every request."""
    for block, statement in config.everywhere("uwsgi_pass", "fastcgi_pass", "scgi_pass"):
        family = statement.name.removesuffix("_pass")
        params = {each.args[0] for each in block.effective(f"{family}_param")}
        if _NEEDED[family] not in params:
            text = f"no REQUEST_METHOD is sent: include {family}_params;"
            yield Problem(statement.where, text, beside_pass(block, statement, f"include {family}_params;"))


@rule("GW305", "timeouts-of-others", "warn")
def timeouts_of_others(config: Block) -> Iterator[Problem]:
    """`proxy_read_timeout` says nothing about `uwsgi_pass`, nor do `proxy_buffering` or `proxy_set_header`: each family
    has its own. The fields that uWSGI, FastCGI and SCGI pass on are parameters: `uwsgi_param HTTP_X_NAME value`."""
    for block in config.walk():
        passed = [each for _, each in block.everywhere(*PASSES)]
        used = {each.name.removesuffix("_pass") for each in passed}
        for statement in block.statements:
            found = _OF_FAMILY.fullmatch(statement.name)
            if found is None or not used or found[1] in used:
                continue
            if statement.where.file != passed[0].where.file and not _TIMEOUT.fullmatch(statement.name):
                continue  # a file that others include as well
            words = _in_family(min(used), statement, found[2])
            better = f": {' '.join(words)}" if words and found[2] == "set_header" else f": {words[0]}" if words else ""
            text = f"what is used here is {min(used)}_pass, which does not look at it{better}"
            yield Problem(statement.where, text, (replaced(statement, *words),) if words else ())


def _in_family(family: str, statement: Statement, what: str) -> list[str]:
    """The words that say the same of another family, where there are some."""
    args = [quoted(word) for word in statement.args]
    if what == "set_header" and family in ("uwsgi", "fastcgi", "scgi"):
        return [f"{family}_param", f"HTTP_{statement.args[0].upper().replace('-', '_')}", *args[1:]]
    return [f"{family}_{what}", *args] if f"{family}_{what}" in known.table() else []


@rule("GW306", "no-resolver", "error")
def no_resolver(config: Block) -> Iterator[Problem]:
    """A name that a variable makes is looked up when the request comes, and needs a `resolver`: without one the answer
    is 502."""
    groups = {block.args[0] for block in config.walk("upstream") if block.args}
    for block, statement in config.everywhere("proxy_pass", "uwsgi_pass", "fastcgi_pass", "scgi_pass", "grpc_pass"):
        target = statement.args[0]
        if "$" not in target or block.effective("resolver") or "unix:" in target:
            continue
        host = (target.partition("://")[2] or target).split("/")[0].partition(":")[0]
        name = host.strip("${}")
        values = (
            [s.args[1] for _, s in config.everywhere("set") if s.args[0].strip("${}") == name]
            if "$" in host
            else [host]
        )
        values += [
            line.args[0]
            for each in config.walk("map")
            if each.args[1:] == [f"${name}"]
            for line in each.statements
            if line.args
        ]
        bare = [(value.partition("://")[2] or value).split("/")[0].partition(":")[0] for value in values]
        if bare and all(_needs_no_lookup(value, groups) for value in bare):
            continue
        yield Problem(statement.where, "the host is looked up for each request, and there is no resolver: 502")


def _needs_no_lookup(host: str, groups: set[str]) -> bool:
    return host in groups or bool(re.fullmatch(r"[\d.]+|\[.*\]|unix", host))


@rule("GW307", "slash-mismatch", "warn")
def slash_mismatch(config: Block) -> Iterator[Problem]:
    """With a path in `proxy_pass` the location's part is cut and the rest put behind that path: the slashes of both
    have to agree, else `/apix` or `//x` is asked for."""
    for location in config.walk("location"):
        statement = location.one("proxy_pass")
        if statement is None or location.modifier not in ("", "^~") or "$" in statement.args[0]:
            continue
        rest = statement.args[0].partition("://")[2]
        path = (
            rest.partition(":/")[2] and "/" + rest.rpartition(":/")[2]
            if rest.startswith("unix:")
            else ("/" + rest.partition("/")[2] if "/" in rest else "")
        )
        if not path or location.path == "/":
            continue
        if location.path.endswith("/") and not path.endswith("/"):
            text = f'"{location.path}x" is asked for as "{path}x": end the path in a slash'
            yield Problem(statement.where, text, (replaced(statement, "proxy_pass", quoted(statement.args[0] + "/")),))
        elif not location.path.endswith("/") and path.endswith("/"):
            yield Problem(statement.where, f'"{location.path}/x" is asked for as "{path}/x", with two slashes')


@rule("GW308", "upgrade-half", "error")
def upgrade_half(config: Block) -> Iterator[Problem]:
    """A WebSocket needs both fields passed on: `Upgrade $http_upgrade` and a `Connection` that says upgrade."""
    for block in config.walk("location", "server", "http"):
        fields = {each.args[0].lower(): each for each in block.all("proxy_set_header")}
        upgrade, connection = fields.get("upgrade"), fields.get("connection")
        if upgrade is not None and upgrade.args[1] and (connection is None or connection.args[1] == ""):
            fixes = _by_map(config, connection or upgrade, added=connection is None)
            yield Problem(upgrade.where, "Upgrade alone is not enough: a Connection that says upgrade", fixes)


@rule("GW309", "upgrade-always", "warn")
def upgrade_always(config: Block) -> Iterator[Problem]:
    """`Connection: upgrade` for every request of a site: an ordinary request says that it wants to upgrade and names no
    protocol. Connections to the application are not kept, and some applications refuse it."""
    for block in config.walk("location", "server", "http"):
        for statement in block.all("proxy_set_header"):
            if statement.args[0].lower() != "connection" or statement.args[1].lower() != "upgrade":
                continue
            if block.name != "location" or block.path == "/":
                text = "every request asks for an upgrade: use a map of $http_upgrade, or a location of its own"
                yield Problem(statement.where, text, _by_map(config, statement))


def _by_map(config: Block, statement: Statement, *, added: bool = False) -> tuple[Edit, ...]:
    """A Connection from a map of $http_upgrade, which is there or made, behind the statement or instead of it."""
    maps = [each for each in config.walk("map") if each.args[:1] == ["$http_upgrade"] and len(each.args) == 2]
    name = maps[0].args[1] if maps else "$connection_upgrade"
    field = ("proxy_set_header", "Connection", name)
    used = added_behind(statement, " ".join(field) + ";") if added else replaced(statement, *field)
    http = config.all("http")
    if maps:
        return (used,)
    if not http or any(each.args[1:] == [name] for each in config.walk("map")):
        return ()
    lines = ("map $http_upgrade $connection_upgrade {", "    default upgrade;", '    "" "";', "}")
    return used, added_behind(http[0], *lines)


@rule("GW310", "keepalive-off", "note")
def keepalive_off(config: Block) -> Iterator[Problem]:
    """`keepalive` in an upstream has no effect for requests that say `Connection: close`, or HTTP/1.0."""
    groups = {block.args[0] for block in config.walk("upstream") if block.all("keepalive") and block.args}
    for block, statement in config.everywhere("proxy_pass"):
        host = statement.args[0].partition("://")[2].split("/")[0]
        if host not in groups:
            continue
        closing = [
            s
            for s in block.effective("proxy_set_header")
            if s.args[0].lower() == "connection" and s.args[1].lower() == "close"
        ]
        old = [s for s in block.effective("proxy_http_version") if s.args[0] == "1.0"]
        for each in [*closing, *old]:
            yield Problem(
                each.where, f"upstream {host} has keepalive, and this closes each connection", (removed(each),)
            )


@rule("GW311", "connect-timeout-too-long", "note")
def connect_timeout_too_long(config: Block) -> Iterator[Problem]:
    """A connection that is not there within seconds will not come: systems give up at 75 seconds themselves."""
    for _, statement in config.everywhere("proxy_connect_timeout", "uwsgi_connect_timeout", "fastcgi_connect_timeout"):
        try:
            seconds = units.parse_time_ms(statement.args[0]) / 1000
        except ValueError:
            continue
        if seconds > 75:
            text = f"no system tries to connect for {statement.args[0]} (75s); what waits for answers is *_read_timeout"
            yield Problem(statement.where, text, (replaced(statement, statement.name, "75s"),))


@rule("GW312", "socket-in-tmp", "warn")
def socket_in_tmp(config: Block) -> Iterator[Problem]:
    """A service that systemd starts with PrivateTmp has a /tmp of its own: the socket is there and nobody else sees it.
    Below /home the folder mostly may not be passed by the workers. /run/NAME (RuntimeDirectory=) is for both."""
    for block, statement in config.everywhere(*PASSES, "server"):
        if (
            statement.block is not None
            or not statement.args
            or (statement.name == "server" and block.name != "upstream")
        ):
            continue
        path = statement.args[0].partition("unix:")[2]
        for place in ("/tmp/", "/var/tmp/", "/home/"):
            if path.startswith(place):
                yield Problem(
                    statement.where,
                    f"a socket under {place[:-1]} is often not the one that the application has: /run/NAME/",
                )


@rule("GW313", "unused-upstream", "note")
def unused_upstream(config: Block) -> Iterator[Problem]:
    """An upstream that nothing passes to: left over, or its name is misspelt where it should be used."""
    text = " ".join(word for block in config.walk() for each in block.statements for word in each.args)
    for block in config.walk("upstream"):
        name = block.args[0] if block.args else ""
        # its own line is one of them
        if len(re.findall(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", text)) <= 1:
            yield Problem(block.where, f'nothing is passed to upstream "{name}"')


@rule("GW314", "cache-with-cookies", "error")
def cache_with_cookies(config: Block) -> Iterator[Problem]:
    """`proxy_ignore_headers Set-Cookie` with a cache keeps an answer with one user's cookie and gives it to others."""
    for family in ("proxy", "uwsgi", "fastcgi", "scgi"):
        for block, statement in config.everywhere(f"{family}_ignore_headers"):
            cached = block.value(f"{family}_cache", "off") != "off"
            hidden = any("set-cookie" in s.args[0].lower() for s in block.effective(f"{family}_hide_header"))
            if cached and not hidden and any(word.lower() == "set-cookie" for word in statement.args):
                text = f"one user's Set-Cookie is kept for all: {family}_hide_header Set-Cookie;"
                yield Problem(statement.where, text, (added_behind(statement, f"{family}_hide_header Set-Cookie;"),))


@rule("GW315", "verify-off", "note")
def verify_off(config: Block) -> Iterator[Problem]:
    """`proxy_pass https://…` encrypts, but does not ask who answers: `proxy_ssl_verify` is off by default."""
    for block, statement in config.everywhere("proxy_pass"):
        target = statement.args[0]
        own = _to_own_application(config, target.partition("://")[2])
        if target.startswith("https://") and not own and block.value("proxy_ssl_verify", "off") != "on":
            yield Problem(statement.where, "the certificate of the upstream is not checked: proxy_ssl_verify on;")


@rule("GW321", "body-announced", "warn")
def body_announced(config: Block) -> Iterator[Problem]:
    """`auth_request`, and `mirror` with `mirror_request_body off`, ask without the client's body, but with its
    Content-Length: an upstream that reads bodies waits for one that does not come, until a timeout answers 500."""
    seen = set()
    for block, statement in config.everywhere("auth_request", "mirror"):
        server = block.around("server")
        if server is None or (statement.name == "mirror" and block.value("mirror_request_body", "on") == "on"):
            continue
        location = _location_of(server, statement.args[0])
        passed = location.one("proxy_pass") if location is not None else None
        if location is None or passed is None or id(passed) in seen or location.effective("proxy_set_body"):
            continue
        seen.add(id(passed))
        fields = location.effective("proxy_set_header")
        if any(each.args[0].lower() == "content-length" for each in fields):
            continue
        better = ["proxy_pass_request_body off;"] if location.value("proxy_pass_request_body", "on") == "on" else []
        better.append('proxy_set_header Content-Length "";')
        fixes = (added_behind(passed, *better),) if not fields or location.all("proxy_set_header") else ()
        text = f"{statement.name} asks this without the body that the client's Content-Length announces: "
        yield Problem(passed.where, text + " ".join(better), fixes)


@rule("GW328", "login-behind-guard", "error")
def login_behind_guard(config: Block) -> Iterator[Problem]:
    """Who is not logged in is sent to a page that `auth_request` guards as well: it sends to itself without end, or its
    401 is all that is shown. `auth_request off;` belongs into the location of the login page."""
    told = set()
    for server in config.walk("server"):
        for block in server.walk("server", "location") if server.around("http") is not None else ():
            if block.value("auth_request", "off") == "off":
                continue
            for page in block.effective("error_page"):
                path = _login_path(server, page) if "401" in page.args[:-1] else ""
                login = _chosen_for(server, path) if path else None
                if login is None or id(login) in told or login.value("auth_request", "off") == "off":
                    continue
                if login.all("return") or login.opener is None:
                    continue
                told.add(id(login))
                text = f"who is not logged in is sent here ({page.where}) and asked here, too: auth_request off;"
                if login.is_regex or login.path.rstrip("/") != path.rstrip("/"):
                    # what else is here keeps its guard
                    yield Problem(login.where, f"{text} in a location of its own, location = {path}")
                    continue
                own = login.one("auth_request")
                behind = added_behind(login.opener, "auth_request off;")
                yield Problem(login.where, text, (behind if own is None else replaced(own, "auth_request", "off"),))


def _chosen_for(server: Block, path: str) -> Block | None:
    """Where a path leads to, patterns asked as well."""
    found = _location_of(server, path)
    return next((each for each in (found or server).patterns_asked() if patterns.fits(each, path)), found)


def _login_path(server: Block, page: Statement) -> str:
    """Where it leads to on this server."""
    target = page.args[-1]
    if target.startswith("@"):
        named = next((each for each in server.walk("location") if each.path == target), None)
        answer = named.one("return") if named is not None else None
        if answer is None or not answer.args[0].startswith("3"):
            return ""
        target = answer.args[-1]
    names = {name for each in server.all("server_name") for name in each.args} | {"$host", "$http_host", "$server_name"}
    scheme, sign, rest = target.partition("://")
    if sign:
        host, slash, path = rest.partition("/")
        target = slash + path if host in names and scheme in ("http", "https", "$scheme") else ""
    path = target.partition("?")[0]
    return path if path.startswith("/") and "$" not in path else ""


def _location_of(server: Block, path: str) -> Block | None:
    """Where a path leads to without its arguments; what patterns say is not asked."""
    path = path.partition("?")[0]
    found: Block | None = None
    for location in server.walk("location"):
        if location.is_regex or location.path.startswith("@") or not path.startswith(location.path):
            continue
        if location.modifier == "=" and location.path != path:
            continue
        longer = found is None or len(location.path) > len(found.path)
        if longer or (location.modifier == "=" and location.path == path):
            found = location
    return found


@rule("GW324", "buffering-off", "note")
def buffering_off(config: Block) -> Iterator[Problem]:
    """`proxy_buffering off` for a whole server lets a slow client hold the application's worker as long as it reads. A
    location for what streams, or `X-Accel-Buffering: no` in those answers, leaves the others buffered."""
    for block, statement in config.everywhere(
        "proxy_buffering", "uwsgi_buffering", "fastcgi_buffering", "scgi_buffering"
    ):
        if statement.args == ["off"] and block.name in ("http", "server") and block.around("http") is not None:
            text = "slow clients hold the application's workers: put it into the location that streams"
            yield Problem(statement.where, text, (removed(statement),))
