"""headers_more's other half: `more_set_input_headers` and `more_clear_input_headers` change the fields of requests.

They are changed when the rewrite phase is over, before everything that looks at who asks and before any upstream; the
variables ($http_name, $host) have the new values from there on, also in the access log. How long a body is, is not for
a configuration to say: Content-Length and Transfer-Encoding are left as the client sent them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway._fast.errors import HeadError
from gateway._fast.http1 import with_fields
from gateway.config.conf import setting
from gateway.config.directive import EVERYWHERE, LIF, Command, Directive, at_least
from gateway.config.text import to_bytes
from gateway.http.module import NOTHING, Contribution, HttpModule, Phase, Result
from gateway.http.setters import template
from gateway.modules.http.headers_more import Changing, words_of

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.http.locations import Location
    from gateway.http.request import Request

_FRAMING: Final = (b"content-length", b"transfer-encoding")

Fields = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one directive."""

    name: bytes
    value: Template | None  # None: it goes
    types: frozenset[bytes]  # of requests' Content-Type; empty: all
    replace: bool  # only what is there

    def apply(self, fields: Fields, value: bytes) -> Fields:
        lower = self.name.lower()
        if not value and lower.endswith(b"*"):
            return [field for field in fields if not field[0].lower().startswith(lower[:-1])]
        kept: Fields = []
        done = False
        for field in fields:
            if field[0].lower() != lower:
                kept.append(field)
            elif value and not done:  # the first has the new value, its place and its spelling; the others go
                kept.append((field[0], value))
                done = True
        if value and not done and not self.replace:
            kept.append((self.name, value))
        return kept


@dataclass(slots=True)
class LocationConf(Changing):
    changes: tuple[Change, ...] = setting(())


def set_headers(conf: LocationConf, command: Command) -> None:
    """more_set_input_headers [-r] [-t "text/plain"] 'Name: value' … and more_clear_input_headers [-t …] Name …"""
    words = words_of(command, "-t", "-r")
    changes = []
    for name, text in words.fields:
        if name.lower() in _FRAMING:
            said = name.decode("latin-1")
            command.warn(f'"{said}" of a request is not changed: its body is as long as the client said')
            continue
        changes.append(Change(name, template(command, text) if text else None, frozenset(words.types), words.option))
    conf.add(changes)


def plan(settings: LocationConf, location: Location) -> Contribution:
    changes: tuple[Change, ...] = tuple(settings.changes)
    if not changes:
        return NOTHING

    def change_head(request: Request) -> Result:
        media = (request.head.content_type or b"").partition(b";")[0].strip().lower()
        for change in changes:
            if change.types and media not in change.types:
                continue
            fields = request.head.fields()
            value = b"" if change.value is None else change.value(request)
            changed = change.apply(fields, value)
            if changed == fields:
                continue
            try:
                request.head = with_fields(request.head, changed)
            except HeadError as error:  # a Host made of what the client sent, say
                request.log("info", to_bytes(f"{error} by {change.name.decode('latin-1')} as configured"))
                return error.status
            if change.name.lower() == b"host":
                request.host = request.head.hostname if value else b""
        return None

    return Contribution(handlers={Phase.PREACCESS: change_head})


module = HttpModule(
    name="headers_more_input",
    location=LocationConf,
    directives=(
        Directive("more_set_input_headers", EVERYWHERE | LIF, at_least(1), set_headers),
        Directive("more_clear_input_headers", EVERYWHERE | LIF, at_least(1), set_headers),
    ),
    plan=plan,
)
