"""The name of an upstream that came out of variables: empty, without a scheme, or one that nobody knows."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Final

from gateway.dev.diagnosis.failure import Failure, Family, as_written, shown

if TYPE_CHECKING:
    from gateway.config.parser import Statement

_PASS: Final = ("proxy_pass", "uwsgi_pass", "fastcgi_pass", "scgi_pass", "grpc_pass", "memcached_pass")
_RESOLV_CONF: Final = "/etc/resolv.conf"
_NO_RESOLVER: Final = b"no resolver defined to resolve "
_UNRESOLVED: Final = re.compile(rb"(\S+) could not be resolved \((\d+):")
_NOT_FOUND, _TIMED_OUT, _REFUSED = 3, 110, 5  # the codes of nginx's resolver


def _key(failure: Failure) -> Hashable:
    return id(failure.request.location), failure.message


def _text(failure: Failure) -> str:
    message = failure.message
    target = failure.set_by(*_PASS)
    named = as_written(target) if target is not None else "a *_pass with variables"
    if message.startswith(_NO_RESOLVER):
        name = message.removeprefix(_NO_RESOLVER).decode("utf-8", "surrogateescape")
        return (
            f"{named} has variables, so its name is looked up at each request, and that needs to know whom to ask: "
            f"write resolver {' '.join(nameservers()) or 'ADDRESS'}; (here those of {_RESOLV_CONF}), or an upstream "
            f"{name} {{ server …; }}, or no variables"
        )
    found = _UNRESOLVED.match(message)
    if found is None:
        return _unusable(failure, named)
    name, code = found[1].decode("utf-8", "surrogateescape"), int(found[2])
    resolver = failure.setting("resolver", "none")
    if code == _NOT_FOUND:
        search = f"; search domains of {_RESOLV_CONF} are not tried: write the full name"
        hint = "" if "." in name.rstrip(".") else search
        return (
            f"the servers of {resolver} know no {name}: a name that is misspelt or gone, or one that only /etc/hosts "
            f"has, which a resolver does not read{hint}"
        )
    if code == _TIMED_OUT:
        timeout = failure.setting("resolver_timeout", "30s")
        return (
            f"nobody of {resolver} answered within {timeout}: a wrong address, a firewall (UDP port 53), or it is off"
        )
    return f"the servers of {resolver} did not answer the question for {name}"


def _unusable(failure: Failure, named: str) -> str:
    """The variables of a `*_pass` make no address."""
    values = ", ".join(f"{name} is {shown(value)}" for name, value in _values(failure)[:4])
    what = f": {values}" if values else ""
    if failure.message.startswith(b"invalid URL prefix"):
        return f"{named} has to begin with http:// or https:// once its variables are put in{what}"
    if failure.message.startswith(b"no port"):
        return f"{named} has to name a port once its variables are put in{what}"
    return f"{named} names no host once its variables are put in{what}: a map without a default, or nothing sent"


def _values(failure: Failure) -> list[tuple[str, bytes]]:
    """The variables of the `*_pass` with what they are for this request, shown short."""
    target = failure.set_by(*_PASS)
    found: list[tuple[str, bytes]] = []
    for name in _names(target) if target is not None else ():
        getter = failure.request.cycle.variables.reference(name, target.where if target is not None else None)
        found.append((f"${name}", getter(failure.request) or b""))
    return found


def _names(target: Statement) -> Iterator[str]:
    yield from dict.fromkeys(re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", target.args[0]))


def nameservers(file: str = _RESOLV_CONF) -> list[str]:
    """The servers that the system asks, as `resolver` writes them."""
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            words = [line.split() for line in lines]
    except OSError:
        return []
    return [f"[{w[1]}]" if ":" in w[1] else w[1] for w in words if len(w) > 1 and w[0] == "nameserver"][:3]


FAMILY: Final = Family(
    (_NO_RESOLVER, *(b"no host in upstream", b"no port in upstream", b"invalid URL prefix in")),
    _key,
    _text,
    matches=_UNRESOLVED,
)
