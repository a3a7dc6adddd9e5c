"""What a configuration has one of: its zones, its log, a block; one directive makes it, others find it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

Value = TypeVar("Value")


class Part(Generic[Value]):
    """The name of such a thing, declared beside its class; `make` where whoever comes first makes it."""

    __slots__ = ("make", "name")

    def __init__(self, name: str, make: Callable[[], Value] | None = None) -> None:
        self.name = name
        self.make = make

    def __repr__(self) -> str:
        return f"Part({self.name!r})"


class Parts:
    """Those of one configuration while it is loaded."""

    def __init__(self) -> None:
        self._made: dict[Part[Any], Any] = {}

    def get(self, part: Part[Value]) -> Value:
        """It, made now if it is not there yet."""
        if part not in self._made:
            if part.make is None:
                raise LookupError(f"there is no {part.name} yet")
            self._made[part] = part.make()
        return cast(Value, self._made[part])

    def find(self, part: Part[Value]) -> Value | None:
        """It, or None if nobody has made it so far."""
        return cast("Value | None", self._made.get(part))

    def put(self, part: Part[Value], value: Value) -> None:
        self._made[part] = value
