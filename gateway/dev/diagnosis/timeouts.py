"""A timeout ran out: which directive, its value, where it was set, and what was set in vain."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from gateway.dev.diagnosis.failure import Failure, Family, as_written
from gateway.upstream.exchange.attempt import Stage

if TYPE_CHECKING:
    from gateway.config.parser import Statement

FAMILIES: Final = ("proxy", "uwsgi", "fastcgi", "scgi", "grpc", "memcached")


def _directive(failure: Failure) -> str:
    """The timeout that holds in this stage."""
    stage = failure.attempt.stage
    if stage is Stage.CONNECTING:
        return f"{failure.family}_connect_timeout"
    return f"{failure.family}_{'send' if stage is Stage.SENDING else 'read'}_timeout"


def _key(failure: Failure) -> Hashable:
    location = failure.request.location
    return failure.peer, failure.attempt.stage, id(location)


def _text(failure: Failure) -> str:
    directive = _directive(failure)
    parts = [f"{failure.setting(directive, '60s')} ran out: {failure.figures()}"]
    other = set_in_vain(failure, directive)
    if other is not None:
        right = other.name.replace(other.name.partition("_")[0], failure.family, 1)
        parts.append(
            f"{as_written(other)} says nothing about {failure.family}_pass: write {right} {' '.join(other.args)};"
        )
    parts.append(_advice(failure, directive))
    return ". ".join(parts)


def set_in_vain(failure: Failure, directive: str) -> Statement | None:
    """The same timeout of another family, set for this location by mistake."""
    last = directive.partition("_")[2]
    for family in FAMILIES:
        if family != failure.family:
            found = failure.set_by(f"{family}_{last}")
            if found is not None:
                return found
    return None


def _advice(failure: Failure, directive: str) -> str:
    stage = failure.attempt.stage
    if stage is Stage.CONNECTING:
        return (
            f"{failure.peer} neither takes the connection nor refuses it: a firewall that drops, an address that is "
            "not there, or more connections waiting than the peer's backlog holds"
        )
    if stage is Stage.SENDING:
        return "The peer took no more of the request for that long: the application does not read the body"
    if stage is Stage.TUNNEL:
        return f"Nothing went over the upgraded connection for that long: send pings (WebSocket), or raise {directive}"
    if stage is Stage.READING_BODY:
        return f"The answer stood still for that long: raise {directive} if the application may pause so long"
    advice = f"The application worked for longer, or waits for something: raise {directive} if it may"
    if failure.no_answer and not failure.has_answered and failure.family not in ("proxy", "memcached"):
        advice += (
            f". Or {failure.peer} is a server of another protocol, that waits for the rest of what it takes for its "
            "own (HTTP: proxy_pass): it has answered nothing yet"
        )
    return advice


def _doubtful(failure: Failure) -> bool:
    return failure.no_answer


FAMILY: Final = Family((b"upstream timed out (",), _key, _text, _doubtful)
