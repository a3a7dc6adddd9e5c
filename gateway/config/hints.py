"""What was probably meant by a directive that is refused: nginx's line says what is wrong, a hint what to write.

Each hint is a function of the words of the directive, one sentence long; the first that knows something speaks.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from gateway.config import zone_hints
from gateway.config.errors import Note, Where, in_quotes
from gateway.config.text import to_str

if TYPE_CHECKING:
    from gateway.config.errors import ConfigError
    from gateway.config.outline import Outline, Place

# What word processors and web pages make of characters, and what nginx wants.
ODD: Final = {
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"', "\u2018": "'", "\u2019": "'",
    "\u00a0": "a space", "\u202f": "a space", "\u3000": "a space", "\uff1b": ";", "\uff5b": "{", "\uff5d": "}",
    "\u2013": "-", "\u2014": "--",
}  # fmt: skip
_OURS: Final = f"{os.path.dirname(os.path.dirname(__file__))}/conf"
_UNIT: Final = re.compile(r"(\d+)\s*(k|m|g|s|h|d|ms)[a-z]*", re.I)
_FOREIGN: Final = (
    (re.compile(r"<\w"), "this is Apache's configuration, not nginx's"),
    (re.compile(r"\[[\w-]+\]\s*\n"), "this is an ini file (uWSGI's, systemd's), not nginx's configuration"),
    (re.compile(r"[\w.-]+:\s*\n"), "this looks like YAML, not like nginx's configuration"),
    (re.compile(r"[^{}#]*\{\s*(?:#.*\s*)*(?:reverse_proxy|file_server|php_fastcgi)\b"), "this is a Caddyfile"),
)


def hints(error: ConfigError, place: Place | None, outline: Outline, files: Sequence[str]) -> Iterator[Note]:
    """At most one, for most; `files`: of the configuration, the main one first."""
    message = error.message
    if message.startswith('unknown "') and message.endswith('" variable'):
        yield from _variable(message.split('"')[1], outline, files)
        return
    if message == 'no "events" section in configuration':
        yield Note('"events { }" has to stand beside "http { … }", even with nothing in it')
        return
    undefined = list(zone_hints.undefined(message, outline, files))
    if undefined:
        yield from undefined
        return
    where = error.where
    for note in error.notes:
        if note.where is not None and note.text.endswith("is missing here"):
            text = to_str(outline.lines(note.where.file)[note.where.line - 1])[: note.where.column - 1].rstrip()
            if text[-1:] in ODD:
                yield _odd(text[-1])
                return
    if where is None or place is None:
        if where is not None:
            yield from _foreign(outline, where.file)
        return
    words = [token.text for token in place.reading.tokens]
    line = outline.lines(where.file)[place.reading.where.first_line - 1]
    odd = next((character for word in words for character in word if character in ODD), "")
    if odd:
        yield _odd(odd)
        return
    if re.search(rb"\{\{.*\}\}|\{%|<%", line):
        yield Note("a template's {{ … }} is still in it: fill it in before nginx reads the file")
        return
    if message.startswith("host not found in upstream"):
        meant = list(zone_hints.upstream(message, outline, files))
        if meant:
            yield from meant
            return
    for look in _LOOKS:
        text = look(message, words)
        if text:
            yield Note(text)
            return
    if "default server for" in message and words:
        yield from _other_default(words, where, outline, files)
    elif message.endswith("is already declared for a different use"):
        yield from zone_hints.other_one(message, where, outline, files)
    elif "(2: No such file or directory)" in message or "no such file" in message:
        yield from _file(message, words)
    elif message.startswith("unexpected end of file"):
        yield from _foreign(outline, where.file)
    elif message.startswith("unknown directive"):
        before = to_str(line)[: place.reading.tokens[0].where.column - 1]
        if before.endswith("{") and re.match(r"[\d,]+\}", words[0]):
            yield Note('a pattern with braces needs quotes around it: location ~ "^/[0-9]{4}/" { … }')
        else:
            yield from _foreign(outline, where.file)


def _odd(character: str) -> Note:
    name = f"U+{ord(character):04X}"
    shown = f"a no-break space ({name})" if ODD[character] == "a space" else f"{character} ({name})"
    return Note(f"there is {shown} in it, which means nothing to nginx: write {ODD[character]}")


# -- by the message and the words -----------------------------------------------------------------------------------


def _pass(message: str, words: list[str]) -> str:
    """An address in another form than the directive takes."""
    if len(words) != 2 or not words[0].endswith("_pass"):
        return ""
    name, target = words
    scheme, sign, rest = target.partition("://")
    if message == "invalid URL prefix":
        if sign and scheme in ("uwsgi", "suwsgi", "fastcgi", "scgi", "grpc", "memcached"):
            return f"to a server that speaks {scheme} it is: {scheme}_pass {rest};"
        path = target if target.startswith("unix:") else f"unix:{target}" if target.startswith("/") else ""
        half = re.fullmatch(r"https?:(/?[^/].*)", target)  # a slash of the two is missing, or both
        if half:
            path = f"unix:{half[1]}" if half[1].startswith("/") and ".sock" in half[1] else half[1].lstrip("/")
        return f'an address of proxy_pass begins with "http://" or "https://": {name} http://{path or rest or target};'
    if not message.startswith(("invalid host in upstream", "no host in upstream", "invalid port in upstream")):
        return ""
    if target.startswith("/"):
        return f'a path needs "unix:" in front: {name} unix:{target};'
    if sign and scheme in ("http", "https") and name != "proxy_pass":
        speaks = name.removesuffix("_pass")
        own = f"{name} speaks {speaks} and takes no {scheme}://: {name} {rest};"
        return f"{own} or, to an HTTP server, proxy_pass {target};"
    return ""


def _peer(message: str, words: list[str]) -> str:
    """An upstream's server in the form of proxy_pass."""
    if words[0] != "server" or len(words) < 2 or not message.startswith(("invalid host in", "no host in")):
        return ""
    rest = words[1].partition("://")[2].rstrip("/")
    if rest:
        return f"server in an upstream is an address alone, the scheme stands in proxy_pass: server {rest};"
    return f'a path needs "unix:" in front: server unix:{words[1]};' if words[1].startswith("/") else ""


def _upstream_name(message: str, words: list[str]) -> str:
    if not message.startswith("host not found in upstream"):
        return ""
    host = in_quotes(message).partition(":")[0]
    return (
        f'"{host}" is asked of DNS when the configuration is read, and there is no upstream block of this name; in '
        "containers both have to be on one network, or: resolver …; set $u the-address; and $u in its place"
    )


def _resolver(message: str, words: list[str]) -> str:
    bare = re.fullmatch(r'(?:no host|invalid port) in resolver "([0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:.]*)"', message)
    return f"an IPv6 address stands in brackets: resolver [{bare[1]}];" if bare else ""


def _listen(message: str, words: list[str]) -> str:
    if words[0] != "listen" or len(words) < 2:
        return ""
    if "://" in words[1]:
        rest = words[1].partition("://")[2].rstrip("/")
        return f"listen takes an address and a port: listen {rest}{' ssl' if words[1].startswith('https') else ''};"
    if "$" in words[1]:
        return "no variables are known before a request: a shell or envsubst has to write the value into the file"
    if words[1].count(":") > 1 and not words[1].startswith(("[", "unix:")):
        return "listen takes address:port, and no second port as Docker does"
    return ""


def _value(message: str, words: list[str]) -> str:
    """A size or a time in another form; words that should be one."""
    if message.endswith("directive invalid value") or (message.startswith("invalid value") and len(words) == 2):
        unit = _UNIT.fullmatch(words[-1])
        if unit:
            return f"numbers have one letter behind them, as 512k, 10m, 60s, 1h: {words[0]} {unit[1]}{unit[2].lower()};"
        return ""
    if not message.startswith("invalid number of arguments"):
        return ""
    if words[0] == "location" and len(words) == 1:
        return "a location needs its path: location / { … }"
    if len(words) > 2 and words[1] in ("=", ":"):
        return f'there is no "{words[1]}" between a directive and its value: {words[0]} {" ".join(words[2:])};'
    unit = _UNIT.fullmatch("".join(words[1:])) if len(words) == 3 else None
    if unit:
        return f"no space stands before the unit: {words[0]} {unit[1]}{unit[2].lower()};"
    if len(words) == 2 and words[0].endswith(("_header", "_param", "set")) and re.match(r"[\w$-]+[=:]", words[1]):
        name, value = re.split("[=:]", words[1], maxsplit=1)
        return f"a space stands between the name and its value: {words[0]} {name} {value};"
    if words[0] == "try_files" and len(words) == 2:
        return f"the last word is what happens when no file is there: try_files {words[1]} =404;"
    return ""


def _rate(message: str, words: list[str]) -> str:
    rate = re.fullmatch(r'invalid rate "rate=(\d+)(?:r)?/?(.*)"', message)
    if rate is None:
        return ""
    return f"requests are counted a second or a minute, r/s or r/m: rate={rate[1]}r/{'m' if 'm' in rate[2] else 's'}"


def _flags(message: str, words: list[str]) -> str:
    if words[0] != "rewrite" or not re.search(r'parameter "\[.*\]"', message):
        return ""
    flags = words[-1].strip("[]").upper().split(",")
    code = next((flag for flag in flags if flag.startswith("R")), "")
    word = "permanent" if code.endswith("301") else "redirect" if code else "last"
    said = "flags in brackets are Apache's; arguments stay by themselves here"
    return f"{said}: {' '.join(words[:-1])} {word};"


def _apache(message: str, words: list[str]) -> str:
    if not message.startswith("unknown directive") or not words[0].lower().startswith("rewrite"):
        return ""
    return (
        "this is Apache's, from a .htaccess, which is not read here; for a front controller: "
        "location / { try_files $uri $uri/ /index.php?$args; }"
    )


def _condition(message: str, words: list[str]) -> str:
    if words[0].startswith("if("):
        return "a space is missing: if ( … )"
    if words[0] in ("else", "elif", "elseif"):
        return "there is no else: a second if with the opposite condition, or a map of the variable in http"
    if words[0] != "if":
        return ""
    if '"=="' in message:
        return 'one "=" compares: if ($a = b)'
    if {"&&", "||", "and", "or"} & set(words):
        return "a condition has no && and no ||: a map in http makes one variable of several"
    return ""


def _gone(message: str, words: list[str]) -> str:
    if words[0] == "ssl" and message.startswith("unknown directive"):
        return '"ssl on" is gone since nginx 1.25.1: listen 443 ssl;'
    if message.startswith('no "ssl_certificate" is defined'):
        return "the server needs ssl_certificate and ssl_certificate_key (in development: gateway run --https)"
    return ""


_LOOKS: Final[tuple[Callable[[str, list[str]], str], ...]] = (
    _pass, _peer, _upstream_name, _resolver, _listen, _value, _rate, _flags, _apache, _condition, _gone,
    zone_hints.by_words,
)  # fmt: skip


def of_unknown(name: str) -> str:
    """What a directive is that nobody has: another program's, or gone; nothing where that is not known."""
    message = f'unknown directive "{name}"'
    return next(filter(None, (look(message, [name]) for look in (_apache, _condition, _gone))), "")


# -- by what else there is ------------------------------------------------------------------------------------------


def _variable(name: str, outline: Outline, files: Sequence[str]) -> Iterator[Note]:
    """Where it is used, which nginx does not say, and what it may be."""
    wanted = re.compile(rf"\$\{{?({re.escape(name)})\b", re.I)
    for file in files:
        for place in outline.statements(file):
            for token in place.reading.tokens:
                found = wanted.search(token.text)
                if found is None:
                    continue
                yield Note("it is used here", token.where)
                if found[1].isupper():
                    yield Note("nginx does not read the environment: a shell or envsubst has to write the value in")
                elif name == "connection_upgrade":
                    yield Note("in http stands: map $http_upgrade $connection_upgrade { default upgrade; '' close; }")
                return


def _other_default(words: list[str], where: Where, outline: Outline, files: Sequence[str]) -> Iterator[Note]:
    for file in files:
        for place in outline.statements(file):
            tokens = [token.text for token in place.reading.tokens]
            same = tokens[:1] == ["listen"] and tokens[1:2] == _address(words, where, outline)
            if same and {"default_server", "default"} & set(tokens):
                yield Note("the first one stands here", place.reading.where)
                return


def _address(words: list[str], where: Where, outline: Outline) -> list[str]:
    """Of the listen that is refused; the message may be about its server."""
    if words[0] == "listen":
        return words[1:2]
    for place in outline.statements(where.file):
        tokens = [token.text for token in place.reading.tokens]
        inside = any(block.where == where for block in place.blocks)
        if inside and tokens[0] == "listen" and {"default_server", "default"} & set(tokens):
            return tokens[1:2]
    return []


def _file(message: str, words: list[str]) -> Iterator[Note]:
    """A name like it in the same folder, or where its folder ends."""
    path = in_quotes(message)
    if re.match(r"[A-Za-z]:[\\/]", words[-1]):
        yield Note("this is a name of Windows': here a path begins with /")
        return
    folder, _, name = path.rpartition("/")
    if not folder or not name:
        return
    if not os.path.isdir(folder):
        yield Note(f"there is no folder {folder}")
        return
    near = difflib.get_close_matches(name, _files(folder), 1, 0.75)
    ours = difflib.get_close_matches(name, _files(_OURS), 1, 0.75) if words[0] == "include" else []
    if near:
        yield Note(f'did you mean "{words[-1].removesuffix(name)}{near[0]}"?')
    elif ours:
        yield Note(f"gateway has a {ours[0]}: include {_OURS}/{ours[0]};")
    elif "BIO_new_file" in message:
        yield Note(f"there is no file {path}")


def _files(folder: str) -> list[str]:
    try:
        return sorted(each.name for each in os.scandir(folder) if each.is_file())
    except OSError:
        return []


def _foreign(outline: Outline, file: str) -> Iterator[Note]:
    """A file of another program."""
    text = to_str(b"\n".join(outline.lines(file)[:20])).lstrip()
    for form, words in _FOREIGN:
        if form.match(text):
            yield Note(words)
            return
