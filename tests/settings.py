"""Whether settings hold what their annotations say, once a configuration is loaded; every test of a block asks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from typing import Any

from gateway.config.conf import UNSET, Conf


@functools.cache
def kinds_of(kind: type[Conf]) -> dict[str, tuple[type, ...]]:
    """The classes that each setting may be of; an annotation of anything else is left to mypy."""
    found = {}
    for name, *_ in kind.settings():
        for base in kind.__mro__:
            text = inspect.get_annotations(base).get(name)
            if text is not None:
                if classes := _classes(text):
                    found[name] = classes
                break
    return found


_PLAIN = {"bool": bool, "int": int, "float": (int, float), "str": str, "bytes": bytes, "None": type(None)}
_CONTAINERS = {"tuple": tuple, "list": list, "dict": dict, "frozenset": frozenset}


def _classes(text: str) -> tuple[type, ...]:
    found: list[type] = []
    for part in text.split(" | "):
        known: Any = _PLAIN.get(part) or _CONTAINERS.get(part.partition("[")[0])
        if known is None:
            return ()
        found += known if isinstance(known, tuple) else (known,)
    return tuple(found)


def lies(confs: Iterable[Conf]) -> list[str]:
    """The settings that are not what they are said to be."""
    found = []
    for conf in confs:
        kind: Any = type(conf)
        for name, classes in kinds_of(kind).items():
            value = getattr(conf, name)
            fits = value is UNSET or (isinstance(value, classes) and (type(value) is not bool or bool in classes))
            if not fits:
                found.append(f"{type(conf).__module__}.{type(conf).__name__}.{name} is {value!r}")
    return found
