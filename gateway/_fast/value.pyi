"""What is evaluated for a request: getters of variables, templates; called in C by what is compiled."""

from collections.abc import Callable, Iterable
from typing import Any

class Value:
    """The base of all of them: `value` is overridden; calling one is the same, for what is not compiled."""

    def __call__(self, request: Any) -> bytes | None: ...
    def value(self, request: Any) -> bytes | None:
        """The bytes for a request (of stream: a session), None where nginx says "not found"."""

class Getter(Value):
    """A function as a value. One that is compiled, and declared in its module's .pxd, is called in C."""

    def __init__(self, function: Callable[[Any], bytes | None]) -> None: ...
    @property
    def function(self) -> Callable[[Any], bytes | None]: ...

class Joined(Value):
    """Text and values, one after the other; what is not found is empty."""

    def __init__(self, parts: Iterable[bytes | Callable[[Any], bytes | None]]) -> None: ...

def value_of(getter: Callable[[Any], bytes | None]) -> Value:
    """The Value that it is, or one that calls it."""
