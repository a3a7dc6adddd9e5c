"""Regular expressions as rules see them: what each group may match, how a pattern may fail, and texts that it matches.

A pattern is read by Python's own parser, whose tree says all that is asked here; one that only PCRE understands is
None, and nothing is said about it. Characters are bytes, sets of them are whole numbers with a bit for each.
"""

from __future__ import annotations

import re
import re._constants as sre  # type: ignore[import-not-found]  # there is no public tree of a pattern
import re._parser as sre_parser  # type: ignore[import-not-found]
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gateway.dev.check.block import Block

ALL: Final = (1 << 256) - 1
_CATEGORIES: Final[dict[Any, str]] = {
    sre.CATEGORY_DIGIT: r"[0-9]", sre.CATEGORY_NOT_DIGIT: r"[^0-9]", sre.CATEGORY_SPACE: r"[ \t-\r]",
    sre.CATEGORY_NOT_SPACE: r"[^ \t-\r]", sre.CATEGORY_WORD: r"[A-Za-z0-9_]", sre.CATEGORY_NOT_WORD: r"[^A-Za-z0-9_]",
}  # fmt: skip
_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT)
# More copies of a repeated part than these make a pattern larger, and nothing clearer.
_COPIES: Final = 3
_MOST_PLACES: Final = 120

Node = tuple[Any, Any]


def bits(characters: str) -> int:
    """A set of these characters."""
    found = 0
    for character in characters:
        found |= 1 << (ord(character) & 0xFF)
    return found


NEWLINE: Final = bits("\n")
RETURN: Final = bits("\r")


@cache
def _category(name: Any) -> int:
    pattern = re.compile(_CATEGORIES[name])
    return sum(1 << code for code in range(256) if pattern.match(chr(code)))


@lru_cache(maxsize=1024)
def tree(pattern: str) -> Any:
    """The pattern's tree; None for one that cannot be read."""
    if "[[:" in pattern:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of `[[` and its like, which mean what they mean in PCRE
            return sre_parser.parse(_in_python(pattern))
    except (re.error, OverflowError, RecursionError):
        return None


# The next character outside of a class and its like, or a whole class, which may hold a "|".
_PIECE: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.S)


@lru_cache(maxsize=1024)
def _branches(pattern: str) -> Any:
    """The tree with its alternatives as they were written: the parser joins those that begin alike, PCRE does not."""
    return tree("".join("|(?=)" if piece == "|" else piece for piece in _PIECE.findall(pattern)))


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern that can be read matches the text."""
    if tree(pattern) is None:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.search(_in_python(pattern), text) is not None


def fits(location: Block, path: str) -> bool:
    """Whether the pattern of a location takes a path."""
    return matches(("(?i)" if location.modifier == "~*" else "") + location.path, path)


def _in_python(pattern: str) -> str:
    return re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", pattern).replace(r"\z", r"\Z").replace(r"\h", r"[ \t]")


def groups_of(pattern: str) -> int | None:
    """How many groups it has; None for one that cannot be read."""
    parsed = tree(pattern)
    return None if parsed is None else parsed.state.groups - 1


def group_named(pattern: str, name: str) -> int | None:
    """The number of a named group; as a variable it has no case."""
    parsed = tree(pattern)
    named = {} if parsed is None else parsed.state.groupdict
    return next((number for each, number in named.items() if each.lower() == name.lower()), None)


def set_of(node: Node) -> int | None:
    """The characters that an item for one character takes; None for other items."""
    kind, value = node
    if kind is sre.LITERAL:
        return 1 << value if value < 256 else ALL & ~((1 << 128) - 1)
    if kind is sre.NOT_LITERAL:
        return ALL & ~(1 << value) if value < 256 else ALL
    if kind is sre.ANY:
        return ALL & ~NEWLINE
    if kind is sre.IN:
        found, negated = 0, False
        for what, which in value:
            if what is sre.NEGATE:
                negated = True
            elif what is sre.LITERAL:
                found |= set_of((what, which)) or 0
            elif what is sre.RANGE:
                low, high = which
                found |= sum(1 << code for code in range(low, min(high, 255) + 1))
            elif what is sre.CATEGORY:
                found |= _category(which)
        return ALL & ~found if negated else found
    return None


def inside(node: Node) -> list[Any]:
    """The sequences that an item is made of."""
    kind, value = node
    if kind is sre.SUBPATTERN:
        return [value[3]]
    if kind is sre.BRANCH:
        return list(value[1])
    if kind in _REPEATS or kind is sre.POSSESSIVE_REPEAT:
        return [value[2]]
    if kind is sre.ATOMIC_GROUP:
        return [value]
    return []


def characters(sequence: Any) -> int:
    """All characters that may stand in what a sequence matches."""
    found = 0
    for node in sequence:
        found |= set_of(node) or 0
        if node[0] is sre.GROUPREF:
            found = ALL
        for inner in inside(node):
            found |= characters(inner)
    return found


def group(pattern: str, number: int) -> Any:
    """The sequence of a group, 0 for the whole; None if there is none, or the pattern cannot be read."""
    parsed = tree(pattern)
    if parsed is None:
        return None
    return parsed if number == 0 else _group(parsed, number)


def _group(sequence: Any, number: int) -> Any:
    for node in sequence:
        if node[0] is sre.SUBPATTERN and node[1][0] == number:
            return node[1][3]
        for inner in inside(node):
            found = _group(inner, number)
            if found is not None:
                return found
    return None


def before_group(pattern: str, number: int) -> int | None:
    """The characters that may stand directly before a group of the outermost level; None if nothing has to."""
    parsed = tree(pattern)
    last: int | None = None
    for node in parsed or ():
        if node[0] is sre.SUBPATTERN and node[1][0] == number:
            return last
        if node[0] is not sre.AT:
            last = set_of(node) or (characters([node]) or None)
    return None


def anchored(pattern: str) -> tuple[bool, bool]:
    """Whether every match begins where the subject does, and ends where it does."""
    parsed = tree(pattern)
    return (False, False) if parsed is None else (_anchor(parsed, 0), _anchor(parsed, -1))


def _anchor(sequence: Any, at: int) -> bool:
    if not len(sequence):
        return False
    node = sequence[at]
    if node[0] is sre.AT:
        wanted = (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING) if at == 0 else (sre.AT_END, sre.AT_END_STRING)
        return node[1] in wanted
    if node[0] in (sre.SUBPATTERN, sre.BRANCH, sre.ATOMIC_GROUP):
        return all(_anchor(inner, at) for inner in inside(node))
    return False


def half_anchored(pattern: str) -> tuple[bool, bool]:
    """Whether some of a pattern's outermost alternatives, and not all, have an anchor at the begin, or at the end.

    One that has its only anchor at the other end, `^/a|b$`, is meant so.
    """
    parsed = tree(pattern)
    if parsed is None or "|" not in pattern:
        return False, False
    (node, *more) = _branches(pattern) or (None,)
    if node is None or more or node[0] is not sre.BRANCH:
        return False, False
    ends = [(_anchor(_bare(each), 0), _anchor(_bare(each), -1)) for each in node[1][1]]
    if any(not begin and not end for begin, end in ends):
        return any(begin for begin, _ in ends), any(end for _, end in ends)
    return False, False


def _bare(sequence: Any) -> list[Node]:
    """Without the empty assertion that keeps alternatives apart."""
    return [node for node in sequence if node[0] is not sre.ASSERT or len(node[1][1])]


def literal(pattern: str) -> str | None:
    """The one text that a pattern from ^ to $ matches; None if there are several."""
    parsed = tree(pattern)
    if parsed is None or anchored(pattern) != (True, True):
        return None
    middle = list(parsed)[1:-1]
    if any(kind is not sre.LITERAL or value > 127 for kind, value in middle):
        return None
    return "".join(chr(value) for _, value in middle)


# -- samples ---------------------------------------------------------------------------------------------------------

# A text that matches, with a mark for each character: True where the pattern leaves it open which one stands there.
Sample = tuple[str, tuple[bool, ...]]
_MOST_SAMPLES: Final = 400
# A set of fewer characters was written out: `site[12]`, or `(one|onto)` as the parser joins it.
_OPEN: Final = 10


def samples(pattern: str, wild: tuple[str, ...] = ("b",)) -> list[Sample]:
    """Some texts that match; where many characters may stand, those of `wild` that may."""
    parsed = tree(pattern)
    return [] if parsed is None else _sequence(parsed, wild)


def _sequence(sequence: Any, wild: tuple[str, ...]) -> list[Sample]:
    found: list[Sample] = [("", ())]
    for node in sequence:
        follow = _item(node, wild)
        found = [(a + b, x + y) for a, x in found for b, y in follow][:_MOST_SAMPLES]
    return found


def _item(node: Node, wild: tuple[str, ...]) -> list[Sample]:
    kind, value = node
    taken = set_of(node)
    if taken is not None:
        if kind is sre.LITERAL:
            return [(chr(value), (False,))]
        some = [text for text in wild if len(text) == 1 and taken & bits(text)]
        few = [chr(code) for code in range(33, 127) if taken >> code & 1]
        chosen = some[:1] or few[:1]
        return [(each, (taken.bit_count() >= _OPEN,)) for each in chosen]
    if kind in _REPEATS or kind is sre.POSSESSIVE_REPEAT:
        least, most, part = value
        one = _sequence(part, wild)
        each = list(one)
        open_set = set_of(part[0]) if len(part) == 1 else None
        if most > 1 and open_set is not None:
            fitting = (text for text in wild if len(text) > 1 and not bits(text) & ~open_set)
            each += [(text, (True,) * len(text)) for text in fitting]
        if least == 0:
            each = [("", ()), *each]
        return each
    if kind is sre.BRANCH or kind is sre.SUBPATTERN or kind is sre.ATOMIC_GROUP:
        return [sample for inner in inside(node) for sample in _sequence(inner, wild)]
    return [("", ())]


# -- how matching may fail ---------------------------------------------------------------------------------------------


class Automaton:
    """The places of a pattern (Glushkov's construction): the characters of each, and which may follow which."""

    def __init__(self, pattern: str) -> None:
        self.sets: list[int] = []
        self.follow: list[Counter[int]] = []  # how many ways lead from one place directly to another
        self.whole = True  # as large as it was written
        parsed = _branches(pattern)
        self.first: set[int]
        self.first, self.last, self.empty = self._sequence(parsed)
        self.ends = anchored(pattern)[1]

    def _place(self, taken: int) -> int:
        self.sets.append(taken)
        self.follow.append(Counter())
        if len(self.sets) > _MOST_PLACES:
            raise OverflowError
        return len(self.sets) - 1

    def _join(self, ends: set[int], begins: set[int]) -> None:
        for place in ends:
            self.follow[place].update(begins)

    def _sequence(self, sequence: Any) -> tuple[set[int], set[int], bool]:
        first: set[int] = set()
        last: set[int] = set()
        empty = True
        for node in sequence:
            one = self._node(node)
            if one is None:
                continue
            begins, ends, nothing = one
            self._join(last, begins)
            first |= begins if empty else set()
            last = ends | (last if nothing else set())
            empty = empty and nothing
        return first, last, empty

    def _node(self, node: Node) -> tuple[set[int], set[int], bool] | None:
        kind, value = node
        taken = set_of(node)
        if taken is not None:
            place = self._place(taken)
            return {place}, {place}, False
        if kind is sre.SUBPATTERN:
            return self._sequence(value[3])
        if kind is sre.BRANCH:
            parts = [self._sequence(each) for each in value[1]]
            begins = {place for part in parts for place in part[0]}
            ends = {place for part in parts for place in part[1]}
            return begins, ends, any(part[2] for part in parts)
        if kind in _REPEATS:
            return self._repeated(*value)
        # One that is not gone back into, a group that is repeated, what only looks: none of them takes characters here.
        return None

    def _repeated(self, least: int, most: Any, part: Any) -> tuple[set[int], set[int], bool]:
        copies = [self._sequence(part) for _ in range(max(1, min(least, _COPIES)))]
        endless = most is sre.MAXREPEAT
        if not endless:
            copies += [self._sequence(part) for _ in range(min(most, _COPIES) - len(copies))]
        elif copies:
            begins, ends, _ = copies[-1]
            self._join(ends, begins)
        first: set[int] = set()
        last: set[int] = set()
        empty = True
        for number, (begins, ends, nothing) in enumerate(copies):
            nothing = nothing or number >= least
            self._join(last, begins)
            first |= begins if empty else set()
            last = ends | (last if nothing else set())
            empty = empty and nothing
        return first, last, empty


# Two ways through the automaton that read the same text, and whether they have parted already.
_Pair = tuple[int, int, bool]


def _steps(automaton: Automaton, pair: _Pair) -> Iterator[_Pair]:
    for one, ways in automaton.follow[pair[0]].items():
        for other in automaton.follow[pair[1]]:
            if automaton.sets[one] & automaton.sets[other]:
                parted = pair[2] or one != other or (pair[0] == pair[1] and ways > 1)
                yield one, other, parted


def backtracks(pattern: str) -> bool:
    """Whether some texts can be divided in a number of ways that doubles with each turn of a loop, and then fail."""
    automaton = _automaton(pattern)
    if automaton is None:
        return False
    for place in range(len(automaton.sets)):
        # a loop that the match may end in gives up at once, unless the subject has to end there, too
        if (automaton.ends or place not in automaton.last) and _two_ways(automaton, place):
            return True
    return False


def adjacent_loops(pattern: str) -> bool:
    """Whether a loop is followed by one for the same characters, so that each place between them is tried (.*.*x)."""
    automaton = _automaton(pattern)
    if automaton is None:
        return False
    for one, after in enumerate(automaton.follow):
        for other in after:
            if other == one or one not in after or other not in automaton.follow[other]:
                continue
            if one in automaton.follow[other] or automaton.sets[one] != automaton.sets[other]:
                continue
            if automaton.ends or other not in automaton.last:
                return True
    return False


@lru_cache(maxsize=1024)
def _automaton(pattern: str) -> Automaton | None:
    if _branches(pattern) is None:
        return None
    try:
        return Automaton(pattern)
    except (OverflowError, RecursionError):
        return None


def _two_ways(automaton: Automaton, place: int) -> bool:
    """Whether one text leads from this place back to it by two ways."""
    todo: list[_Pair] = [(place, place, False)]
    seen = set(todo)
    while todo:
        for pair in _steps(automaton, todo.pop()):
            if pair == (place, place, True):
                return True
            if pair not in seen:
                seen.add(pair)
                todo.append(pair)
    return False
