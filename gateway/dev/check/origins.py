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

_FIELDS: Final = ("$http_origin", "$http_referer")
# What stands where a pattern leaves it open: a part of a name, and a host of one's own with the rest as its path.
_WILD: Final = ("b", "evil", ".evil.example/", "/.evil.example/")
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
        if condition is not None and condition[0] in _FIELDS:
            yield block, block.where, *condition
    for block in config.walk("map"):
        if len(block.args) == 2 and block.args[0] in _FIELDS:
            for line in block.statements:
                if line.name.startswith("~"):
                    yield block, line.where, block.args[0], line.name.lstrip("~*")


def _foreign(pattern: str, origin: bool) -> str:
    """A value of somebody else's that matches; "" if none was found."""
    for sample in patterns.samples(pattern, _WILD):
        text = sample[0]
        if not patterns.matches(pattern, text):
            continue  # an anchor in the middle of it
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
