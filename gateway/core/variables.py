"""Variables: the registry of one configuration, and how a value is found for a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway._fast.value import Value, value_of
from gateway.config.errors import ConfigError, Note, Where

# What is asked for values: a Request of http, or a Session of stream.
Getter = Callable[[Any], "bytes | None"]
VariableSetter = Callable[[Any, bytes], None]


def _undefined(request: Any) -> bytes | None:
    return None


class Variable(Value):
    """A named value of a request or a session; `get` gives bytes, or None where nginx says "not found".

    `changeable`: `set`, `map` and the like may define it anew. What is dear to compute, or must not change within a
    request, wraps its getter in `cached` (nginx's variables without NGX_HTTP_VAR_NOCACHEABLE).
    """

    def __init__(
        self,
        name: str,
        get: Getter | None = None,
        *,
        set: VariableSetter | None = None,
        changeable: bool = False,
        prefix: bool = False,
    ) -> None:
        self.name = name
        self.defined = get is not None
        self.get = get or _undefined
        self.set = set
        self.changeable = changeable
        self.prefix = prefix  # the name is a prefix such as "arg_"; `get` is then a maker: see PrefixVariable
        self.where: Where | None = None
        self.assigned = False  # `set` stores values for it, which then come before what `get` gives
        self.fallback: Getter | None = None  # while no value is stored, and neither a definition nor a family has it

    @property
    def get(self) -> Getter:
        return self.source

    @get.setter
    def get(self, get: Getter) -> None:
        self.source: Value = value_of(get)

    def value(self, request: Any) -> bytes | None:
        return self.source.value(request)


class PrefixVariable:
    """A family such as $arg_NAME: `make(rest of the name)` gives the getter of one member."""

    __slots__ = ("make", "prefix")

    def __init__(self, prefix: str, make: Callable[[str], Getter]) -> None:
        self.prefix = prefix
        self.make = make


class Cached(Value):
    """Computes once for a request; an absent value is remembered too."""

    def __init__(self, name: str, compute: Getter) -> None:
        self.name = name
        self.compute = value_of(compute)

    def value(self, request: Any) -> bytes | None:
        values: dict[str, bytes | None] = request.values
        if self.name in values:
            return values[self.name]
        found = self.compute.value(request)
        values[self.name] = found
        return found


def cached(name: str, compute: Getter) -> Getter:
    """A getter that computes once for a request."""
    return Cached(name, compute)


class Acyclic(Value):
    """A getter that may come upon itself, through what it is computed from: there it finds nothing, and says so."""

    def __init__(self, name: str, compute: Getter) -> None:
        self.name = name
        self.compute = value_of(compute)
        # Values are found without waiting, so that there is no other request between this and its end.
        self.evaluating = False

    def value(self, request: Any) -> bytes | None:
        if self.evaluating:
            name = self.name.encode("utf-8", "surrogateescape")
            request.log("error", b'cycle while evaluating variable "%s"' % name)
            return None
        self.evaluating = True
        try:
            return self.compute.value(request)
        finally:
            self.evaluating = False


def acyclic(name: str, compute: Getter) -> Getter:
    """A getter that may come upon itself."""
    return Acyclic(name, compute)


_MISSING: Final = object()


class Stored(Value):
    """What `set` and its like have stored for the request; where they have not, what `fallback` gives."""

    def __init__(self, name: str, fallback: Getter) -> None:
        self.name = name
        self.fallback = value_of(fallback)

    def value(self, request: Any) -> bytes | None:
        values: dict[str, bytes | None] = request.values
        found: object = values.get(self.name, _MISSING)
        return self.fallback.value(request) if found is _MISSING else found  # type: ignore[return-value]


def stored(name: str) -> Getter:
    """The getter of a variable that only `set` and its like give values to."""
    return Stored(name, _undefined)


class Registry:
    """All variables of one configuration. Names are lower case; using one before its definition is allowed."""

    def __init__(self) -> None:
        self._variables: dict[str, Variable] = {}
        self._prefixes: list[PrefixVariable] = []

    def add(self, variable: Variable | PrefixVariable) -> None:
        """Register a module's own variable."""
        if isinstance(variable, PrefixVariable):
            self._prefixes.append(variable)
        else:
            # The module's object is shared between cycles; this registry's copy may be redefined by the configuration.
            mine = self.slot(variable.name)
            mine.get, mine.set, mine.changeable, mine.defined = variable.get, variable.set, variable.changeable, True

    def slot(self, name: str) -> Variable:
        name = name.lower()
        variable = self._variables.get(name)
        if variable is None:
            variable = self._variables[name] = Variable(name)
        return variable

    def define(self, name: str, get: Getter | None, where: Where | None = None) -> Variable:
        """Define a variable from the configuration (`set`, `map`, a named capture); nginx's rules on redefinition.

        With `get=None` the variable holds what is stored in request.values (as `set` does).
        """
        variable = self.slot(name)
        if variable.defined and not variable.changeable:
            raise ConfigError(f'the duplicate "{variable.name}" variable', where)
        if get is not None:
            variable.get = get
            variable.defined = True
        elif not variable.defined:
            variable.get = stored(variable.name)
            variable.defined = True
        variable.changeable = True
        return variable

    def assign(self, name: str, fallback: Getter, where: Where | None = None) -> Variable:
        """Let the configuration store values for a variable in request.values, as `set` does (nginx: a weak variable).

        Where nothing is stored, the variable is what another definition or a family ($http_, $arg_) makes of it, and
        `fallback` where there is neither.
        """
        variable = self.slot(name)
        if variable.defined and not variable.changeable:
            raise ConfigError(f'the duplicate "{variable.name}" variable', where)
        variable.changeable = True
        variable.assigned = True
        variable.fallback = fallback
        return variable

    def reference(self, name: str, where: Where | None = None) -> Variable:
        """The variable that a template uses; it must be defined by the end of the configuration."""
        variable = self.slot(name)
        if variable.where is None:
            variable.where = where
        return variable

    def finish(self) -> None:
        """Bind the families' members; a name that nobody defined is nginx's `unknown "x" variable`."""
        for variable in self._variables.values():
            if not variable.defined:
                get = self._member(variable.name) or variable.fallback
                if get is None:
                    raise ConfigError(f'unknown "{variable.name}" variable', None, notes=self._nearest(variable.name))
                variable.get = get
                variable.defined = True
            if variable.assigned and variable.set is None:
                variable.get = Stored(variable.name, variable.get)

    def _nearest(self, name: str) -> tuple[Note, ...]:
        """The variable that was probably meant."""
        import difflib

        known = [each.name for each in self._variables.values() if each.defined]
        near = difflib.get_close_matches(name, known, 1, 0.8)
        return (Note(f'did you mean "${near[0]}"?'),) if near else ()

    def _member(self, name: str) -> Getter | None:
        for family in self._prefixes:
            if name.startswith(family.prefix):
                return family.make(name[len(family.prefix) :])
        return None

    def find(self, name: str) -> Variable | None:
        """The variable of this name at run time (SSI's echo, dynamic look-ups), None if there is none."""
        name = name.lower()
        variable = self._variables.get(name)
        if variable is not None and variable.defined:
            return variable
        get = self._member(name)
        return Variable(name, get) if get is not None else None
