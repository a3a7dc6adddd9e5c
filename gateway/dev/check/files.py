"""Rules about files: root, alias, try_files, what a folder shows."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from gateway.dev.check import patterns, values
from gateway.dev.check.block import Block
from gateway.dev.check.edits import Edit, added_behind, quoted, removed, replaced
from gateway.dev.check.rule import Problem, rule

if TYPE_CHECKING:
    from gateway.config.parser import Statement

# Last words of try_files that lead back to it.
IN_CIRCLES: Final = ("$uri", "$uri/", "$request_uri", "$document_uri")
# What has the root in it.
_BY_ROOT: Final = frozenset({"document_root", "realpath_root", "request_filename"})
_TOO_MUCH: Final = frozenset({"/", "/etc", "/home", "/root", "/usr", "/var", "/srv", "/opt", "/proc", "/dev", "/tmp"})


@rule("GW101", "alias-traversal", "error")
def alias_traversal(config: Block) -> Iterator[Problem]:
    """`location /img { alias /data/img/; }` answers `/img../secret` with /data/secret: what follows the location's name
    is put behind the alias as it is. The location has to end in a slash where the alias does."""
    for location in config.walk("location"):
        alias = location.one("alias")
        if alias is not None and location.is_regex and _leads_out(location.path, alias.args[0]):
            text = f'"{location.path}" takes ".." behind a name for {alias.args[0]}: put a slash before the group'
            yield Problem(location.where, text)
        if alias is None or location.modifier not in ("", "^~") or location.path.endswith("/"):
            continue
        if alias.args[0].endswith("/") and location.opener is not None:
            name = quoted(location.path + "/")
            words = ["location", *([location.modifier] if location.modifier else []), name]
            text = f'"{location.path}.." leads out of {alias.args[0]}: end the location in a slash as well'
            yield Problem(location.where, text, (replaced(location.opener, *words),))


def _leads_out(pattern: str, alias: str) -> bool:
    """Whether a group that stands behind a slash of the alias may begin with "../" though nginx took those out of the
    path: where no slash is before it, "/img../x" has one."""
    found = re.search(r"/\$\{?(\d)\}?", alias)
    sequence = patterns.group(pattern, int(found[1])) if found is not None else None
    if found is None or sequence is None:
        return False
    before = patterns.before_group(pattern, int(found[1]))
    taken = patterns.characters(sequence)
    behind_slash = before is not None and before == patterns.bits("/")
    return not behind_slash and bool(taken & patterns.bits(".")) and bool(taken & patterns.bits("/"))


@rule("GW111", "alias-open-end", "note")
def alias_open_end(config: Block) -> Iterator[Problem]:
    """`location /img { alias /data/img; }` also answers `/img-old/key` with /data/img-old/key: whatever stands beside
    the folder and begins like it. With a slash at both ends only what is inside is served."""
    for location in config.walk("location"):
        alias = location.one("alias")
        if alias is None or location.opener is None:
            continue
        target = alias.args[0]
        text = f'"{location.path}-x" becomes "{target}-x", which stands beside the folder: end both in a slash'
        if location.is_regex:
            found = re.search(r"[^/}](\$\{?(\d)\}?)$", target)
            if found is not None and _begins_anyhow(location.path, int(found[2])):
                yield Problem(location.where, text.replace("-x", "…").replace(": end both in", ": ask for"))
            continue
        if location.modifier not in ("", "^~") or location.path.endswith("/") or target.endswith("/") or "$" in target:
            continue
        if "." in target.rpartition("/")[2]:
            continue  # a file, which nothing begins like
        words = ["location", *([location.modifier] if location.modifier else []), quoted(location.path + "/")]
        edits = replaced(location.opener, *words), replaced(alias, "alias", quoted(target + "/"))
        yield Problem(location.where, text, edits)


def _begins_anyhow(pattern: str, number: int) -> bool:
    """Whether a group behind a name may begin with what makes another name of it."""
    before = patterns.before_group(pattern, number)
    sequence = patterns.group(pattern, number)
    if before is None or sequence is None or before == patterns.bits("/"):
        return False
    return bool(before & patterns.bits("abcdefghijklmnopqrstuvwxyz")) and _first(sequence)


def _first(sequence: Any) -> bool:
    """Whether the first of it may be a "-" as well as a slash."""
    for node in sequence:
        taken = patterns.characters([node])
        return bool(taken & patterns.bits("-"))
    return False


@rule("GW102", "alias-without-slash", "warn")
def alias_without_slash(config: Block) -> Iterator[Problem]:
    """`location /img/ { alias /data/img; }` looks for /data/imga.png: the two ends have to agree."""
    for location in config.walk("location"):
        alias = location.one("alias")
        if alias is not None and location.is_regex:
            found = re.search(r"[^/}](\$\{?(\d)\}?)", alias.args[0])
            if found is not None and patterns.before_group(location.path, int(found[2])) == patterns.bits("/"):
                better = alias.args[0].replace(found[1], "/" + found[1])
                text = f'"{location.path}" ends in a slash before its group, and the alias does not: {better}'
                yield Problem(alias.where, text, (replaced(alias, "alias", quoted(better)),))
        if alias is None or location.modifier not in ("", "^~") or not location.path.endswith("/"):
            continue
        target = alias.args[0]
        if target.endswith("/") or "$" in target:
            continue
        text = f'"{location.path}a" becomes "{target}a": end the alias in a slash as well'
        yield Problem(alias.where, text, (replaced(alias, "alias", quoted(target + "/")),))


@rule("GW113", "root-doubled", "warn")
def root_doubled(config: Block) -> Iterator[Problem]:
    """`location /static/ { root /srv/static; }` looks for /srv/static/static/a.css: the whole path is put behind a
    `root`. Its parent is the root, or `alias /srv/static/;`."""
    for location in config.walk("location"):
        root = location.one("root")
        name = location.path.rstrip("/")
        if root is None or location.modifier not in ("", "^~") or name.count("/") < 1 or "." in name.rpartition("/")[2]:
            continue
        path = root.args[0].rstrip("/")
        if "$" in path or not path.endswith(name) or path == name or os.path.isdir(path + name):
            continue
        if location.all("rewrite", "return") or location.passes() is not None:
            continue  # another path is looked for, or none
        text = f'"{name}/a" is looked for as "{path}{name}/a": root {path.removesuffix(name)};'
        yield Problem(root.where, text, (replaced(root, "root", quoted(path.removesuffix(name))),))


@rule("GW114", "alias-of-pattern", "error")
def alias_of_pattern(config: Block) -> Iterator[Problem]:
    """In a location by a pattern nothing is put behind an `alias`: without a group in it every path gets the folder
    itself. `location /img/ { alias /srv/img/; }`, or `location ~ ^/img/(.*)$ { alias /srv/img/$1; }`."""
    for location in config.walk("location"):
        alias = location.one("alias")
        if alias is not None and location.is_regex and alias.args[0].endswith("/") and "$" not in alias.args[0]:
            listed = re.search(r"/\??\$$", location.path) and location.value("autoindex", "off") == "on"
            if listed or location.all("try_files"):
                continue  # the folder itself is what is meant, or names are put behind it after all
            text = f"every path that fits is this folder itself: a group of the pattern, as in alias {alias.args[0]}$1;"
            yield Problem(alias.where, text)


@rule("GW115", "root-elsewhere", "error")
def root_elsewhere(config: Block) -> Iterator[Problem]:
    """A `root` in `location /` holds there alone: beside it, in `location ~ \\.php$`, $document_root is the folder
    html of the server, and PHP says "File not found.". The root belongs into the server."""
    for server in config.walk("server"):
        main = next((each for each in server.inner if each.name == "location" and each.path == "/"), None)
        root = main.one("root") if main is not None else None
        if root is None or server.effective("root"):
            continue
        for location, passed in server.everywhere("fastcgi_pass"):
            if location.effective("root") or location.all("alias"):
                continue
            named = [each for each in location.effective("fastcgi_param") if each.args[0] == "SCRIPT_FILENAME"]
            if any(set(values.names_in(each.args[1])) & _BY_ROOT for each in named):
                path = quoted(root.args[0])
                edits = (removed(root), added_behind(server.opener, f"root {path};")) if server.opener else ()
                text = f"the root of location / holds there alone, not here: root {path}; in the server"
                yield Problem(passed.where, text, edits)
                break


@rule("GW103", "root-too-wide", "error")
def root_too_wide(config: Block) -> Iterator[Problem]:
    """A `root` that is a folder of the system serves what nobody meant to publish: keys, configurations, homes."""
    for block, statement in config.everywhere("root", "alias"):
        if "$" in statement.args[0] or (statement.name == "alias" and not _opens_folder(block, statement.args[0])):
            continue
        path = os.path.normpath(statement.args[0])
        path = "/" + path.lstrip("/") if path.startswith("/") else path
        if path in _TOO_MUCH or path == os.path.expanduser("~"):
            yield Problem(statement.where, f'"{path}" is much more than a site: name the folder of its files')


def _opens_folder(location: Block, alias: str) -> bool:
    """Whether names follow an alias: not where the location has one name, nor where "/." becomes the begin of one."""
    if location.name == "location" and location.modifier not in ("", "^~"):
        return False
    return alias.endswith("/") or not location.path.endswith("/") or not alias.rpartition("/")[2].startswith(".")


@rule("GW104", "hidden-files", "error")
def hidden_files(config: Block) -> Iterator[Problem]:
    """A folder that is served and has `.git` or `.env` in it gives the source and its secrets to everybody who asks,
    unless a location refuses names that begin with a dot."""
    for server in config.walk("server"):
        if server.around("http") is None or _refuses_dots(server):
            continue
        for _, statement in server.everywhere("root", "alias"):
            for name in (".git", ".env", ".svn", ".hg", ".htpasswd"):
                path = os.path.join(statement.args[0], name)
                if statement.args[0].startswith("/") and "$" not in statement.args[0] and os.path.exists(path):
                    text = f"{path} is served to whoever asks for /{name}; refuse it: location ~ /\\. {{ deny all; }}"
                    # a location that is asked before all others, unless one says that patterns are not asked
                    ahead = any(location.modifier in ("^~", "=") for location in server.walk("location"))
                    refuse = r"location ~ /\.(?!well-known/) { deny all; }"
                    edits = (added_behind(server.opener, refuse),) if server.opener is not None and not ahead else ()
                    yield Problem(statement.where, text, edits)


def _refuses_dots(server: Block) -> bool:
    for location in server.walk("location"):
        if location.is_regex and ("/\\." in location.path or "\\/\\." in location.path):
            return bool(location.all("deny", "return"))
    return False


@rule("GW105", "missing-folder", "warn")
def missing_folder(config: Block) -> Iterator[Problem]:
    """A `root` or `alias` that does not exist answers 404 to everything. nginx does not look when it starts."""
    seen = set()
    for _, statement in config.everywhere("root", "alias"):
        path = statement.args[0]
        if path in seen or not path.startswith("/") or "$" in path or os.path.lexists(path):
            continue
        seen.add(path)
        yield Problem(statement.where, f'"{path}" does not exist')


@rule("GW106", "try-files-loop", "error")
def try_files_loop(config: Block) -> Iterator[Problem]:
    """The last word of `try_files` is no file to try but where the request goes: with `$uri` it comes back to the same
    place ten times and ends as 500."""
    for _, statement in config.everywhere("try_files"):
        last = statement.args[-1]
        if last in IN_CIRCLES:
            text = f'when nothing is found, "{last}" is asked for again and again: end with =404, /index.html or @name'
            yield Problem(
                statement.where, text, (replaced(statement, "try_files", *map(quoted, statement.args), "=404"),)
            )


@rule("GW112", "try-files-of-server", "warn")
def try_files_of_server(config: Block) -> Iterator[Problem]:
    """`try_files` of a server is looked at only where no location fits, and locations do not inherit it: beside a
    `location /` it does nothing."""
    for server in config.walk("server"):
        tries = server.one("try_files")
        if tries is None:
            continue
        for location in server.inner:
            if location.name == "location" and location.path == "/" and location.modifier in ("", "^~"):
                text = "location / takes every path, and does not inherit this: try_files belongs into the location"
                yield Problem(tries.where, text, _moved_into(location, tries))


def _moved_into(location: Block, tries: Statement) -> tuple[Edit, ...]:
    """Into a location that serves files; one that has its own keeps that."""
    if location.all("try_files"):
        return (removed(tries),)
    if location.opener is None or location.passes() or location.all("alias", "return", "rewrite", "if"):
        return ()
    return removed(tries), added_behind(location.opener, " ".join(["try_files", *map(quoted, tries.args)]) + ";")


@rule("GW107", "try-files-with-alias", "warn")
def try_files_with_alias(config: Block) -> Iterator[Problem]:
    """With `alias`, the names of `try_files` that have variables lose the location's part, and those that have none do
    not; what is meant is mostly `root`."""
    for location in config.walk("location"):
        alias, tries = location.one("alias"), location.one("try_files")
        if alias is None or tries is None or len(tries.args) < 2:
            continue
        if any("$" not in name and not name.startswith("=") for name in tries.args[:-1]):
            yield Problem(tries.where, "names without variables are put behind the whole alias here; use root instead")


@rule("GW108", "root-in-every-location", "note")
def root_in_every_location(config: Block) -> Iterator[Problem]:
    """The same `root` in each location: one that is added later and forgets it serves another folder."""
    for server in config.walk("server"):
        if server.one("root") is not None:
            continue
        roots = [root for location in server.inner if location.name == "location" for root in location.all("root")]
        counted = Counter(root.args[0] for root in roots)
        if counted and counted.most_common(1)[0][1] >= 3:
            path, count = counted.most_common(1)[0]
            yield Problem(server.where, f'root "{path}" stands in {count} locations: put it into the server once')


@rule("GW109", "autoindex", "note")
def autoindex(config: Block) -> Iterator[Problem]:
    """`autoindex on` for a whole server shows every file's name, backups and drafts too."""
    for block, statement in config.everywhere("autoindex"):
        if statement.args == ["on"] and block.name in ("server", "http"):
            text = "every folder is listed: put it into the locations that shall be"
            yield Problem(statement.where, text, (removed(statement),))


@rule("GW110", "key-readable", "error")
def key_readable(config: Block) -> Iterator[Problem]:
    """A private key that every user of the machine may read is no secret."""
    for _, statement in config.everywhere("ssl_certificate_key", "proxy_ssl_certificate_key"):
        path = statement.args[0]
        try:
            mode = os.stat(path).st_mode if path.startswith("/") else 0
        except OSError:
            continue
        if mode & 0o004:
            yield Problem(statement.where, f"everybody may read {path}: chmod o-rwx {path}")
