"""A tree of statements from a configuration and all that it includes.

nginx acts on each directive as it reads it. Here the whole text is read first, so the tree goes up to the first error
of reading and carries it: whoever walks the tree finds an earlier mistake first, and meets the carried error where the
reading stopped.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.config.errors import ConfigError, Note, Where
from gateway.config.lexer import Ending, Lexer
from gateway.config.text import to_bytes, to_str
from gateway.config.whole_file import read_whole

Depth = int  # C's long where it is compiled
# Far beyond any real file; keeps whoever walks the tree from running out of stack.
MAX_DEPTH = 100

# In these blocks every line is data: "include" is a value like any other, or a mistake.
_WITHOUT_INCLUDE = frozenset({"split_clients", "charset_map"})

# In these, the block's own reader takes "include file" and judges any other number of words.
_OWN_READERS = frozenset({"types", "map", "geo"}) | _WITHOUT_INCLUDE


class Block(list["Statement"]):
    """The statements of a block or a file; going through them ends with the error that stopped the reading there."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        super().__init__()
        self.error: ConfigError | None = None

    def __iter__(self) -> Iterator[Statement]:
        yield from super().__iter__()
        if self.error is not None:
            raise self.error

    def __bool__(self) -> bool:
        # "block or ()" must not lose the error of a block that ended before its first statement.
        return len(self) > 0 or self.error is not None

    def readable(self) -> list[Statement]:
        """Give what could be read, without the error."""
        return self[:]


@dataclass(slots=True)
class Statement:
    """A directive with its words, and with its block if it has one (includes are already in their place)."""

    name: str
    args: list[str]
    block: Block | None
    where: Where
    # Of a block: the place of its "}", which nginx names for what it finds only then.
    end: Where | None = None


@dataclass(slots=True)
class Source:
    """A configuration as it was read: statements, files in the order of nginx -T, and what stopped the reading."""

    statements: Block
    files: list[tuple[str, bytes]]
    error: ConfigError | None = None
    conf_prefix: str = ""
    # Which include brought a file in first.
    included: dict[str, Where] = field(default_factory=dict)
    # What was wrong and read on after, when the reading was to be mended.
    mistakes: list[ConfigError] | None = None

    def dump(self) -> bytes:
        """Write all files one after the other as nginx -T does."""
        return b"".join(b"# configuration file %s:\n%s\n" % (to_bytes(name), data) for name, data in self.files)


def load(path: str, *, prefix: str = "", globals_text: str = "", mend: bool = False) -> Source:
    """Read the main file (relative to the prefix) after the directives of -g; never raises, see Source.error.

    `mend`: read on after mistakes where that makes sense, and gather them in Source.mistakes.
    """
    name = full_name(path, prefix)
    source = Source(Block(), [], conf_prefix=name[: name.rfind("/") + 1], mistakes=[] if mend else None)
    return _Reader(source).run(name, None, globals_text)


def parse(text: str | bytes, file: str = "nginx.conf", *, conf_prefix: str = "", globals_text: str = "") -> Source:
    """Read a configuration that is not in a file; its includes are."""
    data = to_bytes(text) if isinstance(text, str) else text
    return _Reader(Source(Block(), [], conf_prefix=conf_prefix)).run(file, data, globals_text)


def full_name(name: str, prefix: str) -> str:
    """Put the prefix before a name that is not absolute, as nginx does: without changing either of them."""
    return name if name.startswith("/") else prefix + name


class _Reader:
    """Reads files into one Source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen: set[str] = set()
        self.mistakes = source.mistakes

    def run(self, name: str, data: bytes | None, globals_text: str) -> Source:
        source = self._source
        try:
            if globals_text:
                _File(self, "", to_bytes(globals_text), ()).read(source.statements, None, 0)
            if data is None:
                data = _contents(name, None)
            self._add(name, data)
            _File(self, name, data, (name,)).read(source.statements, None, 0)
        except ConfigError as error:
            error.source = source
            source.error = source.statements.error = error
        return source

    def include(
        self,
        pattern: str,
        into: Block,
        owner: Statement | None,
        trail: tuple[str, ...],
        where: Where,
        depth: int,
    ) -> None:
        """Read the files that an include names, in nginx's order."""
        # To nginx a name ends at its first NUL.
        pattern = full_name(pattern, self._source.conf_prefix).partition("\0")[0]
        for name in expand(pattern) if re.search(r"[*?[]", pattern) else [pattern]:
            try:
                if name in trail:
                    raise self._circle(name, trail, where)
                data = _contents(name, where)
            except ConfigError as error:
                if self.mistakes is None:
                    raise
                self.mistakes.append(error)
                continue
            self._source.included.setdefault(name, where)
            self._add(name, data)
            _File(self, name, data, (*trail, name)).read(into, owner, depth)

    def _circle(self, name: str, trail: tuple[str, ...], where: Where) -> ConfigError:
        between = trail[trail.index(name) + 1 :]
        notes = tuple(Note(f'"{inner}" is included here', self._source.included[inner]) for inner in between)
        return ConfigError(f'"{name}" includes itself', where, notes=notes)

    def _add(self, name: str, data: bytes) -> None:
        if name not in self._seen:
            self._seen.add(name)
            self._source.files.append((name, data))


class _File:
    """The reading of one file, whose braces must match within it; compiled with the types of parser.pxd."""

    def __init__(self, reader: _Reader, name: str, data: bytes, trail: tuple[str, ...]) -> None:
        self._reader = reader
        self._lexer = Lexer(data, name, reader.mistakes)
        self._name = name
        self._trail = trail
        self._lines = data.split(b"\n")
        self._suspects: tuple[Note, ...] = ()

    def read(self, into: Block, owner: Statement | None, depth: Depth, inside: bool = False) -> Where:
        """Read up to the end of the file, or of the owner's block when inside of it."""
        lexer = self._lexer
        while True:
            ending = lexer.next()
            if ending is Ending.END:
                if inside and owner:
                    notes = self._suspects or (Note(f'this "{owner.name}" block is not closed', owner.where),)
                    raise ConfigError('unexpected end of file, expecting "}"', lexer.where, notes=notes)
                return lexer.where
            if ending is Ending.CLOSE:
                if not inside:
                    error = ConfigError('unexpected "}"', lexer.where, notes=self._suspects)
                    if self._reader.mistakes is None:
                        raise error
                    self._reader.mistakes.append(error)
                    continue
                return lexer.where
            self._take(ending is Ending.OPEN, into, owner, depth)

    def _take(self, opens: bool, into: Block, owner: Statement | None, depth: Depth) -> None:
        """What the lexer has read; `opens`: a block begins."""
        name, *args = self._lexer.words
        where = self._lexer.where
        if opens and not self._name:
            raise ConfigError("block directives are not supported in -g option", where)
        if name == "include" and self._includes(args, opens, owner, where):
            if depth >= MAX_DEPTH:
                raise ConfigError(f"more than {MAX_DEPTH} blocks and includes inside each other", where)
            self._reader.include(args[0], into, owner, self._trail, where, depth + 1)
            return
        if not opens:
            into.append(Statement(name, args, None, where))
            return
        block = Block()
        statement = Statement(name, args, block, where)
        into.append(statement)
        try:
            if depth >= MAX_DEPTH:
                raise ConfigError(f"more than {MAX_DEPTH} blocks and includes inside each other", where)
            statement.end = self.read(block, statement, depth + 1, True)
        except ConfigError as error:
            block.error = error
            raise
        self._compare_indent(statement, statement.end)

    def _includes(self, args: list[str], opens: bool, owner: Statement | None, where: Where) -> bool:
        """Say whether this include is to be followed; a wrong one is an error, except where a block judges itself."""
        block = owner.name if owner else ""
        if block in _WITHOUT_INCLUDE:
            return False
        if len(args) == 1 and not opens:
            return True
        if block in _OWN_READERS:
            return False
        if opens:
            raise ConfigError('directive "include" is not terminated by ";"', where)
        raise ConfigError('invalid number of arguments in "include" directive', where)

    def _compare_indent(self, statement: Statement, end: Where) -> None:
        """Remember the first "}" that is indented unlike its block: there a brace may be missing, or one too many."""
        if self._suspects or statement.where.first_line == end.line:
            return
        opening, closing = self._lines[statement.where.first_line - 1], self._lines[end.line - 1]
        indent = closing[: len(closing) - len(closing.lstrip(b" \t"))]
        if to_str(closing[len(indent) :][:1]) == "}" and not re.match(re.escape(indent) + rb"[^ \t]", opening):
            begins = Note(f'"{statement.name}" begins here', statement.where)
            self._suspects = (begins, Note('this "}" closes it, with another indent', end))


def _contents(name: str, where: Where | None) -> bytes:
    try:
        return read_whole(to_bytes(name))
    except IsADirectoryError as error:
        # nginx opens directories too, and notices only when it reads.
        notes = (Note("included here", where),) if where else ()
        message = f'pread() "{name}" failed ({error.errno}: {error.strerror})'
        raise ConfigError(message, level="crit", notes=notes) from None
    except OSError as error:
        raise ConfigError(f'open() "{name}" failed ({error.errno}: {error.strerror})', where) from None


def expand(pattern: str) -> list[str]:
    """List the files that match a pattern of glob(3), in its order: by bytes, without hidden files."""
    # Of glob(3), Python lacks "[^a]" for "[!a]".
    names = glob.glob(to_bytes(pattern.replace("[^", "[!")))
    return [to_str(name) for name in sorted(names)]
