"""Rules about what is written otherwise than nginx reads it: it is accepted, and means something else."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.config.lexer import Ending, Lexer
from gateway.config.parser import full_name
from gateway.config.whole_file import read_whole
from gateway.dev.check.block import Block
from gateway.dev.check.edits import quoted, replaced, tokens
from gateway.dev.check.rule import Problem, rule

if TYPE_CHECKING:
    from gateway.config.errors import Where
    from gateway.config.parser import Statement

_QUOTES: Final = "\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019"
# No-break spaces, and what takes no room at all.
_UNSEEN: Final = "\u00a0\u202f\u200b\u200c\u200d\u2060\ufeff"
# In these a word with a comma behind it is another word, and nothing says so.
_LISTS: Final = frozenset({"server_name", "index", "try_files", "valid_referers"})
_LIST_ENDINGS: Final = ("_types", "_no_cache", "_cache_bypass")
_HEADER_NAMES: Final = ("add_header", "add_trailer")
_HEADER_ENDINGS: Final = ("_set_header", "_hide_header", "_pass_header")
# Fields with a dash in their names whose first word is no field that a variable would be made of.
_DASHED: Final = frozenset({
    "user-agent", "accept-encoding", "accept-language", "accept-charset", "content-type", "content-length",
    "content-encoding", "content-disposition", "cache-control", "if-modified-since", "if-none-match", "if-match",
    "last-modified", "set-cookie", "cf-connecting-ip", "cf-ray", "cf-ipcountry", "true-client-ip", "sec-fetch-mode",
    "sec-fetch-site", "sec-fetch-dest", "sec-websocket-key", "sec-websocket-protocol", "sec-websocket-version",
    "strict-transport-security",
})  # fmt: skip
_FIELD: Final = re.compile(r"\$((?:http|sent_http|upstream_http)_)([a-z]+(?:-[a-z0-9]+)+)(?![\w-])", re.I)
_SLASHED: Final = re.compile(r"(?<![/:])/(?=\$\{?(request_uri|uri|document_uri)\b)")
_PATHS: Final = frozenset({"root", "alias", "access_log", "error_log", "pid"})
_VALUES: Final = frozenset({
    "host", "http_host", "remote_addr", "scheme", "proxy_add_x_forwarded_for", "request_uri", "server_port",
    "http_upgrade", "http_x_forwarded_for",
})  # fmt: skip
_TEXTS: Final = frozenset({
    "$request_method", "$host", "$http_host", "$uri", "$document_uri", "$request_uri", "$scheme", "$server_name",
})  # fmt: skip


@rule("GW801", "typographic-character", "error")
def typographic_character(config: Block) -> Iterator[Problem]:
    """Quotation marks of a word processor or a web page are letters to nginx: they are sent as a part of the value. So
    are no-break spaces, which nobody sees."""
    for block in config.walk():
        for statement in block.statements:
            if not "".join([statement.name, *statement.args]).isascii():
                yield from _typographic(statement)


def _typographic(statement: Statement) -> Iterator[Problem]:
    given = tokens(statement)
    words = [each.text for each in given]
    bare = [number for number, each in enumerate(given) if not each.quoted]
    begin = next((n for n in bare if words[n][0] in _QUOTES), None)
    end = next((n for n in bare if begin is not None and n >= begin and words[n][-1] in _QUOTES), None)
    if begin is not None and end is not None and (end > begin or len(words[begin]) > 2):
        inner = " ".join(words[begin : end + 1])[1:-1]
        text = f'{words[begin][0]} (U+{ord(words[begin][0]):04X}) is a part of the value: write "'
        better = [*map(quoted, words[:begin]), quoted(inner), *map(quoted, words[end + 1 :])]
        yield Problem(statement.where, text, (replaced(statement, *better),))
        return
    unseen = [n for n in bare if words[n] != words[n].strip(_UNSEEN)]
    if unseen:
        word = words[unseen[0]]
        kept = [word.strip(_UNSEEN) if n in unseen else word for n, word in enumerate(words)]
        character = word[-1] if word[-1] in _UNSEEN else word[0]
        text = f"U+{ord(character):04X}, which nobody sees, is a part of {quoted(word.strip(_UNSEEN))}"
        yield Problem(statement.where, text, (replaced(statement, *(quoted(word) for word in kept if word)),))


@rule("GW802", "comma-in-list", "error")
def comma_in_list(config: Block) -> Iterator[Problem]:
    """Words of a list stand behind spaces: `server_name a.example, b.example` has a name that ends in a comma, which
    nobody asks for."""
    for block in config.walk():
        for statement in block.statements:
            if statement.name not in _LISTS and not statement.name.endswith(_LIST_ENDINGS):
                continue
            wrong = [n for n, word in enumerate(statement.args) if _has_comma(statement, word, n)]
            if wrong:
                words = [part for n, word in enumerate(statement.args) for part in _parts(word, n in wrong)]
                text = f'"{statement.args[wrong[0]]}": the comma is a part of the word; a space alone stands between'
                yield Problem(statement.where, text, (replaced(statement, statement.name, *map(quoted, words)),))


def _has_comma(statement: Statement, word: str, number: int) -> bool:
    if word.startswith("~"):
        return False
    if statement.name == "server_name" or statement.name.endswith("_types"):
        return "," in word.strip(",")[1:] or (word.endswith(",") and len(word) > 1)
    return word.endswith(",") and len(word) > 1 and number < len(statement.args) - 1


def _parts(word: str, split: bool) -> list[str]:
    return [part for part in word.split(",") if part] if split else [word]


@rule("GW803", "dash-in-variable", "error")
def dash_in_variable(config: Block) -> Iterator[Problem]:
    """The name of a variable ends at a dash: `$http_x-forwarded-for` is what a field `X` has, and "-forwarded-for"
    behind it. Dashes of a field's name are underscores."""
    for block in config.walk():
        for statement in block.statements:
            better = [_FIELD.sub(_underscores, word) for word in statement.args]
            if better != statement.args:
                old, new = next(
                    (word, found) for word, found in zip(statement.args, better, strict=True) if word != found
                )
                found = next(each for each in _FIELD.finditer(old) if _underscores(each) in new and _dashed(each))
                text = f"{found[0]} is ${found[1]}{found[2].partition('-')[0]} and a text: {_underscores(found)}"
                yield Problem(statement.where, text, (replaced(statement, statement.name, *map(quoted, better)),))


def _dashed(found: re.Match[str]) -> bool:
    return found[2].lower().startswith("x-") or found[2].lower() in _DASHED


def _underscores(found: re.Match[str]) -> str:
    return found[0].replace("-", "_") if _dashed(found) else found[0]


@rule("GW804", "colon-in-field-name", "error")
def colon_in_field_name(config: Block) -> Iterator[Problem]:
    """`add_header X-Frame-Options: DENY` sends `X-Frame-Options::`, which no browser knows; `proxy_hide_header Server:`
    hides nothing. The colon is written by nginx."""
    for block in config.walk():
        for statement in block.statements:
            if statement.name not in _HEADER_NAMES and not statement.name.endswith(_HEADER_ENDINGS):
                continue
            name = statement.args[0] if statement.args else ""
            if name.endswith(":") and name.strip(":"):
                words = [name.rstrip(":"), *statement.args[1:]]
                text = f'"{name}" is the name with a second colon: {name.rstrip(":")}'
                yield Problem(statement.where, text, (replaced(statement, statement.name, *map(quoted, words)),))


@rule("GW805", "windows-path", "error")
def windows_path(config: Block) -> Iterator[Problem]:
    r"""`root C:\new\table` is a folder of that name below the prefix, with a line break and a tab in it: `\n`, `\r` and
    `\t` are characters here, and no path of this system begins with a letter and a colon."""
    for _, statement in _with_path(config):
        path = statement.args[0]
        if re.match(r"[A-Za-z]:[\\/\n\r\t]", path):
            yield Problem(statement.where, f"{path!r} is no path of this system, and is looked for below the prefix")


@rule("GW806", "tilde-path", "error")
def tilde_path(config: Block) -> Iterator[Problem]:
    """`root ~/www` is a folder named ~ below the prefix: a shell knows what ~ is, nginx does not."""
    for _, statement in _with_path(config):
        if statement.args[0].startswith("~/") or statement.args[0] == "~":
            yield Problem(statement.where, f'"{statement.args[0]}": no shell reads this; write the whole path')


def _with_path(config: Block) -> Iterator[tuple[Block, Statement]]:
    for block in config.walk():
        for statement in block.statements:
            if statement.args and (statement.name in _PATHS or statement.name.endswith(("_temp_path", "_cache_path"))):
                yield block, statement


@rule("GW807", "placeholder-left", "error")
def placeholder_left(config: Block) -> Iterator[Problem]:
    """`server_name ${DOMAIN}` is a name of these very characters: names of servers and locations know no variables and
    no environment. envsubst, or whatever fills the template in, has not run, or does not know the name."""
    for server in config.walk("server"):
        for statement in server.all("server_name"):
            for name in statement.args:
                if name[:1] != "~" and name.lower() != "$hostname" and re.search(r"^[^/]*[$<>{}%][^/]*$", name):
                    yield Problem(statement.where, f'"{name}" is not filled in: nobody asks for a host of this name')
    for location in config.walk("location"):
        if not location.is_regex and re.search(r"\$\{\w+\}", location.path):
            yield Problem(location.where, f'"{location.path}" is not filled in: a location knows no variables')


@rule("GW808", "location-no-pattern", "error")
def location_no_pattern(config: Block) -> Iterator[Problem]:
    r"""`location *.php` and `location \.php$` are the begin of a path that nobody asks for: without `~` it is no
    pattern, a star is a star, and a path has no `?` and no %XX (it is decoded before)."""
    for location in config.walk("location"):
        path = location.path
        if location.is_regex or path.startswith(("@", "$")) or location.around("http") is None or not path:
            continue
        if path.startswith("/"):
            wrong = _wrong_path(path)
        elif _may_become(location, path):
            continue
        else:
            wrong = "no path begins like this"
            if path.startswith(("^", "*", "\\", ".", "(")):
                wrong += ": a pattern has ~ before it, as location ~ \\.php$"
            elif "://" not in path:
                wrong += f": /{path}"
        if wrong:
            yield Problem(location.where, f'"{path}" is never chosen: {wrong}')


def _wrong_path(path: str) -> str:
    if re.search(r"%[0-9A-Fa-f]{2}", path):
        return "a path is compared decoded, without %XX"
    if re.search(r"\(\?|\(.*\|.*\)|\.\*|\\\.|\[[^]]*\][+*]|\$$", path):
        return "a pattern has ~ before it"
    if path.endswith("/*"):
        return f'a star is no pattern, and "{path[:-1]}" alone is the begin of all of them'
    if "?" in path:
        return "arguments are no part of a path; if ($arg_name = …) asks for one"
    return ""


def _may_become(location: Block, path: str) -> bool:
    """Whether a rewrite makes a path without a slash of what was asked for."""
    server = location.around("server") or location
    for _, statement in server.everywhere("rewrite", "try_files", "index"):
        if any(word.startswith((path, "$")) for word in statement.args[1 if statement.name == "rewrite" else 0 :]):
            return True
    return False


@rule("GW809", "pattern-compared", "error")
def pattern_compared(config: Block) -> Iterator[Problem]:
    """`if ($request_method = POST|PUT)` compares with these very characters: patterns have `~`."""
    for block in config.walk("if"):
        words = [word for word in [block.args[0].lstrip("("), *block.args[1:-1], block.args[-1].rstrip(")")] if word]
        if len(words) != 3 or words[1] not in ("=", "!=") or words[0] not in _TEXTS or block.opener is None:
            continue
        text = words[2]
        if re.fullmatch(r"\^?\(?[A-Za-z]+(?:\|[A-Za-z]+)+\)?\$?", text):
            sign = "~" if words[1] == "=" else "!~"
            better = quoted(f"^({text.strip('^()$')})$") + ")"
            edit = replaced(block.opener, "if", f"({words[0]}", sign, better)
            yield Problem(block.where, f'"{text}" is compared as it stands: {sign} takes a pattern', (edit,))
        elif ".*" in text or (text.startswith("^") and len(text) > 1):
            yield Problem(block.where, f'"{text}" is compared as it stands: ~ takes a pattern')


@rule("GW810", "rewrite-of-no-path", "error")
def rewrite_of_no_path(config: Block) -> Iterator[Problem]:
    r"""`rewrite ^/page\?id=1$ …` and `rewrite ^https://… …` never match: what is compared is the path alone, without
    arguments, host and scheme."""
    for _, statement in config.everywhere("rewrite"):
        pattern = statement.args[0]
        if re.match(r"\^?\(?https?\??:/", pattern):
            yield Problem(statement.where, f'"{pattern}": a path is compared, which has no scheme and no host')
        elif re.search(r"\w\\\?\(?\w+=", pattern):
            yield Problem(statement.where, f'"{pattern}": a path is compared, which has no arguments; see $arg_name')


@rule("GW811", "include-of-nothing", "warn")
def include_of_nothing(config: Block) -> Iterator[Problem]:
    """`include sites-enabled/*.conf` includes nothing where the files of the folder have other names, and nothing is
    said."""
    names = {statement.where.file for block in config.walk() for statement in block.statements}
    main = next((statement.where.file for statement in config.statements if statement.where.file), "")
    for name in sorted(each for each in names if each):
        for where, given in _includes(name):
            pattern = full_name(given, os.path.dirname(main) + "/")
            if not any(c in pattern for c in "*?[") or glob.glob(pattern):
                continue
            folder = os.path.dirname(pattern)
            if any(c in folder for c in "*?["):
                continue
            beside = sorted(each.name for each in os.scandir(folder) if _is_conf(each)) if os.path.isdir(folder) else []
            if beside:
                shown = ", ".join(beside[:3])
                yield Problem(where, f'"{given}" matches none of the files that are there: {shown}')


def _is_conf(entry: os.DirEntry[str]) -> bool:
    """A file that somebody may have put there to be read, and no copy that a program left."""
    name = entry.name
    left = name.startswith(".") or name.endswith(("~", ".bak", ".off", ".disabled", ".save", ".old", ".orig", ".md"))
    return entry.is_file() and not left and "README" not in name and ".dpkg-" not in name and ".rpm" not in name


def _includes(file: str) -> Iterator[tuple[Where, str]]:
    lexer = Lexer(read_whole(file), file)
    while True:
        reading = lexer.read()
        if reading.ending is Ending.END:
            return
        if len(reading.tokens) == 2 and reading.tokens[0].text == "include":
            yield reading.where, reading.tokens[1].text


@rule("GW812", "variable-without-dollar", "error")
def variable_without_dollar(config: Block) -> Iterator[Problem]:
    """`proxy_set_header Host host` tells the application that its host is called "host"."""
    for block in config.walk():
        for statement in block.statements:
            if not statement.name.endswith(("_set_header", "_param")) or len(statement.args) < 2:
                continue
            value = statement.args[1]
            if value in _VALUES:
                words = [statement.name, *map(quoted, statement.args)]
                words[2] = f"${value}"
                text = f'"{value}" is a text, which is sent as it is: ${value}'
                yield Problem(statement.where, text, (replaced(statement, *words),))


@rule("GW813", "error-page-relative", "error")
def error_page_relative(config: Block) -> Iterator[Problem]:
    """`error_page 404 404.html` is a redirect: without a slash before it the browser is sent to a page of that name
    beside the one that it asked for, with a 302 instead of the error."""
    for _, statement in config.everywhere("error_page"):
        *codes, target = statement.args
        if target.startswith(("/", "@", "$")) or re.match(r"[a-z]+:", target, re.I):
            continue
        glued = re.fullmatch(r"(=\d*)(/.*)", target)
        if glued is not None:
            better = [*codes, glued[1], glued[2]]
        elif re.fullmatch(r"[\w./-]+", target):
            better = [*codes, f"/{target}"]
        else:
            continue
        edit = replaced(statement, "error_page", *map(quoted, better))
        yield Problem(statement.where, f'"{target}" is a redirect to it: {" ".join(better[len(codes) :])}', (edit,))


@rule("GW814", "slash-doubled", "warn")
def slash_doubled(config: Block) -> Iterator[Problem]:
    """$request_uri and $uri begin with a slash: with one before it, `return 301 https://$host/$request_uri;` sends to
    https://a.example//page."""
    for block, statement in config.everywhere("return", "rewrite", "proxy_pass", "error_page"):
        words = list(statement.args)
        at = 1 if statement.name == "rewrite" else len(words) - 1
        found = _SLASHED.search(words[at])
        if found is not None and "://" in words[at] and (found[1] == "request_uri" or not _loses_slash(block)):
            words[at] = words[at][: found.start()] + words[at][found.end() :]
            edit = replaced(statement, statement.name, *map(quoted, words))
            yield Problem(statement.where, f"the variable begins with a slash: {words[at]}", (edit,))


def _loses_slash(block: Block) -> bool:
    """Whether a rewrite makes a path that begins with something else: `rewrite ^/s/(.*) $1 break;`."""
    at: Block | None = block
    while at is not None:
        if any(not each.args[1].startswith("/") for each in at.all("rewrite")):
            return True
        at = at.outer
    return False


@rule("GW815", "try-files-relative", "error")
def try_files_relative(config: Block) -> Iterator[Problem]:
    """`try_files $uri index.html` has no slash before the name, which is put behind the root as it is:
    /srv/siteindex.html is looked for, and the answer is 404."""
    for block, statement in config.everywhere("try_files"):
        # an alias keeps the slash that it ends in, a root does not; the last word is a path of the server's
        folder = next(iter(block.effective("root", "alias")), None)
        glued = folder is not None and folder.name == "alias" and folder.args[0].endswith("/")
        kept = len(statement.args) - 1 if glued else 0
        words = [
            f"/{each}" if at >= kept and re.match(r"\w[\w./-]*$", each) else each
            for at, each in enumerate(statement.args)
        ]
        if words != statement.args:
            better = " ".join(["try_files", *words])
            edit = replaced(statement, "try_files", *map(quoted, words))
            text = f"a name is put behind the root as it is, without a slash: {better};"
            yield Problem(statement.where, text, (edit,))


@rule("GW816", "body-of-bytes", "warn")
def body_of_bytes(config: Block) -> Iterator[Problem]:
    """A size without a letter is in bytes: `client_max_body_size 50;` refuses a form of 51 with a 413. 50m is meant."""
    for _, statement in config.everywhere("client_max_body_size"):
        text = statement.args[0]
        if text.isdigit() and 0 < int(text) < 1024:
            edit = replaced(statement, "client_max_body_size", f"{text}m")
            yield Problem(statement.where, f"a body of more than {text} bytes gets 413: {text}m", (edit,))
