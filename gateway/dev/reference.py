"""What is known of a directive: for `gateway help DIRECTIVE`, and for the pages of the documentation.

nginx's table says where it may stand (known), nginx's documentation how it is written and since when (facts), the
modules whether it is built, and gateway's own notes what it is for.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.config import known
from gateway.config.directive import Arguments, Directive
from gateway.config.known import Known
from gateway.config.loader import CONTEXT_NAMES
from gateway.dev import facts, notes
from gateway.dev.supported import plain
from gateway.modules import MODULES

_COUNTS: Final = {"noargs": "nothing", "any": "any number of arguments", "flag": "on or off"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A directive, as one module has it."""

    name: str
    module: str  # nginx's plain name of it, or whose it is
    whose: str
    area: str
    takes: str
    block: bool
    contexts: tuple[str, ...]
    state: str
    syntax: tuple[str, ...]
    default: tuple[str, ...]
    since: str
    note: notes.Note
    more: tuple[str, ...] = ()  # parameters of NGINX Plus or gateway's own

    def usages(self) -> list[str]:
        """The forms with the directive's name, as they are written."""
        end = " { … }" if self.block else ";"
        return [" ".join(f"{self.name} {form}".split()) + end for form in self.syntax]


def declared(name: str) -> list[Directive]:
    """What the modules declare by this name."""
    return [each for module in MODULES for each in module.directives if each.name == name]  # type: ignore[attr-defined]


def words(entry: Entry) -> tuple[str, ...]:
    """The words that it takes one or more of, where its syntax does not name them."""
    said = " ".join([*entry.syntax, *entry.more])
    found: dict[str, None] = {}
    for each in declared(entry.name):
        if _names(each) & set(entry.contexts) and inspect.isfunction(each.set):
            found |= dict.fromkeys(inspect.getclosurevars(each.set).nonlocals.get("folded", ()))
    return (
        tuple(found)
        if any(not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", said, re.I) for word in found)
        else ()
    )


def entries(name: str) -> list[Entry]:
    """A directive, as each module that has it has it."""
    found = [_of_nginx(entry) for entry in known.table().get(name, ())]
    if name in known.OWN:
        found += [_own(each, known.OWN[name]) for each in declared(name)]
    return list(dict.fromkeys(found))


def _of_nginx(entry: Known) -> Entry:
    state = "built"
    if entry.no_effect:
        state = f"accepted, without effect: {entry.no_effect}"
    elif entry.name != "include" and not any(_names(each) & entry.contexts for each in declared(entry.name)):
        state = "not built yet: refused, with file and line"
    fact = facts.table().get((entry.name, entry.module))
    area = facts.area_of(entry.module)
    note = notes.note(entry.name, area)
    return Entry(
        name=entry.name,
        module=plain(entry.module),
        whose=f"nginx's {plain(entry.module)}",
        area=area,
        takes=_takes(entry.arguments),
        block=entry.block,
        contexts=tuple(sorted(entry.contexts, key=_order)),
        state=state,
        syntax=fact.syntax if fact else _one(note.syntax),
        default=fact.default if fact else _one(note.default),
        since=fact.since if fact else "",
        note=note,
        more=known.OWN_PARAMETERS.get((entry.module, entry.name), ()),
    )


def _own(directive: Directive, owner: str) -> Entry:
    contexts = _names(directive)
    area = "stream" if any(context.startswith("stream") for context in contexts) else "http"
    note = notes.note(directive.name, area)
    return Entry(
        name=directive.name,
        module=f"of {owner}",
        whose="gateway's own, nginx does not have it" if owner == "gateway" else f"of {owner}, in its syntax",
        area=area,
        takes=_counts(directive.arguments),
        block=directive.block,
        contexts=tuple(sorted(contexts, key=_order)),
        state="built",
        syntax=_one(note.syntax),
        default=_one(note.default),
        since="",
        note=note,
    )


def _one(text: str) -> tuple[str, ...]:
    return tuple("" if each == "-" else each for each in text.split(facts.NEXT)) if text else ()


def text(name: str) -> str:
    """All that is known of a directive, as paragraphs; nothing where it is not known."""
    return "\n\n".join(dict.fromkeys("\n".join(_lines(entry)) for entry in entries(name)))


def _lines(entry: Entry) -> Iterator[str]:
    yield f"{entry.name}  ({entry.whose})"
    if entry.note.purpose:
        yield f"  {entry.note.purpose}"
    for usage in entry.usages():
        yield f"  syntax   {usage}"
    yield f"  takes    {entry.takes}{', and a block' if entry.block else ''}"
    if words(entry):
        yield f"  words    {', '.join(words(entry))}"
    for default in entry.default:
        yield f"  default  {entry.name} {default};"
    yield f"  context  {', '.join(entry.contexts)}"
    if entry.since:
        yield f"  since    nginx {entry.since}"
    yield f"  here     {entry.state}"
    if entry.more:
        yield f"           and takes {', '.join(entry.more)}, which open nginx does not"
    if entry.note.example:
        yield f"  example  {entry.note.example}"


def _names(directive: Directive) -> set[str]:
    return {name for context, name in CONTEXT_NAMES.items() if context & directive.contexts}


def _order(context: str) -> int:
    names = list(CONTEXT_NAMES.values())
    return names.index(context) if context in names else len(names)


def _takes(kinds: str) -> str:
    return ", or ".join(_COUNTS.get(kind) or _kind(kind) for kind in kinds.split())


def _kind(kind: str) -> str:
    if kind.endswith("more"):
        return f"{kind[0]} or more arguments"
    numbers = kind.removeprefix("take")
    if numbers == "1":
        return "1 argument"
    return f"{', '.join(numbers[:-1])}{' or ' if len(numbers) > 1 else ''}{numbers[-1]} arguments"


def _counts(arguments: Arguments) -> str:
    if arguments.is_flag:
        return _COUNTS["flag"]
    if arguments.minimum is not None:
        return f"{arguments.minimum} or more arguments" if arguments.minimum else _COUNTS["any"]
    numbers = sorted(arguments.counts)
    return _kind(f"take{''.join(map(str, numbers))}") if numbers != [0] else _COUNTS["noargs"]


def nearest(name: str) -> str:
    """A directive that may have been meant."""
    near = difflib.get_close_matches(name, [*known.table(), *known.OWN], 1)
    return near[0] if near else ""


def names() -> list[str]:
    return sorted({*known.table(), *known.OWN})
