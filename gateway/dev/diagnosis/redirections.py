"""A request that leads to itself again and again: which directive leads there."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from gateway.dev.diagnosis.failure import Failure, Family, as_written

_BEGINS: Final = b"rewrite or internal redirection cycle"
# In the order in which they are looked for: what leads on by itself, and when a file is missing.
_LEADS: Final = ("try_files", "error_page", "index")


def _key(failure: Failure) -> Hashable:
    return id(failure.request.location), failure.message


def _text(failure: Failure) -> str:
    request = failure.request
    if b"while processing" in failure.message:
        rules = [s for s in request.location.scope.statements if s.name == "rewrite"]
        shown = f": {as_written(rules[0])}" if rules else ""
        return f"a rewrite leads to a URI that it fits again{shown}; write break or a narrower pattern in its place"
    for name in _LEADS:
        statement = failure.set_by(name)
        if statement is None:
            continue
        if name == "try_files":
            last = statement.args[-1]
            return (
                f"{as_written(statement)}: none of its files is there, and its last parameter, {last}, leads to a "
                f"location where the same is tried again: the file for {last} is missing, or it should end in =404"
            )
        return f"{as_written(statement)} leads to a URI that fails in the same way, so that it leads there again"
    return "what answers here leads to itself"


FAMILY: Final = Family((_BEGINS,), _key, _text)
