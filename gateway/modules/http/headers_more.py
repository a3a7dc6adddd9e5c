"""headers_more: `more_set_headers` and `more_clear_headers`, of the headers-more module: any field, any status.

They work before add_header. Those of outer blocks are done first, then the block's own. The fields of requests are
changed by headers_more_input.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
class Words:
    """What stands behind one directive: options, and each field with its text ("": it goes)."""

    statuses: set[int]
    types: set[bytes]
    option: bool  # the one without a value was given
    fields: list[tuple[bytes, str]]


class Changing(Conf):
    """Settings whose `changes` are done from the outside in."""

    changes: Any

    def merge(self, outer: Any, nameless: bool = False) -> None:
        own = self.changes is not UNSET
        Conf.merge(self, outer, nameless)
        if own and outer is not None:
            self.changes = (*outer.changes, *self.changes)

    def add(self, changes: Iterable[Any]) -> None:
        self.changes = (*(() if self.changes is UNSET else self.changes), *changes)


@dataclass(slots=True)
class LocationConf(Changing):
    changes: tuple[Change, ...] = setting(())


def words_of(command: Command, lists: str, option: str) -> Words:
    """Read a directive of this module; `lists` are the options with a value ("-s -t"), `option` is one without."""
    clear = command.name.startswith("more_clear_")
    found = Words(set(), set(), False, [])
    words = iter(command.args)
    for word in words:
        if word in lists.split():
            given = next(words, "").split()
            if not given:
                command.fail(f'{command.name}: option "{word}" has no value')
            if word == "-t":
                found.types |= {to_bytes(text.lower()) for text in given}
            elif all(text.isascii() and text.isdigit() for text in given):
                found.statuses |= set(map(int, given))
            else:
                command.fail(f'{command.name}: invalid status in "{" ".join(given)}"')
        elif word == option and not clear:
            found.option = True
        elif word.startswith("-"):
            command.fail(f'{command.name}: unknown option name: "{word}"')
        else:
            name, _, value = word.partition(":")
            if not name.strip():
                command.fail(f'{command.name}: no name in "{word}"')
            found.fields.append((to_bytes(name.strip()), "" if clear else value.strip()))
    if not found.fields:
        command.fail(f"{command.name}: no header is named")
    return found


def set_headers(conf: LocationConf, command: Command) -> None:
    """more_set_headers [-s "404 500"] [-t "text/html"] [-a] 'Name: value' …"""
    words = words_of(command, "-s -t", "-a")
    statuses, types = frozenset(words.statuses), frozenset(words.types)
    conf.add(
        Change(name, template(command, text) if text else None, statuses, types, words.option)
        for name, text in words.fields
    )


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
