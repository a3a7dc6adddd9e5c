"""Templates: text with variables and captures, compiled at load; nginx's complex values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway._fast.value import Joined, Value, value_of
from gateway.config.errors import ConfigError, Where
from gateway.config.text import to_bytes
from gateway.core.variables import Variable

if TYPE_CHECKING:
    from gateway.core.variables import Getter, Registry

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

Part = "bytes | Getter"


class Capture(Value):
    """$1 … $9: a group of the last regular expression that matched."""

    def __init__(self, number: int) -> None:
        self.number = number

    def value(self, request: Any) -> bytes | None:
        captures = request.captures
        return captures.group(self.number) if captures is not None else None


def parse(
    text: str, registry: Registry, where: Where | None = None, capture: Callable[[int], Getter] = Capture
) -> list[bytes | Getter]:
    """Split a text at its variables as nginx's ngx_http_script_compile does; `capture` makes the getters of $1 … $9."""
    parts: list[bytes | Getter] = []
    literal: list[str] = []
    i, end = 0, len(text)
    while i < end:
        char = text[i]
        if char != "$":
            j = text.find("$", i)
            j = end if j < 0 else j
            literal.append(text[i:j])
            i = j
            continue
        i += 1
        if i == end:
            raise ConfigError("invalid variable name", where)
        if text[i] in "123456789":
            _flush(literal, parts)
            parts.append(capture(int(text[i])))
            i += 1
            continue
        braced = text[i] == "{"
        if braced:
            i += 1
        start = i
        while i < end and text[i] in _NAME:
            i += 1
        name = text[start:i]
        if braced:
            if i == end or text[i] != "}":
                raise ConfigError(f'the closing bracket in "{name}" variable is missing', where)
            i += 1
        if not name:
            raise ConfigError("invalid variable name", where)
        _flush(literal, parts)
        if braced and name in "123456789":
            parts.append(capture(int(name)))
            continue
        parts.append(registry.reference(name, where))
    _flush(literal, parts)
    return parts


def _flush(literal: list[str], parts: list[bytes | Getter]) -> None:
    if literal:
        parts.append(to_bytes("".join(literal)))
        literal.clear()


class Template(Value):
    """A compiled text; call it with a request to get bytes. `constant` is its value if it has no variable."""

    def __init__(self, text: str, parts: list[bytes | Getter]) -> None:
        self.text = text
        self.parts = tuple(parts)
        self.constant: bytes | None = None
        self.source: Value | None = None
        if all(isinstance(part, bytes) for part in parts):
            self.constant = b"".join(part for part in parts if isinstance(part, bytes))
        elif len(parts) == 1:
            self.source = value_of(parts[0])  # type: ignore[arg-type]
        else:
            self.source = Joined(parts)

    def value(self, request: Any) -> bytes:
        constant = self.constant
        if constant is not None:
            return constant
        return self.source.value(request) or b""  # type: ignore[union-attr]

    def __call__(self, request: Any) -> bytes:
        return self.value(request)

    @property
    def shortest(self) -> bytes | Value:
        """What an encoder evaluates: the bytes, or the shortest way to them."""
        if self.constant is not None:
            return self.constant
        source = self.source
        assert source is not None
        return source.source if isinstance(source, Variable) else source

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


def compile_template(text: str, registry: Registry, where: Where | None = None) -> Template:
    """Compile a directive's argument. Errors: ConfigError for a malformed variable name."""
    return Template(text, parse(text, registry, where))
