"""Rewriting of what an upstream says about itself: `proxy_redirect`, `proxy_cookie_domain`, `proxy_cookie_path`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway.core.template import Template

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
        attributes.append((name.strip(b" "), text.strip(b" ") if equals else None))
    return attributes


_SECURE: Final = b"Secure"
_HTTP_ONLY: Final = b"HttpOnly"
_SAME_SITE: Final = b"SameSite"
_NAMES: Final = {name.lower(): name for name in (_SECURE, _HTTP_ONLY, _SAME_SITE)}
# The words of `proxy_cookie_flags`: what is added, with which value, and what is taken away.
_ADDED: Final[dict[bytes, Attribute]] = {
    b"secure": (_SECURE, None),
    b"httponly": (_HTTP_ONLY, None),
    b"samesite=strict": (_SAME_SITE, b"Strict"),
    b"samesite=lax": (_SAME_SITE, b"Lax"),
    b"samesite=none": (_SAME_SITE, b"None"),
}
_TAKEN: Final = {b"nosecure": _SECURE, b"nohttponly": _HTTP_ONLY, b"nosamesite": _SAME_SITE}


class FlagRule:
    """`proxy_cookie_flags`: which cookies, and what is added to or taken from them."""

    __slots__ = ("flags", "matches")

    def __init__(self, matches: Callable[[Any, bytes], bool], flags: Sequence[Callable[[Any], bytes]]) -> None:
        self.matches = matches
        self.flags = tuple(flags)

    def change(self, request: Request, attributes: list[Attribute]) -> list[Attribute] | None:
        """The attributes with the flags; None where variables left no flag. A flag that is there stays in its place."""
        words = [flag(request).lower() for flag in self.flags]
        added = dict(_ADDED[word] for word in words if word in _ADDED)
        taken = {_TAKEN[word] for word in words if word in _TAKEN}
        if not added and not taken:
            return None
        changed = attributes[:1]
        for name, text in attributes[1:]:
            flag = _NAMES.get(name.lower(), b"")
            if flag in added:
                wanted = added.pop(flag)
                if wanted is not None and (text or b"").lower() != wanted.lower():
                    changed.append((flag, wanted))
                    continue
            elif flag in taken:
                continue
            changed.append((name, text))
        return changed + [(flag, added[flag]) for flag in (_SECURE, _HTTP_ONLY, _SAME_SITE) if flag in added]


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
            flagged = rule.change(request, attributes)
            if flagged is not None:
                attributes, changed = flagged, True
            break
    if not changed:
        return None
    return b"; ".join(name if text is None else name + b"=" + text for name, text in attributes)
