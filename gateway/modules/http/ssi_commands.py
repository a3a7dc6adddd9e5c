"""The commands of server side includes, and what they work on; see ssi.py for the filter that meets them."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway._fast import uri as uri_grammar
from gateway.config.text import to_str
from gateway.core.pieces import Piece
from gateway.core.regex import Captures, Regex, RegexError
from gateway.http.subrequest import in_memory, placed

if TYPE_CHECKING:
    from gateway.http.module import Status
    from gateway.http.request import Request
    from gateway.http.subrequest import Subrequest

TIMEFMT: Final = b"%A, %d-%b-%Y %H:%M:%S %Z"
_ERRMSG: Final = b"[an error occurred while processing the directive]"
_SPECIAL: Final = 300

# Where the command stands between if and endif.
IF, ELSE = 1, 2

Params = Mapping[bytes, bytes]


class SsiError(Exception):
    """The command failed, and the log says why: the document says that it did."""


@dataclass(slots=True)
class Block:
    name: bytes
    parts: list[Piece]


class Shared:
    """What all documents of one response have in common: variables, blocks, the last match."""

    __slots__ = ("blocks", "captures", "variables")

    def __init__(self) -> None:
        self.variables: dict[bytes, bytes] = {}
        self.blocks: list[Block] = []
        self.captures: Captures | None = None


class Document:
    """The state of one document."""

    __slots__ = (
        "block",
        "chosen",
        "conditional",
        "encoding",
        "errmsg",
        "out",
        "output",
        "request",
        "shared",
        "timefmt",
        "wait",
    )

    def __init__(self, request: Request, shared: Shared) -> None:
        self.request = request
        self.shared = shared
        self.out: list[Piece] = []  # what is ready to be passed on
        self.output = True  # text goes out: it is in no block, and in no branch that is not taken
        self.chosen = False  # a branch was taken
        self.conditional = 0
        self.block = False
        self.encoding: Encoding = uri_grammar.escape_html
        self.timefmt = TIMEFMT
        self.errmsg = _ERRMSG
        self.wait: Subrequest | None = None

    def fail(self, message: bytes, level: str = "error") -> SsiError:
        self.request.log(level, message)
        return SsiError()

    # -- variables -------------------------------------------------------------------------------------------------

    def own(self, name: bytes) -> bytes | None:
        """The value that a document has set, or a group of the last match."""
        captures = self.shared.captures
        if captures is not None and len(name) == 1 and name.isdigit() and int(name) <= captures.regex.groups:
            return captures.group(int(name)) or b""
        return self.shared.variables.get(name)

    def value(self, name: bytes) -> bytes | None:
        """A document's variable, or one of the configuration; None if there is none."""
        name = name.lower()
        value = self.own(name)
        if value is None:
            variable = self.request.cycle.variables.find(to_str(name))
            value = variable.get(self.request) if variable is not None else None
        return value

    def evaluate(self, text: bytes, *, prefix: bool = False) -> bytes:
        """Put variables' values in, and take quoting off; `prefix`: what is no path from the root begins in ours."""
        parts: list[bytes] = []
        i, end = 0, len(text)
        while i < end:
            if text[i] == 0x24:
                name, i = self._variable_name(text, i + 1)
                value = self.value(name)
                if value is not None:
                    parts.append(value)
            else:
                literal, i = _literal(text, i)
                parts.append(literal)
        whole = b"".join(parts)
        if prefix and not whole.startswith(b"/"):
            uri = self.request.uri
            return uri[: uri.rfind(b"/") + 1] + whole
        return whole

    def _variable_name(self, text: bytes, at: int) -> tuple[bytes, int]:
        braced = text[at : at + 1] == b"{"
        if braced:
            at += 1
        end = at
        while end < len(text) and text[end] in _NAME:
            end += 1
        name = text[at:end]
        if at == len(text):
            raise self.fail(b'invalid variable name in "%b"' % text)
        if braced:
            if text[end : end + 1] != b"}":
                raise self.fail(b'the closing bracket in "%b" variable is missing' % name)
            end += 1
        if not name:
            raise self.fail(b'invalid variable name in "%b"' % text)
        return name, end


_NAME: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_QUOTABLE: Final = frozenset(b"\\'\"$")


def _literal(text: bytes, at: int) -> tuple[bytes, int]:
    """The text up to the next variable; a backslash goes where it quotes something."""
    out = bytearray()
    quoted = False
    end = len(text)
    while at < end:
        char = text[at]
        if quoted:
            quoted = False
            if char not in _QUOTABLE:
                out.append(0x5C)
        elif char == 0x5C:
            quoted = True
            at += 1
            continue
        elif char == 0x24:
            break
        out.append(char)
        at += 1
    return bytes(out), at


# -- include ---------------------------------------------------------------------------------------------------------


def include(document: Document, params: Params) -> None:
    """A subrequest whose answer stands here, or in a variable."""
    request = document.request
    virtual, file, wait = params.get(b"virtual"), params.get(b"file"), params.get(b"wait")
    name, stub = params.get(b"set"), params.get(b"stub")
    if virtual is not None and file is not None:
        raise document.fail(b'inclusion may be either virtual="%b" or file="%b"' % (virtual, file))
    target = file if virtual is None else virtual
    if target is None:
        raise document.fail(b'no parameter in "include" SSI command')
    if name is not None and stub is not None:
        raise document.fail(b'"set" and "stub" cannot be used together in "include" SSI command')
    waits = virtual is None
    if wait is not None:
        if virtual is None:
            raise document.fail(b'"wait" cannot be used with file="%b"' % target)
        if wait.lower() not in (b"yes", b"no"):
            raise document.fail(b'invalid value "%b" in the "wait" parameter' % wait)
        waits = wait.lower() == b"yes"
    target = document.evaluate(target, prefix=True)
    parsed = uri_grammar.safe_uri(target)
    if parsed is None:
        raise document.fail(b'unsafe URI "%b" was detected' % target)
    block = None
    if stub is not None:
        block = next((block for block in document.shared.blocks if block.name == stub), None)
        if block is None:
            raise document.fail(b'"stub"="%b" for "include" not found' % stub)
    if name is not None:
        name = name.lower()
        document.shared.variables.setdefault(name, b"")
        subrequest = in_memory(request, *parsed)
    else:
        subrequest = placed(request, *parsed, waited=waits)
    if subrequest is None:
        raise SsiError
    if name is not None:
        subrequest.on_finalize = functools.partial(_keep_answer, document.shared, name)
    elif block is not None:
        subrequest.on_finalize = functools.partial(_use_stub, block)
    if subrequest.place is not None:
        document.out.append(subrequest.place.piece)
    if waits or name is not None:
        document.wait = subrequest


def _keep_answer(shared: Shared, name: bytes, subrequest: Subrequest, status: Status) -> Status:
    if subrequest.response.status < _SPECIAL and subrequest.memory is not None:
        shared.variables[name] = subrequest.memory
    return status


def _use_stub(block: Block, subrequest: Subrequest, status: Status) -> Status:
    """The block instead of an answer that has no body, or of an error."""
    if subrequest.aborted or subrequest.has_output:
        return status
    if not subrequest.head_sent:
        assert subrequest.parent is not None
        subrequest.response.content_type = subrequest.parent.response.content_type
        subrequest.send_head()
    subrequest.send(list(block.parts), last=True)
    return 0


# -- echo, set, config -----------------------------------------------------------------------------------------------

Encoding = Callable[[bytes], bytes]
_ENCODINGS: Final[dict[bytes, Encoding]] = {
    b"none": bytes,
    b"url": lambda value: uri_grammar.escape(value, "html"),
    b"entity": uri_grammar.escape_html,
}


def echo(document: Document, params: Params) -> None:
    value = document.value(params[b"var"])
    if value is None:
        value = params.get(b"default", b"(none)")
    if not value:
        return
    encoding = params.get(b"encoding")
    if encoding is not None:
        chosen = _ENCODINGS.get(encoding)
        if chosen is None:
            document.request.log("error", b'unknown encoding "%b" in the "echo" command' % encoding)
        else:
            document.encoding = chosen
    document.out.append(document.encoding(value))


def set_variable(document: Document, params: Params) -> None:
    document.shared.variables[params[b"var"].lower()] = document.evaluate(params[b"value"])


def config(document: Document, params: Params) -> None:
    document.timefmt = params.get(b"timefmt", document.timefmt)
    document.errmsg = params.get(b"errmsg", document.errmsg)


def date(document: Document | None, *, gmt: bool) -> bytes | None:
    """$date_gmt and $date_local, in the document's own format."""
    format_ = document.timefmt if document is not None else TIMEFMT
    now = time.time()
    if format_ == b"%s":
        return b"%d" % now
    parts = time.gmtime(now) if gmt else time.localtime(now)
    return time.strftime(to_str(format_), parts).encode("utf-8", "surrogateescape") or None


# -- conditions ------------------------------------------------------------------------------------------------------

_LEFT: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789${}_\"'")


def begin_if(document: Document, params: Params) -> None:
    if document.conditional:
        raise document.fail(b'the "if" command inside the "if" command')
    else_if(document, params)


def else_if(document: Document, params: Params) -> None:
    if document.chosen:
        document.output = False
        return
    document.output = document.chosen = _holds(document, params[b"expr"])
    document.conditional = IF


def _holds(document: Document, expression: bytes) -> bool:
    """`text`, `left = right`, `left != right`, `left = /regex/`; the left side is in lower case, as nginx makes it."""
    at, end = 0, len(expression)
    while at < end and expression[at] in _LEFT:
        at += 1
    left = document.evaluate(expression[:at].lower())
    rest = expression[at:].lstrip(b" ")
    if not rest:
        return bool(left)
    if rest.startswith(b"="):
        negative, right = False, rest[1:].lstrip(b" ")
    elif rest.startswith(b"!="):
        negative, right = True, rest[2:].lstrip(b" ")
    else:
        raise document.fail(b'invalid expression in "%b"' % expression)
    if right.startswith(b"/") and len(right) > 1:
        if not right.endswith(b"/"):
            raise document.fail(b'invalid expression in "%b"' % expression)
        found = _match(document, document.evaluate(right[1:-1]), left)
    else:
        if right.startswith(b"\\/"):
            right = right[1:]
        found = left == document.evaluate(right)
    return found != negative


_compiled = functools.lru_cache(maxsize=256)(Regex)


def _match(document: Document, pattern: bytes, subject: bytes) -> bool:
    try:
        regex = _compiled(to_str(pattern))
    except RegexError as error:
        raise document.fail(str(error).encode("utf-8", "surrogateescape")) from None
    captures = regex.search(subject)
    if captures is None:
        return False
    document.shared.captures = captures
    for name in captures.named:
        document.shared.variables[name.lower().encode()] = captures.group(name) or b""
    return True


def begin_else(document: Document, params: Params) -> None:
    document.output = not document.chosen
    document.conditional = ELSE


def end_if(document: Document, params: Params) -> None:
    document.output = True
    document.chosen = False
    document.conditional = 0


# -- blocks ----------------------------------------------------------------------------------------------------------


def begin_block(document: Document, params: Params) -> None:
    document.shared.blocks.append(Block(params[b"name"], []))
    document.output = False
    document.block = True


def end_block(document: Document, params: Params) -> None:
    document.output = True
    document.block = False


@dataclass(frozen=True, slots=True)
class Definition:
    """A command: its parameters, and whether each must be there; where it may stand."""

    run: Callable[[Document, Params], None]
    params: Mapping[bytes, bool]
    conditional: int = 0  # the latest part of an `if` that it may stand in; 0: it is no part of one
    block: bool = False  # it counts where nothing goes out, too


COMMANDS: Final[dict[bytes, Definition]] = {
    b"include": Definition(include, {b"virtual": False, b"file": False, b"wait": False, b"set": False, b"stub": False}),
    b"echo": Definition(echo, {b"var": True, b"default": False, b"encoding": False}),
    b"config": Definition(config, {b"errmsg": False, b"timefmt": False}),
    b"set": Definition(set_variable, {b"var": True, b"value": True}),
    b"if": Definition(begin_if, {b"expr": True}),
    b"elif": Definition(else_if, {b"expr": True}, IF),
    b"else": Definition(begin_else, {}, IF),
    b"endif": Definition(end_if, {}, ELSE),
    b"block": Definition(begin_block, {b"name": True}),
    b"endblock": Definition(end_block, {}, block=True),
}
