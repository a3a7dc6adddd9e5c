"""A configuration for other people's eyes: without passwords, keys, tokens and comments, and if wanted without names.

It stays a configuration: words are replaced where they stand, lines keep their numbers. What is a secret is told by
what it is said to (a field, a parameter or a variable that is named like one), by its form (a password in an address,
a long random word), or by the directive. Look at the text before you send it: nobody can know all secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from gateway.config.text import to_bytes, to_str

if TYPE_CHECKING:
    from gateway.config.parser import Source

MASK: Final = "****"

# A file's pieces: a comment, a word in quotes, a bare word, or a sign.
_PIECE: Final = re.compile(
    r"""
    (?P<comment>\#[^\n]*) | (?P<sign>[;{}]) | [ \t\r\n]+
    | (?P<word>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | (?:\$\{|\\.|[^\s;{\\])(?:\$\{|\\.|[^\s;{\\])*)
    """,
    re.VERBOSE | re.DOTALL,
)
_SECRET: Final = re.compile(
    r"token|secret|passw|pwd|api[-_]?key|auth|session|signature|credential|cookie|private|licen[cs]e", re.I
)
# Their second word says to whom the others are said.
_NAMING: Final = re.compile(r"\w+_(?:param|set_header|http_header)|add_header|add_trailer|set|env|more_\w+")
_SECRET_DIRECTIVES: Final = frozenset({"secure_link_secret", "secure_link_md5", "external_account_key"})
_PARAMETER: Final = re.compile(r"(?i)([\w-]*(?:passw\w*|secret|token|api_?key)=)(?!\$)[^&\s]+")
_USER_OF_ADDRESS: Final = re.compile(r"(//)[^/@\s]+@")
_DATA: Final = re.compile(r"\b(data:).+", re.S)
_SCHEME: Final = re.compile(r"(?i)\b(basic|bearer|digest|token)\s+(?!\$)\S+")
_RANDOM: Final = re.compile(
    r"(?<![\w./$+-])(?:[0-9a-fA-F]{24,}|(?=\S*\d)(?=\S*[a-z])(?=\S*[A-Z])[\w+-][\w+/-]{23,}={0,2})(?![\w./+-])"
)
_NO_LITERAL: Final = re.compile(r"(?i)\$\{\w+\}|\$\w+|\b(?:basic|bearer|digest|token)\b|[^\w]")
_MAP_WORDS: Final = frozenset({"default", "hostnames", "volatile", "include"})

_ADDRESS: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
_KEPT_ADDRESS: Final = re.compile(r"127\.|0\.0\.0\.0$|255\.|192\.0\.2\.")
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_HOME: Final = re.compile(r"(/home/)[^/\s;\"']+")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]+\.?")
_KEPT_HOST: Final = re.compile(r"localhost|(?:.*\.)?(?:example(?:\.(?:com|org|net))?|localhost|invalid|test)$")
_PLACE: Final = re.compile(r"\w+://([^/:\s$]+)")


def anonymize(source: Source, *, names: bool = False) -> None:
    """Change what the dump of a configuration shows, in place."""
    texts = [(name, without_secrets(to_str(text))) for name, text in source.files]
    if names:
        change = Names(text for _, text in texts).change
        texts = [(change(name), change(text)) for name, text in texts]
    source.files[:] = [(name, to_bytes(text)) for name, text in texts]


def without_secrets(text: str) -> str:
    """The text of one file."""
    made: list[str] = []
    words: list[str] = []  # of the directive that is being read, as they were
    blocks: list[list[str]] = []
    for match in _PIECE.finditer(text):
        piece = match[0]
        if match["comment"]:
            piece = "#"
        elif match["word"]:
            word = piece.strip("\"'")
            piece = _said(words, blocks[-1] if blocks else [], piece)
            words.append(word)
        elif match["sign"]:
            if piece == "{":
                blocks.append(words)
            elif piece == "}" and blocks:
                blocks.pop()
            words = []
        made.append(piece)
    return "".join(made)


def _said(before: Sequence[str], block: Sequence[str], word: str) -> str:
    if block[:1] == ["map"] and len(block) > 2:
        place = block[1] if not before else block[2]
        return _hidden(word) if _SECRET.search(place) and word not in _MAP_WORDS else _formed(word)
    if not before:
        return word
    name = before[0]
    if name in _SECRET_DIRECTIVES:
        return _hidden(word)
    if name == "if" and any("$" in each and _SECRET.search(each) for each in before[1:]):
        return _hidden(word) if re.search(r"\w", word) else word
    if _NAMING.fullmatch(name) and len(before) > 1 and _SECRET.search(before[1]):
        return _hidden(word)
    if name == "env" and "=" in word and _SECRET.search(word.partition("=")[0]):
        return f"{word.partition('=')[0]}={MASK}"
    if name.endswith("ssl_ciphers"):
        return word
    return _formed(word)


def _hidden(word: str) -> str:
    """A secret, unless variables say it; quotes and what closes a condition stay."""
    if not _NO_LITERAL.sub("", word):
        return word
    quote = word[0] if word[0] in "\"'" else ""
    return f"{quote}{MASK}{quote}" + (")" if word.endswith(")") else "")


def _formed(word: str) -> str:
    """What looks like a secret wherever it stands."""
    quote = word[0] if word[0] in "\"'" else ""
    inside = word[1:-1] if quote else word
    inside = _USER_OF_ADDRESS.sub(rf"\1{MASK}@", inside)
    inside = _DATA.sub(rf"\1{MASK}", inside)
    inside = _PARAMETER.sub(rf"\1{MASK}", inside)
    inside = _SCHEME.sub(rf"\1 {MASK}", inside)
    return f"{quote}{_RANDOM.sub(MASK, inside)}{quote}"


class Names:
    """Hosts, addresses, accounts and mail addresses under other names, the same everywhere."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._hosts: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        for text in texts:
            for directive in _directives(text):
                self._collect(directive)
        # Longer ones first: a.shop.de before shop.de.
        found = sorted(self._hosts, key=len, reverse=True)
        pattern = "|".join(map(re.escape, found))
        self._pattern = re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])") if found else None

    def _collect(self, directive: list[str]) -> None:
        name, *words = directive
        places = [match[1] for word in words for match in _PLACE.finditer(word)]
        if name in ("server_name", "server", "listen", "resolver", "upstream", "valid_referers"):
            places += [word.rpartition(":")[0] if re.search(r":\d+$", word) else word for word in words]
        elif name.endswith("_pass"):
            places += [word.partition(":")[0] for word in words]
        for place in places:
            host = place.removeprefix("*").removesuffix("*").strip(".")
            if _HOST.fullmatch(host) and not _KEPT_HOST.match(host):
                self._hosts.setdefault(host, f"host{len(self._hosts) + 1}.example")

    def change(self, text: str) -> str:
        text = _MAIL.sub("user@example.org", text)
        if self._pattern is not None:
            text = self._pattern.sub(lambda match: self._hosts[match[0]], text)
        return _HOME.sub(r"\1user", _ADDRESS.sub(lambda match: self._address(match[0]), text))

    def _address(self, address: str) -> str:
        if _KEPT_ADDRESS.match(address):
            return address
        return self._addresses.setdefault(address, f"192.0.2.{len(self._addresses) % 254 + 1}")


def _directives(text: str) -> Iterable[list[str]]:
    words: list[str] = []
    for match in _PIECE.finditer(text):
        if match["word"]:
            words.append(match[0].strip("\"'"))
        elif match["sign"]:
            if words:
                yield words
            words = []
