"""proxy_rewrite: the setters of `proxy_redirect` and the `proxy_cookie_` directives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.config.conf import UNSET
from gateway.config.directive import Command
from gateway.http.setters import regex, template
from gateway.upstream.exchange.rewriting import FlagRule, Rule, domain_rule, prefix_rule, regex_rule


def _rule(command: Command, plain: Callable[[Any, Any], Rule], *, caseless: bool = False) -> Rule:
    """The rule of `pattern replacement`."""
    pattern, replacement = command.args
    if pattern.startswith("~"):
        marked = pattern.startswith("~*") and not caseless
        compiled = regex(command, pattern[2 if marked else 1 :], caseless or marked)
        return regex_rule(compiled, template(command, replacement))
    return plain(template(command, pattern), template(command, replacement))


def _off(conf: Any, field_name: str, command: Command) -> bool:
    """`off` stands alone, and neither after nor before anything else."""
    rules = getattr(conf, field_name)
    if rules == () and rules is not UNSET:
        command.duplicate()
    if len(command.args) == 1 and command.args[0] == "off":
        command.once(rules)
        setattr(conf, field_name, ())
        return True
    return False


def _add(conf: Any, field_name: str, rule: Any) -> None:
    rules = getattr(conf, field_name)
    setattr(conf, field_name, (*(() if rules is UNSET else rules), rule))


def add_redirect(conf: Any, command: Command, default: Callable[[Any], Rule]) -> None:
    """`proxy_redirect default | off | redirect replacement`."""
    if _off(conf, "redirects", command):
        return
    if len(command.args) == 2:
        _add(conf, "redirects", _rule(command, prefix_rule))
        return
    if command.args[0] != "default":
        command.fail(f'invalid parameter "{command.args[0]}"')
    if conf.passing is UNSET:
        command.fail('"proxy_redirect default" should be placed after the "proxy_pass" directive')
    if conf.passing.destination is None:
        command.fail('"proxy_redirect default" cannot be used with "proxy_pass" directive with variables')
    _add(conf, "redirects", default(conf.passing))


def _add_cookie_rule(
    conf: Any, command: Command, field_name: str, plain: Callable[[Any, Any], Rule], *, caseless: bool = False
) -> None:
    if _off(conf, field_name, command):
        return
    if len(command.args) == 1:
        command.fail(f'invalid parameter "{command.args[0]}"')
    _add(conf, field_name, _rule(command, plain, caseless=caseless))


def add_cookie_domain(conf: Any, command: Command) -> None:
    """`proxy_cookie_domain off | domain replacement`; a leading dot is of no account."""
    if len(command.args) == 2:
        command.args[:] = (text.removeprefix(".") for text in command.args)
    _add_cookie_rule(conf, command, "cookie_domains", domain_rule, caseless=True)


def add_cookie_path(conf: Any, command: Command) -> None:
    """`proxy_cookie_path off | path replacement`."""
    _add_cookie_rule(conf, command, "cookie_paths", prefix_rule)


def add_cookie_flags(conf: Any, command: Command) -> None:
    """`proxy_cookie_flags off | cookie [flag …]`."""
    if _off(conf, "cookie_flags", command):
        return
    name, *words = command.args
    if not words:
        command.fail(f'invalid parameter "{name}"')
    if name.startswith("~"):
        pattern = regex(command, name[1:], caseless=True)

        def matches(request: Any, cookie: bytes) -> bool:
            captures = pattern.search(cookie)
            if captures is not None:
                request.matched(captures)
            return captures is not None
    else:
        wanted = template(command, name)

        def matches(request: Any, cookie: bytes) -> bool:
            return cookie.lower() == wanted(request).lower()

    flags = []
    for word in words:
        flags.append(template(command, word))  # one that is none has no effect, as one made of variables has not
    _add(conf, "cookie_flags", FlagRule(matches, flags))
