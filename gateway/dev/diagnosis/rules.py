"""403, 503 and 429 that the configuration asks for: the rule that refused this client, and where it stands."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from gateway.core.networks import parse_address, parse_network
from gateway.dev.diagnosis.failure import Failure, Family, as_written

if TYPE_CHECKING:
    from gateway.config.loader import Scope
    from gateway.config.parser import Statement

_LIMITS: Final = {b"limiting requests": "limit_req", b"limiting connections": "limit_conn"}


def _limit(failure: Failure) -> str:
    return next((name for begins, name in _LIMITS.items() if failure.message.startswith(begins)), "")


def _key(failure: Failure) -> Hashable:
    return id(failure.request.location), _limit(failure)


def _text(failure: Failure) -> str | None:
    name = _limit(failure)
    if name:
        statement = failure.set_by(name)
        return f"{as_written(statement)} is spent" if statement is not None else None
    address = failure.request.connection.remote()[0]
    rule = _rule(failure, address)
    if rule is None:
        return None
    return f"{as_written(rule)} is the first allow or deny of its block that holds {address.decode('latin-1')}"


def _rule(failure: Failure, text: bytes) -> Statement | None:
    """The first of the innermost block that has such rules."""
    scope: Scope | None = failure.request.location.scope
    while scope is not None:
        rules = [s for s in scope.statements if s.name in ("allow", "deny")]
        if rules:
            return next((rule for rule in rules if _holds(rule.args[0], text)), None)
        scope = scope.parent
    return None


def _holds(network: str, text: bytes) -> bool:
    if network in ("all", "unix:"):
        return network == "all" or text == b"unix:"
    address = parse_address(text)
    return address is not None and parse_network(network)[0].holds(address.plain)


FAMILY: Final = Family((b"access forbidden by rule", *_LIMITS), _key, _text)
