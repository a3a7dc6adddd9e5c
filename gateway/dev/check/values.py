"""What a text with variables may be made into: followed through set, map and the groups of regular expressions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway.dev.check import patterns
from gateway.dev.check.patterns import ALL, NEWLINE, RETURN, bits

if TYPE_CHECKING:
    from gateway.config.parser import Statement
    from gateway.dev.check.block import Block

_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\d|[A-Za-z_]\w*))")
_CONTROLS: Final = (1 << 32) - 1
# What a request line and a field may hold: nginx refuses control characters in both.
_PRINTED: Final = ALL & ~_CONTROLS
# What `set` writes as %XX where it stands in a group.
_ESCAPED: Final = _CONTROLS | bits(' "#&+;?<>') | (ALL & ~((1 << 127) - 1))
_IN_HOST: Final = bits("abcdefghijklmnopqrstuvwxyz0123456789.-_:[]")
# The decoded path: any character, behind a slash.
_PATHS: Final = frozenset({"uri", "document_uri", "request_filename", "fastcgi_script_name", "fastcgi_path_info"})
_SENT: Final = frozenset({"request_uri", "args", "query_string", "http_host"})
_SENT_PREFIXES: Final = ("arg_", "http_", "cookie_")
_ANY_PATH: Final = ("^", ".*", "^.*", "^.*$", "(.*)", "^(.*)$", "^/", "/")
_NO_VALUES: Final = ("hostnames", "volatile", "include", "ranges", "proxy", "proxy_recursive", "delete")
_IF_OPERATORS: Final = ("~", "~*", "!~", "!~*")
_MOST_STEPS: Final = 12


@dataclass(frozen=True, slots=True)
class Value:
    """What may come out: which characters, whether the client says them, whether it begins with a slash, and whether
    it may be nothing at all instead."""

    characters: int = 0
    client: bool = False
    slash: bool = False
    empty: bool = False

    def __or__(self, other: Value) -> Value:
        return Value(self.characters | other.characters, self.client or other.client, self.slash and other.slash)

    @property
    def newline(self) -> bool:
        return self.client and bool(self.characters & NEWLINE)

    @property
    def carriage_return(self) -> bool:
        return self.client and bool(self.characters & RETURN)

    @property
    def free(self) -> bool:
        """Whether a client may write any name into it."""
        return self.client and bool(self.characters & bits(".")) and (self.characters & _IN_HOST).bit_count() > 20


NOTHING: Final = Value()


def names_in(text: str) -> list[str]:
    """The variables of a text, in small letters: their names have no case."""
    return [(braced or bare).lower() for braced, bare in _VARIABLE.findall(text)]


def pieces(text: str) -> list[tuple[bool, str]]:
    """A text as its parts: (is it a variable, its name or the words)."""
    found: list[tuple[bool, str]] = []
    at = 0
    for match in _VARIABLE.finditer(text):
        if match.start() > at:
            found.append((False, text[at : match.start()]))
        found.append((True, (match[1] or match[2]).lower()))
        at = match.end()
    if at < len(text):
        found.append((False, text[at:]))
    return found


def value_of(text: str, block: Block, statement: Statement | None = None) -> Value:
    """What a text may be made into where a statement of this block has it."""
    return _Follower(block, statement).text(text, _MOST_STEPS)


def variable(name: str, block: Block, statement: Statement | None = None) -> Value:
    return _Follower(block, statement).variable(name, _MOST_STEPS)


def assigned(name: str, block: Block) -> list[tuple[str, Block, Statement]]:
    """The texts that `set` gives a variable in the server of a block, with where."""
    server = block.around("server") or block.around("http") or block
    return [
        (statement.args[1], place, statement)
        for place, statement in server.everywhere("set")
        if len(statement.args) == 2 and statement.args[0].strip("${}").lower() == name
    ]


@dataclass(slots=True)
class _Follower:
    block: Block
    statement: Statement | None
    # variables whose `set` lines are being followed: `set $a "$a.x"` gives them nothing that the other lines do not
    following: frozenset[str] = field(default=frozenset(), kw_only=True)

    def text(self, text: str, steps: int) -> Value:
        found = NOTHING
        slash, empty = True, True
        for is_variable, words in pieces(text):
            one = self.variable(words, steps) if is_variable else Value(bits(words), False, words.startswith("/"))
            slash = slash and (one.slash or not empty)
            empty = empty and one.empty
            found = found | one
        return Value(found.characters, found.client, slash and found != NOTHING, empty and found != NOTHING)

    def variable(self, name: str, steps: int) -> Value:
        if steps == 0:
            return NOTHING
        if name == "request_uri" or (name in ("uri", "document_uri") and self._is_as_sent()):
            return Value(_PRINTED, True, True)
        if name in _PATHS:
            return Value(ALL & ~1, True, name != "request_filename")
        if name in _SENT or name.startswith(_SENT_PREFIXES):
            return Value(_PRINTED, True)
        if name == "host":
            return Value(_IN_HOST, True)
        if name.isdigit():
            value = self._captured(int(name), steps)
            written = self.statement is not None and self.statement.name == "set" and value.characters & _ESCAPED
            return Value(value.characters & ~_ESCAPED, value.client, value.slash) if written else value
        return _all([*self._named(name, steps), *self._set(name, steps), *self._mapped(name, steps)])

    def _is_as_sent(self) -> bool:
        """Whether `rewrite ^ $request_uri` made the path what the client sent, for the block or one around it."""
        at: Block | None = self.block
        while at is not None and at.name in ("location", "limit_except", "if"):
            if at.all("rewrite"):  # the later ones take their groups from it
                return any(
                    each.args[0] in _ANY_PATH and each.args[1].lower() == "$request_uri" for each in at.all("rewrite")
                )
            at = at.outer
        return False

    def _set(self, name: str, steps: int) -> list[Value]:
        if name in self.following:
            return []
        given = assigned(name, self.block)
        following = self.following | {name}
        return [
            _Follower(block, statement, following=following).text(text, steps - 1) for text, block, statement in given
        ]

    def _mapped(self, name: str, steps: int) -> list[Value]:
        http = self.block.around("http")
        found: list[Value] = []
        for each in http.walk("map", "geo") if http is not None else ():
            if not each.args or each.args[-1].lower() != f"${name}":
                continue
            lines = [line for line in each.statements if line.args and line.name not in _NO_VALUES]
            if not any(line.name == "default" for line in lines):
                found.append(NOTHING)
            for line in lines:
                if each.name == "geo":
                    found.append(
                        Value(bits(line.args[0]), False, line.args[0].startswith("/"))
                    )  # it knows no variables
                    continue
                pattern = line.name.lstrip("~*") if line.name.startswith("~") else None
                follower = _MapFollower(
                    each, line, pattern, self.text(each.args[0], steps - 1), following=self.following
                )
                found.append(follower.text(line.args[0], steps - 1))
        return found

    # -- groups --------------------------------------------------------------------------------------------------------

    def _captured(self, number: int, steps: int) -> Value:
        """A numbered group: of the expression that was matched last before the statement."""
        if self.statement is not None and self.statement.name == "rewrite":
            return self._group(self.statement.args[0], number, "$uri", steps)
        at: Block | None = self.block
        before = self.statement
        while at is not None:
            for earlier in reversed(at.statements[: _index(at.statements, before)]):
                if earlier.name == "rewrite":
                    return self._group(earlier.args[0], number, "$uri", steps)
            condition = condition_of(at)
            if condition is not None:
                return self._group(condition[1], number, condition[0], steps)
            if at.name == "location" and at.is_regex:
                return self._group(at.path, number, "$uri", steps)
            before = at.opener
            at = at.outer
        return NOTHING

    def _named(self, name: str, steps: int) -> list[Value]:
        """A named group: of any expression around the statement."""
        found: list[Value] = []
        at: Block | None = self.block
        while at is not None:
            for subject, pattern in _patterns_of(at):
                number = patterns.group_named(pattern, name)
                if number is not None:
                    found.append(self._group(pattern, number, subject, steps))
            at = at.outer
        return found

    def _group(self, pattern: str, number: int, subject: str, steps: int) -> Value:
        source = self.text(subject, steps - 1)
        return _part(pattern, number, source)


@dataclass(slots=True)
class _MapFollower(_Follower):
    """The value of a map's line, whose numbered groups are those of its own pattern."""

    pattern: str | None
    source: Value

    def variable(self, name: str, steps: int) -> Value:
        if self.pattern is not None and (name.isdigit() or patterns.group_named(self.pattern, name) is not None):
            number = int(name) if name.isdigit() else patterns.group_named(self.pattern, name) or 0
            return _part(self.pattern, number, self.source)
        return _Follower.variable(self, name, steps)


def _part(pattern: str, number: int, source: Value) -> Value:
    sequence = patterns.group(pattern, number)
    if sequence is None:
        return NOTHING
    # a group of nothing but fixed words is not the client's to choose
    taken = patterns.characters(sequence)
    slash = any(patterns.set_of(node) == patterns.bits("/") for node in sequence[:1])
    if not _open(sequence):
        return Value(taken, False, slash)
    return Value(source.characters & taken, source.client, slash)


def _open(sequence: object) -> bool:
    """Whether there is something in it that is not written out."""
    for node in sequence:  # type: ignore[attr-defined]
        taken = patterns.set_of(node)
        if taken is not None and taken.bit_count() > 1:
            return True
        if any(_open(inner) for inner in patterns.inside(node)):
            return True
    return False


def _all(values: list[Value]) -> Value:
    given = [one for one in values if one != NOTHING]
    found = NOTHING
    for one in given:
        found = found | one
    empty = bool(given) and (len(given) < len(values) or any(one.empty for one in given))
    return Value(found.characters, found.client, bool(given) and all(one.slash for one in given), empty)


def _index(statements: list[Statement], statement: Statement | None) -> int:
    for number, each in enumerate(statements):
        if each is statement:
            return number
    return len(statements)


def condition_of(block: Block) -> tuple[str, str] | None:
    """Of an `if` that matches a regular expression: its subject and the expression."""
    if block.name != "if":
        return None
    words = list(block.args)
    if words and words[0].startswith("("):
        words[0] = words[0][1:]
    if words and words[-1].endswith(")"):
        words[-1] = words[-1][:-1]
    words = [word for word in words if word]
    if len(words) == 3 and words[1] in _IF_OPERATORS:
        return words[0], words[2]
    return None


def _patterns_of(block: Block) -> list[tuple[str, str]]:
    """The expressions of a block that may name groups for what is inside of it: (subject, expression)."""
    found: list[tuple[str, str]] = []
    condition = condition_of(block)
    if condition is not None:
        found.append(condition)
    if block.name == "location" and block.is_regex:
        found.append(("$uri", block.path))
    for statement in block.statements:
        if statement.name == "rewrite":
            found.append(("$uri", statement.args[0]))
        elif statement.name == "server_name":
            found += [("$host", word[1:]) for word in statement.args if word.startswith("~")]
    for inner in block.inner:
        condition = condition_of(inner)
        if condition is not None:
            found.append(condition)
    return found
