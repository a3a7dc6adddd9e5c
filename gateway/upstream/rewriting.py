"""Rewriting of what an upstream says about itself: `proxy_redirect`, `proxy_cookie_domain`, `proxy_cookie_path`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gateway.http.template import Template

if TYPE_CHECKING:
    from gateway.core.regex import Regex
    from gateway.http.request import Request

Text = Callable[[Any], bytes]
# (request, value) -> the new value, None: the rule does not apply
Rule = Callable[["Request", bytes], "bytes | None"]


def constant(value: bytes) -> Text:
    return lambda request: value


def prefix_rule(pattern: Text, replacement: Text) -> Rule:
    """The beginning of the value is replaced."""

    def rewrite(request: Request, value: bytes) -> bytes | None:
        start = pattern(request)
        return replacement(request) + value[len(start) :] if value.startswith(start) else None

    return rewrite


def regex_rule(pattern: Regex, replacement: Template) -> Rule:
    """A value that matches is replaced, with the pattern's groups."""

    def rewrite(request: Request, value: bytes) -> bytes | None:
        captures = pattern.search(value)
        if captures is None:
            return None
        request.matched(captures)
        return replacement(request)

    return rewrite


def domain_rule(pattern: Template, replacement: Template) -> Rule:
    """A whole domain, in any case; a leading dot stays."""

    def rewrite(request: Request, value: bytes) -> bytes | None:
        dot, name = (b".", value[1:]) if value.startswith(b".") else (b"", value)
        wanted = pattern(request)
        return dot + replacement(request) if name.lower() == wanted.lower() else None

    return rewrite


def apply(rules: Sequence[Rule], request: Request, value: bytes) -> bytes | None:
    """The first rule that applies."""
    for rule in rules:
        changed = rule(request, value)
        if changed is not None:
            return changed
    return None


def redirect_field(rules: Sequence[Rule], request: Request, lower: bytes, value: bytes) -> bytes | None:
    """Location, or the URL of Refresh."""
    start = 0
    if lower == b"refresh":
        start = value.lower().find(b"url=") + 4
        if start < 4:
            return None
    changed = apply(rules, request, value[start:])
    return None if changed is None else value[:start] + changed


Attribute = tuple[bytes, "bytes | None"]


def split_cookie(value: bytes) -> list[Attribute]:
    """Set-Cookie's name and value, then its attributes."""
    attributes: list[Attribute] = []
    for part in value.split(b";"):
        name, equals, text = part.partition(b"=")
        attributes.append((name.strip(b" \t"), text.strip(b" \t") if equals else None))
    return attributes


class FlagRule:
    """`proxy_cookie_flags`: which cookies, and what is added to or taken from them."""

    __slots__ = ("flags", "matches")

    def __init__(self, matches: Callable[[Any, bytes], bool], flags: Sequence[Callable[[Any], bytes]]) -> None:
        self.matches = matches
        self.flags = tuple(flags)

    def change(self, request: Request, attributes: list[Attribute]) -> list[Attribute]:
        for flag in self.flags:
            word = flag(request)
            name, keep, setting = _flag(word)
            attributes = [attributes[0], *(item for item in attributes[1:] if item[0].lower() != name.lower())]
            if keep:
                attributes.append((name, setting))
        return attributes


def _flag(word: bytes) -> tuple[bytes, bool, bytes | None]:
    lower = word.lower()
    if lower in (b"secure", b"nosecure"):
        return b"Secure", lower == b"secure", None
    if lower in (b"httponly", b"nohttponly"):
        return b"HttpOnly", lower == b"httponly", None
    if lower == b"nosamesite":
        return b"SameSite", False, None
    if lower.startswith(b"samesite="):
        return b"SameSite", True, lower[9:].title()
    raise ValueError(word)


def check_flag(word: bytes) -> None:
    """Errors: ValueError for what is no flag."""
    name, keep, setting = _flag(word)
    if keep and name == b"SameSite" and setting not in (b"Strict", b"Lax", b"None"):
        raise ValueError(word)


def rewrite_cookie(
    request: Request, value: bytes, domains: Sequence[Rule], paths: Sequence[Rule], flags: Sequence[FlagRule]
) -> bytes | None:
    """Set-Cookie with its Domain and Path rewritten and its flags changed."""
    attributes = split_cookie(value)
    if attributes[0][1] is None:
        return None
    changed = False
    for index, (name, text) in enumerate(attributes[1:], 1):
        rules = {b"domain": domains, b"path": paths}.get(name.lower(), ())
        if text is not None and rules:
            new = apply(rules, request, text)
            if new is not None:
                attributes[index] = (name, new)
                changed = True
    for rule in flags:
        if rule.matches(request, attributes[0][0]):
            after = rule.change(request, attributes)
            changed = changed or after != attributes
            attributes = after
            break
    if not changed:
        return None
    return b"; ".join(name if text is None else name + b"=" + text for name, text in attributes)
