"""Rules about who may: what answers before anybody asks, rules that refuse nobody, pages that are open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.dev.check import patterns
from gateway.dev.check.block import Block
from gateway.dev.check.edits import added_behind, removed
from gateway.dev.check.rule import Problem, rule

if TYPE_CHECKING:
    from gateway.config.parser import Statement

_ADDRESSES: Final = ("allow", "deny")
_AUTHORITIES: Final = ("auth_basic", "auth_request", "auth_jwt", "auth_oidc")
_ACCESS: Final = (*_ADDRESSES, *_AUTHORITIES)
_FLAGS: Final = ("permanent", "redirect")
_EVERYBODY: Final = ("all", "0.0.0.0/0", "::/0")


@rule("GW402", "access-after-return", "error")
def access_after_return(config: Block) -> Iterator[Problem]:
    """`return`, and a `rewrite` that redirects, answer before anybody asks who may: `allow`, `deny` and `auth_basic`
    beside them, or around a `return` that has something to say, do nothing."""
    for block in config.walk("location", "server"):
        rules = block.all(*_ACCESS)
        for each in _answers(block):
            # nobody gets anything, in the one way or in the other
            refused = each.args[0][:1] in ("4", "5") and len(each.args) == 1 and rules[:1] and rules[0].args == ["all"]
            if rules and not (refused and rules[0].name == "deny"):
                yield Problem(each.where, f"this answers before {rules[0].name} is looked at: everybody gets it")
        outer = _refusal_around(block) if block.name == "location" and not rules else None
        answer = always_returns(block)
        if outer is None or answer is None or block.all("internal") or block.path.startswith("@"):
            continue
        if len(answer.args) > 1 and answer.args[1] and not answer.args[0].startswith("3"):
            text = f"this answers before the {outer.name} of {outer.where} is looked at: everybody gets it"
            yield Problem(answer.where, text)


def always_returns(block: Block) -> Statement | None:
    """A `return` of this block that every request meets."""
    for statement in block.statements:
        if statement.name == "return":
            return statement
        if statement.name in ("if", "rewrite", "break"):
            return None
    return None


def _answers(block: Block) -> Iterator[Statement]:
    """What answers a request in the block itself: a return, a redirect of all, and in an `if` a text for some."""
    answer = always_returns(block)
    if answer is not None:
        yield answer
    for each in block.all("rewrite"):
        target = each.args[1] if len(each.args) > 1 else ""
        absolute = target.startswith(("http://", "https://", "$scheme"))
        if each.args[0] in ("^", "(.*)", "^(.*)$", "^/(.*)$", ".*", "/") and (
            absolute or each.args[-1] in ("redirect", "permanent")
        ):
            yield each
    for condition in block.inner:
        for each in condition.all("return") if condition.name == "if" else ():
            if len(each.args) > 1 and each.args[0].startswith("2"):
                yield each


def _refusal_around(block: Block) -> Statement | None:
    """The rule of the server that refuses everybody else, where it holds in a block."""
    server = block.around("server")
    refusals = [each for each in block.effective(*_ADDRESSES) if each.name == "deny" and each.args[0] in _EVERYBODY]
    own = server.all("deny") if server is not None else []
    return next((each for each in refusals if each in own), None)


@rule("GW403", "allow-without-deny", "error")
def allow_without_deny(config: Block) -> Iterator[Problem]:
    """`allow` alone allows everybody: who is in none of the rules may. With `satisfy any` and a password it spares
    those that it names the question, and nothing is said."""
    for block in config.walk("http", "server", "location", "limit_except"):
        rules = block.all(*_ADDRESSES)
        allowed = [each for each in rules if each.name == "allow"]
        if not allowed or len(allowed) < len(rules) or any(each.args[0] in _EVERYBODY for each in allowed):
            continue
        if block.value("satisfy", "all") == "any" and _asks_who(block):
            continue
        text = "who is not named here is allowed too: deny all;"
        yield Problem(allowed[0].where, text, (added_behind(allowed[-1], "deny all;"),))


@rule("GW419", "rule-behind-all", "error")
def rule_behind_all(config: Block) -> Iterator[Problem]:
    """The first `allow` or `deny` that names a client is the one: behind `deny all` no `allow` is looked at, and behind
    `allow all` no `deny`."""
    for block in config.walk("http", "server", "location", "limit_except"):
        rules = block.all(*_ADDRESSES)
        at = next((number for number, each in enumerate(rules) if each.args == ["all"]), len(rules))
        behind = [each for each in rules[at + 1 :] if each.name != rules[at].name and each.args[0] not in _EVERYBODY]
        if behind:
            text = f"never looked at: {rules[at].name} all stands before it; the last one is its place"
            edits = removed(rules[at]), added_behind(rules[-1], f"{rules[at].name} all;")
            yield Problem(behind[0].where, text, edits)


@rule("GW423", "guard-passed-by", "error")
def guard_passed_by(config: Block) -> Iterator[Problem]:
    r"""A password or a `deny` of `location /admin` does not hold for what a pattern beside it takes: with
    `location ~ \.php$` everybody gets /admin/index.php. `location ^~ /admin` is asked before patterns; what it needs
    of them stands inside of it."""
    for server in config.walk("server"):
        if server.around("http") is None:
            continue
        for location in server.walk("location"):
            if location.modifier or not location.path.startswith("/"):
                continue
            guard = next((each for each in location.all(*_ACCESS) if each.args[0] not in ("off", *_EVERYBODY)), None)
            guard = guard or next((each for each in location.all("deny") if each.args[0] in _EVERYBODY), None)
            if guard is None or location.path == "/" or location.all("internal"):
                continue
            yield from _passed_by(location, guard)


def _passed_by(location: Block, guard: Statement) -> Iterator[Problem]:
    asked = list(location.patterns_asked())
    for other in asked:
        if other in location.inner or not _is_open(other):
            continue
        for path in _paths_below(location.path, other.path):
            first = next(each for each in asked if patterns.fits(each, path))
            if first is not other or not _is_longest(location, path):
                continue
            text = f'"{path}" is answered by the location of {other.where}, which knows nothing of this {guard.name}'
            better = f"location ^~ {location.path}, with what it needs of that inside"
            if other.outer is not location.outer:  # which ^~ keeps off those beside it alone
                better = f"the {guard.name} is needed there, too"
            yield Problem(location.where, f"{text}: {better}")
            return


def _is_longest(location: Block, path: str) -> bool:
    """Whether the location is the one that a path leads to where no pattern is asked."""
    at = location
    while at.name == "location" and at.outer is not None:
        for each in at.outer.inner:
            if each.name != "location" or each.is_regex or each is at or not path.startswith(each.path):
                continue
            if len(each.path) > len(at.path) and (each.modifier != "=" or each.path == path):
                return False
        at = at.outer
    return True


def _paths_below(prefix: str, pattern: str) -> Iterator[str]:
    for text, _ in patterns.samples(pattern)[:8]:
        for path in (text, f"{prefix.rstrip('/')}/x{text.lstrip('/')}", f"{prefix.rstrip('/')}{text}"):
            if path.startswith(prefix) and path.isprintable() and patterns.matches(pattern, path):
                yield path


def _is_open(location: Block) -> bool:
    """Whether it has something to say, to everybody."""
    answer = always_returns(location)
    if any(each.args[0] in ("^", location.path) and each.args[-1] in _FLAGS for each in location.all("rewrite")):
        return False  # it redirects
    if location.all("internal") or (answer is not None and answer.args[0][:1] in "345"):
        return False
    return _everybody_may(location)


@rule("GW424", "password-of-nobody", "error")
def password_of_nobody(config: Block) -> Iterator[Problem]:
    """`auth_basic` without `auth_basic_user_file` asks nobody for anything: everybody gets in."""
    for block, statement in config.everywhere("auth_basic"):
        if statement.args == ["off"] or block.around("http") is None or block.effective("auth_basic_user_file"):
            continue
        inner = [each for each in block.walk("server", "location", "limit_except") if each is not block]
        if not any(each.all("auth_basic_user_file") for each in inner):
            text = "nobody is asked for a password without auth_basic_user_file: everybody gets in"
            yield Problem(statement.where, text)


def _asks_who(block: Block) -> bool:
    return any(block.value(name, "off") != "off" for name in _AUTHORITIES)


def _everybody_of(block: Block) -> tuple[str, ...]:
    """How a rule names every client: by the family of addresses that the server listens on, if it is one alone."""
    server = block.around("server")
    given = [each.args[0] for each in server.all("listen")] if server is not None else []
    families = {each.startswith("[") for each in given or ["80"]}
    if any(each.lower().islower() and not each.startswith(("[", "unix:")) for each in given):
        return _EVERYBODY  # a name may be of both
    wide = any("ipv6only=off" in each.args for each in server.all("listen")) if server is not None else False
    return ("all", *(["0.0.0.0/0"] if False in families or wide else []), *(["::/0"] if True in families else []))


@rule("GW413", "status-page-open", "error")
def status_page_open(config: Block) -> Iterator[Problem]:
    """`stub_status`, `api`, `metrics` and `dashboard` tell everybody how busy the server is, and what others ask;
    `write=on` lets everybody change upstreams."""
    for block, statement in config.everywhere("stub_status", "api", "metrics", "dashboard"):
        server = block.around("server")
        listens = server.all("listen") if server is not None else []
        inside = bool(listens) and all(
            each.args[0].startswith(("127.", "localhost", "[::1]", "unix:")) for each in listens
        )
        if not inside and not block.all("internal") and _everybody_may(block):
            yield Problem(statement.where, "everybody may read it: allow 127.0.0.1; deny all;")


def _everybody_may(block: Block) -> bool:
    """Whether rules and questions let a client in that nobody knows; the first rule that names it is the one."""
    rules = block.effective(*_ADDRESSES)
    everybody = _everybody_of(block)
    first = next((each for each in rules if each.args[0] in everybody), None)
    refused = first is not None and first.name == "deny"
    if block.value("satisfy", "all") == "any" and rules and not refused:
        # the address alone is enough: that of everybody, where none is refused and one is allowed by name
        return first is not None or not _asks_who(block)
    return not refused and not _asks_who(block)
