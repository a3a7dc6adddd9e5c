"""headers_more: `more_set_headers` and `more_clear_headers`, of the headers-more module: any field, any status.

They work before add_header. Those of outer blocks are done first, then the block's own. The fields of requests are
changed by headers_more_input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, LIF, Command, Directive, at_least
from gateway.config.text import to_bytes
from gateway.http.module import NOTHING, BodyFilter, Contribution, HttpModule
from gateway.http.setters import template

if TYPE_CHECKING:
    from gateway.core.template import Template
    from gateway.http.locations import Location
    from gateway.http.request import Request
    from gateway.http.response import Response


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one directive."""

    name: bytes
    value: Template | None  # None: it goes
    statuses: frozenset[int]  # empty: all, as below
    types: frozenset[bytes]
    append: bool

    def meets(self, response: Response) -> bool:
        if self.statuses and response.status not in self.statuses:
            return False
        return not self.types or (response.content_type or b"").partition(b";")[0].strip().lower() in self.types


@dataclass(slots=True)
class LocationConf(Conf):
    changes: tuple[Change, ...] = setting(())

    def merge(self, outer: LocationConf | None, nameless: bool = False) -> None:
        own = self.changes is not UNSET
        Conf.merge(self, outer, nameless)
        if own and outer is not None:
            self.changes = (*outer.changes, *self.changes)


def set_headers(conf: LocationConf, command: Command) -> None:
    """more_set_headers [-s "404 500"] [-t "text/html"] [-a] 'Name: value' …"""
    clear = command.name == "more_clear_headers"
    statuses: set[int] = set()
    types: set[bytes] = set()
    append = False
    fields: list[tuple[bytes, str]] = []
    words = iter(command.args)
    for word in words:
        if word in ("-s", "-t"):
            given = next(words, "").split()
            if not given:
                command.fail(f'{command.name}: option "{word}" has no value')
            if word == "-t":
                types |= {to_bytes(text.lower()) for text in given}
            elif all(text.isascii() and text.isdigit() for text in given):
                statuses |= set(map(int, given))
            else:
                command.fail(f'{command.name}: invalid status in "{" ".join(given)}"')
        elif word == "-a" and not clear:
            append = True
        elif word.startswith("-"):
            command.fail(f'{command.name}: unknown option name: "{word}"')
        else:
            name, _, value = word.partition(":")
            if not name.strip():
                command.fail(f'{command.name}: no name in "{word}"')
            fields.append((to_bytes(name.strip()), "" if clear else value.strip()))
    if not fields:
        command.fail(f"{command.name}: no header is named")
    conf.changes = () if conf.changes is UNSET else conf.changes
    for field_name, text in fields:
        made = template(command, text) if text else None
        conf.changes = (*conf.changes, Change(field_name, made, frozenset(statuses), frozenset(types), append))


def put(response: Response, name: bytes, value: bytes) -> None:
    """Set a field, or take it away with an empty value; those that a response keeps apart are attributes."""
    lower = name.lower()
    if lower == b"server":
        response.server = value
    elif lower == b"date":
        response.date = value
    elif lower == b"content-type":
        response.content_type = value or None
        response.charset = response.charset_text = None
    elif lower == b"content-length":
        response.clear_content_length()  # how long the body is, is not for a configuration to say
    elif lower == b"location":
        response.location = value or None
    elif lower == b"etag":
        response.etag = value or None
    elif lower == b"last-modified":
        response.clear_last_modified()
        response.last_modified_text = value or None
        if value:
            response.place(b"Last-Modified", lower)
    elif value:
        response.set(name, value)
    else:
        response.remove(lower)


def _clear_family(response: Response, prefix: bytes) -> None:
    """`X-*`."""
    for lower in {name.lower() for name, _ in response.fields}:
        if lower.startswith(prefix):
            response.remove(lower)


def plan(settings: LocationConf, location: Location) -> Contribution:
    changes: tuple[Change, ...] = tuple(settings.changes)
    if not changes:
        return NOTHING

    def filter_head(request: Request) -> BodyFilter | None:
        if request.parent is not None:
            return None
        response = request.response
        for change in changes:
            if not change.meets(response):
                continue
            value = b"" if change.value is None else change.value(request)
            if change.append and value:
                response.fields.append((change.name, value))
            elif not value and change.name.endswith(b"*"):
                _clear_family(response, change.name[:-1].lower())
            else:
                put(response, change.name, value)
        return None

    return Contribution(head_filter=filter_head)


module = HttpModule(
    name="headers_more",
    location=LocationConf,
    directives=(
        Directive("more_set_headers", EVERYWHERE | LIF, at_least(1), set_headers),
        Directive("more_clear_headers", EVERYWHERE | LIF, at_least(1), set_headers),
    ),
    plan=plan,
)
