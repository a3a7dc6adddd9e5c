"""Variables: the registry of one configuration, and how a value is found for a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.config.errors import ConfigError, Where

if TYPE_CHECKING:
    from gateway.http.request import Request

Getter = Callable[["Request"], "bytes | None"]
VariableSetter = Callable[["Request", bytes], None]


def _undefined(request: Request) -> bytes | None:
    return None


class Variable:
    """A named value of a request; `get` gives bytes, or None where nginx says "not found".

    `changeable`: `set`, `map` and the like may define it anew. What is dear to compute, or must not change within a
    request, wraps its getter in `cached` (nginx's variables without NGX_HTTP_VAR_NOCACHEABLE).
    """

    __slots__ = ("changeable", "defined", "get", "name", "prefix", "set", "where")

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
        self.get: Getter = get or _undefined
        self.set = set
        self.changeable = changeable
        self.prefix = prefix  # the name is a prefix such as "arg_"; `get` is then a maker: see PrefixVariable
        self.where: Where | None = None

    def __call__(self, request: Request) -> bytes | None:
        return self.get(request)


class PrefixVariable:
    """A family such as $arg_NAME: `make(rest of the name)` gives the getter of one member."""

    __slots__ = ("make", "prefix")

    def __init__(self, prefix: str, make: Callable[[str], Getter]) -> None:
        self.prefix = prefix
        self.make = make


def cached(name: str, compute: Getter) -> Getter:
    """A getter that computes once for a request; an absent value is remembered too."""

    def get(request: Request) -> bytes | None:
        values = request.values
        if name in values:
            return values[name]
        value = values[name] = compute(request)
        return value

    return get


def stored(name: str) -> Getter:
    """The getter of a variable that only `set` and its like give values to."""

    def get(request: Request) -> bytes | None:
        return request.values.get(name)

    return get


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

    def reference(self, name: str, where: Where | None = None) -> Variable:
        """The variable that a template uses; it must be defined by the end of the configuration."""
        variable = self.slot(name)
        if variable.where is None:
            variable.where = where
        return variable

    def finish(self) -> None:
        """Bind the families' members; a name that nobody defined is nginx's `unknown "x" variable`."""
        for variable in self._variables.values():
            if variable.defined:
                continue
            for family in self._prefixes:
                if variable.name.startswith(family.prefix) and len(variable.name) > len(family.prefix):
                    variable.get = family.make(variable.name[len(family.prefix) :])
                    variable.defined = True
                    break
            else:
                raise ConfigError(f'unknown "{variable.name}" variable', variable.where and None)

    def find(self, name: str) -> Variable | None:
        """The variable of this name at run time (SSI's echo, dynamic look-ups), None if there is none."""
        variable = self._variables.get(name.lower())
        return variable if variable is not None and variable.defined else None
