"""Walking a parsed configuration: each statement to its directive's setter, in the scope it stands in.

Compiled with the types of loader.pxd.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from gateway.config import known
from gateway.config.conf import Conf
from gateway.config.directive import Command, Context, Directive
from gateway.config.errors import ConfigError, Where
from gateway.config.parser import Block, Statement
from gateway.config.parts import Parts
from gateway.config.text import for_system

# The names of contexts in the table of known directives.
CONTEXT_NAMES: dict[Context, str] = {
    Context.MAIN: "main",
    Context.EVENTS: "events",
    Context.HTTP: "http",
    Context.SERVER: "server",
    Context.LOCATION: "location",
    Context.SIF: "if in server",
    Context.LIF: "if in location",
    Context.LIMIT_EXCEPT: "limit_except",
    Context.UPSTREAM: "upstream",
    Context.MATCH: "match",
    Context.STREAM: "stream",
    Context.STREAM_SERVER: "stream server",
    Context.STREAM_UPSTREAM: "stream upstream",
    Context.STREAM_MATCH: "stream match",
    Context.MAIL: "mail",
    Context.MAIL_SERVER: "mail server",
}


class Scope:
    """One block of the configuration: its settings by module, and the block around it."""

    def __init__(self, context: Context, parent: Scope | None = None, owner: Any = None, level: str = "main") -> None:
        self.context = context
        self.parent = parent
        self.owner = owner  # Server, Location, … that this block describes
        self.level = level  # "main", "server" or "location" within http; "main" outside
        self.confs: dict[tuple[Any, str], Conf] = {}
        self.statements: list[Statement] = []  # the block's inside, once it is walked

    def conf(self, module: Any, level: str) -> Any:
        """The settings of a module on a level, made on first use in the block that they belong to."""
        scope = self
        if level == "main":
            while scope.level != "main" and scope.parent is not None:
                scope = scope.parent
        key = (module, level)
        conf = scope.confs.get(key)
        if conf is None:
            conf = scope.confs[key] = getattr(module, level)()
        return conf

    def enclosing(self, context: Context) -> Scope | None:
        scope: Scope | None = self
        while scope is not None and scope.context != context:
            scope = scope.parent
        return scope

    def where(self) -> Where | None:
        """Where the block begins: the statement whose inside it is."""
        outer = self.parent
        while outer is not None:
            for statement in outer.statements:
                if statement.block is not None and statement.block is self.statements:
                    return statement.where
            outer = outer.parent
        return None

    def set_by(self, *names: str) -> Statement | None:
        """The statement that holds here: of the innermost block that has a directive of one of these names."""
        scope: Scope | None = self
        while scope is not None:
            for statement in reversed(scope.statements):
                if statement.name in names:
                    return statement
            scope = scope.parent
        return None


class Gathered(ConfigError):
    """A block is left because of mistakes inside of it, which are in Loader.mistakes already."""

    def __init__(self) -> None:
        super().__init__("there were mistakes before")


class Loader:
    """Holds the directives of all modules, and walks statements."""

    def __init__(
        self, modules: Iterable[Any], *, prefix: str = "", conf_prefix: str = "", testing: bool = False
    ) -> None:
        self.directives: dict[str, list[Directive]] = {}
        # (directive, its module) by the number of a context and the name
        self.allowed: dict[int, dict[str, tuple[Directive, Any]]] = {context.value: {} for context in Context}
        self.prefix = prefix
        self.conf_prefix = conf_prefix
        self.state = prefix  # where folders are made that the configuration does not name
        self.testing = testing
        self.warnings: list[ConfigError] = []
        self.parts = Parts()  # zones, logs, blocks: what setters make for each other
        self.mistakes: list[ConfigError] | None = None  # a list: go on after an error, and gather them all
        self.modules = tuple(modules)
        for module in self.modules:
            for directive in module.directives:
                self.directives.setdefault(directive.name, []).append(directive)
                for context in directive.contexts:
                    self.allowed[context.value].setdefault(directive.name, (directive, module))

    def warn(self, message: str, where: Where | None = None) -> None:
        self.warnings.append(ConfigError(message, where, level="warn"))

    def fail(self, message: str, where: Where | None = None) -> NoReturn:
        raise ConfigError(message, where)

    def path(self, name: str, *, conf: bool = False) -> str:
        """A file name of the configuration made absolute, against the prefix or the configuration's folder.

        Errors: ValueError.
        """
        for_system(name)
        if name.startswith("/"):
            return name
        return (self.conf_prefix if conf else self.prefix) + name

    def walk(self, statements: Iterable[Statement], scope: Scope) -> None:
        if isinstance(statements, list):
            scope.statements = statements
        if self.mistakes is not None:
            self._walk_on(statements, scope, self.mistakes)
            return
        for statement in statements:
            self.execute(statement, scope)

    def _walk_on(self, statements: Iterable[Statement], scope: Scope, mistakes: list[ConfigError]) -> None:
        """Walk past errors. Errors: Gathered at the end of a block with mistakes, since it cannot be made use of."""
        before = len(mistakes)
        block = statements.readable() if isinstance(statements, Block) else statements
        for statement in block:
            try:
                self.execute(statement, scope)
            except Gathered:
                pass
            except ConfigError as error:
                mistakes.append(error)
                if error.message.endswith('has no opening "{"'):
                    raise Gathered from None  # from here on the blocks are not those that were meant
        if len(mistakes) > before:
            raise Gathered

    def execute(self, statement: Statement, scope: Scope) -> None:
        """Check one statement as nginx's ngx_conf_handler does, and run its setter."""
        name = statement.name
        found = self.allowed[scope.context._value_].get(name)
        if found is None:
            self._without_effect(statement, scope)
            return
        directive, module = found
        if directive.block and statement.block is None:
            raise ConfigError(f'directive "{name}" has no opening "{{"', statement.where)
        if not directive.block and statement.block is not None:
            raise ConfigError(f'directive "{name}" is not terminated by ";"', statement.where)
        if not directive.arguments.allows(len(statement.args)):
            raise ConfigError(f'invalid number of arguments in "{name}" directive', statement.where)
        conf = scope.conf(module, directive.level) if getattr(module, directive.level, None) is not None else None
        try:
            directive.set(conf, Command(statement, directive, scope, self))
        except (ValueError, OverflowError) as error:
            if directive.block:
                raise
            # What its setter did not foresee: a word that is none for the system, a number too large for the kernel.
            raise ConfigError(f'invalid value in "{name}" directive: {error}', statement.where) from None

    def _without_effect(self, statement: Statement, scope: Scope) -> None:
        """A directive that no module declares here: unknown, misplaced, not built yet, or without meaning for us."""
        name = statement.name
        entry = known.find(name, CONTEXT_NAMES[scope.context])
        if entry is None:
            if name in self.directives or known.table().get(name):
                raise ConfigError(f'"{name}" directive is not allowed here', statement.where)
            raise ConfigError(f'unknown directive "{name}"', statement.where)
        misuse = entry.misuse(statement.args, statement.block is not None)
        if misuse:
            raise ConfigError(misuse, statement.where)
        if not entry.no_effect:
            raise ConfigError(f'"{name}" directive is not supported yet', statement.where)
