"""Which modules a configuration can use: the others are not imported.

It is a matter of time and memory alone. A module is taken when one of its directives or variables is named, when one
that is taken has imported it, or when it does something although nothing names it. What is wrong in a configuration is
said by all modules together (gateway.process.load), so that a choice never changes an error.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from gateway.modules import packages, table
from gateway.modules.http import ORDER, named
from gateway.modules.words import WORDS

if TYPE_CHECKING:
    from gateway.config.parser import Source, Statement
    from gateway.mail.module import MailModule
    from gateway.stream.module import StreamModule

# They have a part in a location that says nothing, or are the ground of the others.
ALWAYS: Final = frozenset(
    (
        *("core", "listen", "upstream", "v2", "error_log", "diagnosis", "location", "types", "file_access", "rewrite"),
        *("index", "static", "log", "not_modified", "headers", "copy", "range"),
    )
)
# Parameters of directives of other modules that something is to be done about.
_PARAMETERS: Final = {
    "ssl": (b"ssl", b"quic"),
    "v3": (b"quic",),
    "zone_sync": (b"sync", b"exact"),
}
# What may name any variable while a request is served.
_NAME_ANYTHING: Final = ("py", "ssi")
# What has no words of its own comes with these: their subrequests are put in order by postpone.
BROUGHT: Final = {"postpone": ("addition", "slice", "ssi")}
_VARIABLE: Final = re.compile(rb"\$\{?(\w+)")


def chosen(source: Source) -> tuple[object, ...]:
    """The modules for a configuration as it was read."""
    names: set[str] = set()
    _add_names(source.statements.readable(), names)
    stream: tuple[StreamModule, ...] = ()
    mail: tuple[MailModule, ...] = ()
    if "stream" in names:
        from gateway.modules.stream import STREAM_MODULES as stream
    if "mail" in names:
        from gateway.modules.mail import MAIL_MODULES as mail
    if "http" not in names:
        return table((), stream, mail)
    named(wanted(source, names))
    # whose settings another one reads, it has imported
    http = named(name for name in ORDER if f"gateway.modules.http.{name}" in sys.modules)
    return table((*http, *packages.of(source.statements.readable())), stream, mail)


def everything(source: Source) -> tuple[object, ...]:
    """All modules there are, and those that packages bring for this configuration."""
    from gateway.modules.http import HTTP_MODULES
    from gateway.modules.mail import MAIL_MODULES
    from gateway.modules.stream import STREAM_MODULES

    return table((*HTTP_MODULES, *packages.of(source.statements.readable())), STREAM_MODULES, MAIL_MODULES)


def wanted(source: Source, names: set[str]) -> list[str]:
    """Those of http that are asked for, by directives of these names and by what stands in the text."""
    text = b"\n".join([data for _, data in source.files])
    words = names | {name.decode("ascii", "replace").lower() for name in _VARIABLE.findall(text)}
    found = {name for name, own in WORDS.items() if not words.isdisjoint(own.split())}
    if not found.isdisjoint(_NAME_ANYTHING):
        return list(ORDER)
    found |= ALWAYS
    found |= {name for name, parameters in _PARAMETERS.items() if any(each in text for each in parameters)}
    found |= {name for name, by in BROUGHT.items() if not found.isdisjoint(by)}
    if "upstream" in names:
        found |= {name for name in ORDER if name.startswith("upstream_")}
    return [name for name in ORDER if name in found]


def _add_names(statements: Iterable[Statement], names: set[str]) -> None:
    for statement in statements:
        names.add(statement.name)
        if statement.block is not None:
            _add_names(statement.block.readable(), names)
