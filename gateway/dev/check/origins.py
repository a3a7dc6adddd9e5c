"""Rules about who links here: patterns for Origin and Referer, and valid_referers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.dev.check import patterns, values
from gateway.dev.check.block import Block
from gateway.dev.check.edits import Edit, quoted, replaced
from gateway.dev.check.rule import Problem, rule

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.parser import Statement

_FIELDS: Final = ("$http_origin", "$http_referer")
# What stands where a pattern leaves it open: a part of a name, and a host of one's own with the rest as its path.
_WILD: Final = ("b", "evil", ".evil.example/", "/.evil.example/")
_ANY: Final = ("default", "~.", "~.*", "~.+", "~^.*$", "~^.+$", "~*.", "~*.*")
_WITH_SCHEME: Final = re.compile(r"\^?https?\??\\?:")
_HOST: Final = re.compile(r"^(?:https?://)?([^/?#]*)")


@rule("GW209", "origin-not-anchored", "error")
def origin_not_anchored(config: Block) -> Iterator[Problem]:
    """A pattern for Origin or Referer that does not begin with ^ and end with $ or a slash, or leaves the name of the
    site open (`.` for `\\.`, `[^/]+` before it), also matches `https://example.com.evil.org`, `https://evil-example.com`
    or `https://evil.org/?example.com`."""
    for block, where, subject, pattern in _looked_at(config):
        if patterns.tree(pattern) is None:
            continue
        example = _foreign(pattern, subject == "$http_origin")
        if example:
            text = f'"{pattern}" matches {example}: anchor it with ^ and $, and write dots as \\.'
            yield Problem(where, text, _anchored(block, pattern, subject))


def _looked_at(config: Block) -> Iterator[tuple[Block, Where, str, str]]:
    for block in config.walk("if"):
        condition = values.condition_of(block)
        if condition is not None and condition[0].lower() in _FIELDS:
            yield block, block.where, condition[0].lower(), condition[1]
    for block in config.walk("map"):
        if len(block.args) == 2 and block.args[0].lower() in _FIELDS and not _only_logged(config, block.args[1]):
            for line in block.statements:
                if line.name.startswith("~"):
                    yield block, line.where, block.args[0].lower(), line.name.lstrip("~*")


def _only_logged(config: Block, variable: str, steps: int = 4) -> bool:
    """Whether it is written into logs and decides nothing, as one that leaves secrets out of them."""
    name = variable.lstrip("$").lower()
    used = [
        (block, each)
        for block in config.walk()
        for each in block.statements
        if any(name in values.names_in(word) for word in (each.args[:1] if each.name == "map" else each.args))
    ]
    return bool(used) and all(
        each.name == "log_format"
        or (each.name == "map" and steps > 0 and _only_logged(config, each.args[1], steps - 1))
        or (block.name == "map" and steps > 0 and _only_logged(config, block.args[1], steps - 1))
        for block, each in used
    )


def _foreign(pattern: str, origin: bool) -> str:
    """A value of somebody else's that matches; "" if none was found."""
    for sample in patterns.samples(pattern, _WILD):
        text = sample[0]
        if not patterns.matches(pattern, text) or (text.startswith("/") and "." not in text):
            continue  # an anchor in the middle of it, or a path, which is not about who links here
        example = _example(sample, origin) or next(
            (each for each in _around(text, origin) if patterns.matches(pattern, each)), ""
        )
        if example:
            return example
    return ""


def _around(text: str, origin: bool) -> Iterator[str]:
    """Values of others that have the text in them."""
    if not _HOST.match(text) or not text.startswith("http"):
        yield f"https://evil-{text.lstrip('/')}"
        yield f"https://evil.example/?https://{text}"
    if "/" not in text.partition("://")[2]:
        yield f"{text}.evil.example"
    yield f"https://evil.example/?{text}"
    if origin and text.startswith("http"):
        yield f"x{text}"


def _example(sample: patterns.Sample, origin: bool) -> str:
    """The text itself, if it may be somebody else's: where the pattern leaves open what stands in the name."""
    text, wild = sample
    found = _HOST.match(text)
    if found is None:
        return ""
    host, start, end = found[1], found.start(1), found.end(1)
    if origin and end < len(text):
        return f"nothing, {text} has a path, which an Origin has not, and what"
    name = host.partition(":")[0]
    labels = name.split(".")
    own = len(".".join(labels[-2:]))  # the part that somebody has registered
    last = start + len(name)
    return text if any(wild[last - own : last]) or (any(wild[last:end]) and ":" not in host) else ""


def _anchored(block: Block, pattern: str, subject: str) -> tuple[Edit, ...]:
    """Anchors, where that is all that is missing and the pattern begins with a scheme."""
    if block.name != "if" or block.opener is None or not _WITH_SCHEME.match(pattern):
        return ()
    better = pattern if pattern.startswith("^") else "^" + pattern
    if not patterns.anchored(better)[1]:
        better += "$" if subject == "$http_origin" else "(?:/|$)"
    if better == pattern or _foreign(better, subject == "$http_origin"):
        return ()
    operator = next(word for word in block.args if "~" in word)
    return (replaced(block.opener, "if", f"({subject}", operator, quoted(better) + ")"),)


@rule("GW214", "misspelt-referer", "error")
def misspelt_referer(config: Block) -> Iterator[Problem]:
    """The field is named Referer, with one r less than the word: `$http_referrer` is always empty."""
    for block in config.walk():
        for statement in block.statements:
            if any("$http_referrer" in word for word in statement.args):
                words = [quoted(word.replace("$http_referrer", "$http_referer")) for word in statement.args]
                edits = (replaced(statement, statement.name, *words),) if statement.name != "if" else ()
                yield Problem(statement.where, "the variable is $http_referer, with one r", edits)


@rule("GW215", "referers-none", "note")
def referers_none(config: Block) -> Iterator[Problem]:
    """`valid_referers none` lets requests without a Referer in, and every page can have browsers leave it out
    (Referrer-Policy): it keeps off pictures that others show, and nobody who means it."""
    for _, statement in config.everywhere("valid_referers"):
        if "none" in statement.args:
            yield Problem(statement.where, "who leaves the field out is let in: it protects nothing but pictures")


@rule("GW216", "origin-reflected", "error")
def origin_reflected(config: Block) -> Iterator[Problem]:
    """`Access-Control-Allow-Origin $http_origin` beside `Access-Control-Allow-Credentials true` lets every page that a
    user opens read what the user's cookies open here. A `map` of the origins that may is what is meant."""
    for block, statement in _reflected(config):
        if _with_cookies(block):
            yield Problem(statement.where, "every site may read what a user's cookies open: a map of those that may")


@rule("GW217", "origin-any", "note")
def origin_any(config: Block) -> Iterator[Problem]:
    """`Access-Control-Allow-Origin $http_origin` without credentials says what `*` says, in an answer that differs from
    site to site: caches give one site's to another."""
    for block, statement in _reflected(config):
        if not _with_cookies(block):
            words = [quoted(word) for word in statement.args[2:]]
            edit = replaced(statement, "add_header", statement.args[0], "*", *words)
            yield Problem(statement.where, 'every site may: "*" says so, or a map of those that may', (edit,))


@rule("GW218", "any-with-credentials", "error")
def any_with_credentials(config: Block) -> Iterator[Problem]:
    """Beside `Access-Control-Allow-Credentials true` browsers take no `*` as `Access-Control-Allow-Origin`: a page of
    another site that sends cookies gets an error instead of the answer. A `map` of the origins that may is meant."""
    for block, statement in config.everywhere("add_header"):
        if [word.lower() for word in statement.args[:2]] != ["access-control-allow-origin", "*"]:
            continue
        if _with_cookies(block):
            text = 'browsers refuse "*" where credentials are allowed: $http_origin by a map of those that may'
            yield Problem(statement.where, text)


def _reflected(config: Block) -> Iterator[tuple[Block, Statement]]:
    for block, statement in config.everywhere("add_header"):
        if statement.args[0].lower() != "access-control-allow-origin" or _looks_at_origin(block):
            continue
        if any(_is_any_origin(name, block) for name in values.names_in(statement.args[1])):
            yield block, statement


def _with_cookies(block: Block) -> bool:
    return any(
        each.args[0].lower() == "access-control-allow-credentials" and each.args[1].lower() not in ("", "false")
        for each in _fields_of(block)
    )


def _fields_of(block: Block) -> Iterator[Statement]:
    """The add_header lines that hold in a block, with those around it where they are merged."""
    at: Block | None = block
    while at is not None:
        own = at.all("add_header")
        yield from own
        if own and at.value("add_header_inherit") != "merge":
            return
        at = at.outer


def _looks_at_origin(block: Block) -> bool:
    """Whether an `if` around it asked for the origin by a pattern or a name."""
    at: Block | None = block
    while at is not None:
        if at.name == "if" and any("$http_origin" in word.lower() for word in at.args) and len(at.args) > 1:
            return True
        at = at.outer
    return False


def _is_any_origin(name: str, block: Block, steps: int = 4) -> bool:
    """Whether the variable may be whatever the client says its origin is."""
    if name == "http_origin":
        return True
    given = [(text, place) for text, place, _ in values.assigned(name, block)] if steps else []
    http = block.around("http")
    for each in http.walk("map") if http is not None and steps else ():
        if each.args[-1].lower() == f"${name}":
            given += [(line.args[0], each) for line in each.statements if line.name in _ANY and line.args]
    return any(
        _is_any_origin(inner, place, steps - 1)
        for text, place in given
        if not _looks_at_origin(place)
        for inner in values.names_in(text)
        if inner != name
    )
